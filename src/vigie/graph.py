"""What a pipeline declares, as plain frozen values: no Spark here, and nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from vigie.feed import Simulate

# The rules that every row is held to, whatever a pipeline declares.
IS_JSON, MATCHES, HAS_KEY, HAS_TIME = EVERY_ROW_S = (
    "is valid JSON",
    "matches the schema",
    "has a key",
    "has an event time",
)

Function = Callable[..., Any]  # a plain PySpark function: DataFrame in, DataFrame out


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was declared."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


class Sink(Protocol):
    """A place outside the lake that a table is delivered to.

    `module` is the client library it needs and `extra` the extra of Vigie that installs it; both are empty
    when it needs none. `write` is called once for each batch of new rows, in order, and called again with
    the same `batch` after a crash: it must make the repeat harmless.
    """

    @property
    def module(self) -> str: ...

    @property
    def extra(self) -> str: ...

    def write(self, rows: DataFrame, batch: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """What comes in: one bronze table, kept as it came."""

    name: str
    schema: str
    key: str | None
    place: Place
    simulated: Simulate | None = None
    live: Function | None = None

    @property
    def table(self) -> str:
        return f"bronze/{self.name}"


Input = Source | Function | str


@dataclass(frozen=True, slots=True)
class Silver:
    """A table of good rows: one for each message of its source that keeps the rules."""

    name: str
    function: Function
    reads: Input
    schema: str
    event_time: str | None
    late_by: str | None
    unique: tuple[str, ...]
    expect: Mapping[str, str]
    place: Place

    @property
    def table(self) -> str:
        return f"silver/{self.name}"


@dataclass(frozen=True, slots=True)
class Gold:
    """A table that follows from a silver table, once its time is closed."""

    name: str
    function: Function
    reads: Input
    late_by: str | None
    looks_back: str | None
    place: Place

    @property
    def table(self) -> str:
        return f"gold/{self.name}"


Table = Silver | Gold
Node = Source | Silver | Gold


@dataclass(frozen=True, slots=True)
class Delivery:
    """A table that also goes to a place outside the lake."""

    table: Input
    to: Sink
    place: Place


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything one pipeline declares."""

    name: str
    sources: tuple[Source, ...] = ()
    silver: tuple[Silver, ...] = ()
    gold: tuple[Gold, ...] = ()
    deliveries: tuple[Delivery, ...] = field(default=())

    def nodes(self) -> Iterator[Node]:
        yield from self.sources
        yield from self.silver
        yield from self.gold

    def tables(self) -> Iterator[Table]:
        yield from self.silver
        yield from self.gold

    def find(self, wanted: Input) -> Node | None:
        """The node that `reads=` or `deliver` means: a source, a decorated function, or a name."""
        if isinstance(wanted, Source):
            return wanted if wanted in self.sources else None
        if not isinstance(wanted, str):
            return next((table for table in self.tables() if table.function is wanted), None)
        named = (node for node in (*self.tables(), *self.sources) if wanted in {node.name, node.table})
        return next(named, None)

    def reading(self, node: Node) -> list[Table]:
        """The tables that read `node`."""
        return [table for table in self.tables() if self.find(table.reads) is node]

    def source_of(self, table: Silver) -> Source:
        """The source of a silver table, in a graph that has passed `check`."""
        found = self.find(table.reads)
        assert isinstance(found, Source)
        return found

    def silver_of(self, table: Gold) -> Silver:
        """The silver table that a gold table reads, in a graph that has passed `check`."""
        found = self.find(table.reads)
        assert isinstance(found, Silver)
        return found


def name_of(wanted: Input) -> str:
    """How a person would call what `reads=` was given."""
    if isinstance(wanted, str):
        return wanted
    if isinstance(wanted, Source):
        return wanted.name
    return str(getattr(wanted, "__name__", repr(wanted)))
