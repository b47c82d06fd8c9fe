"""What a pipeline declares, as plain frozen values: no Spark here, and nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vigie.contracts import AlertSink, MessageSink, RemoteSink, Sink

if TYPE_CHECKING:
    from vigie.detectors.judgement import Judgement
    from vigie.feed import Simulate

# The rules that every row is held to, whatever a pipeline declares.
IS_JSON, MATCHES, HAS_KEY, HAS_TIME = EVERY_ROW_S = (
    "is valid JSON",
    "matches the schema",
    "has a key",
    "has an event time",
)
# And those of a source whose messages are Avro, beside them.
IS_AVRO, HAS_SCHEMA = EVERY_AVRO_ROW_S = ("is valid Avro", "has a known schema")

# Where a message stood that came from Kafka, or as a line of a file; and all that bronze may have of it.
PLACE = ("topic", "partition", "offset", "file", "line")
BRONZE = (*PLACE, "timestamp", "key", "value", "received_at", "batch")

FORMATS = ("json", "avro")

SEVERITIES = ("info", "warning", "critical")

Function = Callable[..., Any]  # a plain PySpark function: DataFrame in, DataFrame out


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was declared."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Source:
    """What comes in: one bronze table, kept as it came. `context` says that it only says more of what others bring.

    A message that is further ahead of its receipt than `future` says nothing of how far the others have come.

    Messages are lines of JSON. With the format `avro` they are framed Avro where they come from Kafka: `registry` is
    where their schemas are, the environment's unless said, and `avro` the files of the schemas, oldest first.
    """

    name: str
    schema: str
    key: str | None
    place: Place
    simulated: Simulate | None = None
    live: Function | None = None
    context: bool = False
    format: str = "json"
    registry: str | None = None
    avro: tuple[Path, ...] = ()
    future: str = "1 minute"

    @property
    def table(self) -> str:
        return f"bronze/{self.name}"

    @property
    def own_rules(self) -> tuple[str, ...]:
        """The rules that its rows are held to, whatever a pipeline declares."""
        return EVERY_ROW_S + (EVERY_AVRO_ROW_S if self.format == "avro" else ())


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
class Learning:
    """A model that is trained on a silver table, of one of several kinds; see vigie.models."""

    reads: Input
    learn: Function
    kinds: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Last:
    """Of the rows before, what a table looks back at: so many of the last of each key, no further away than a span."""

    rows: int
    of: str | Sequence[str] = field(kw_only=True)
    within: str = field(kw_only=True)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that `of` names; nothing where it names none."""
        named = (self.of,) if isinstance(self.of, str) else self.of
        are_names = isinstance(named, list | tuple) and all(isinstance(name, str) for name in named)
        return tuple(named) if are_names else ()


@dataclass(frozen=True, slots=True)
class Gold:
    """A table that follows from a silver table, once its time is closed. Where it looks back at the last rows of each
    key alone, `last` says so."""

    name: str
    function: Function
    reads: Input
    late_by: str | None
    looks_back: str | None
    place: Place
    latest_by: tuple[str, ...] = ()
    beside: tuple[Input, ...] = ()
    model: Learning | None = None
    last: Last | None = None

    @property
    def table(self) -> str:
        return f"gold/{self.name}"


Table = Silver | Gold
Node = Source | Silver | Gold


@dataclass(frozen=True, slots=True)
class Delivery:
    """A table, or what comes in, that also goes to a place outside the lake."""

    table: Input
    to: Sink | RemoteSink | MessageSink
    place: Place


@dataclass(frozen=True, slots=True)
class AlertDelivery:
    """A place that is told of what a watch finds, when it is so severe or more."""

    to: AlertSink
    at_least: str
    place: Place


class Detector(Protocol):
    """A way of spotting trouble in the rows of one key: see vigie.detectors.

    `columns` are those it looks at, and `judgement` is what a row is held to: none when it is not rows that it
    spots, but that there are none. `problems` is what is wrong with its settings, and `says` what a person is told.
    """

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def judgement(self) -> Judgement | None: ...

    def problems(self) -> Iterator[str]: ...

    def says(self, value: float, threshold: float) -> str: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A detector under a name, and how bad it is when it fires."""

    name: str
    detector: Detector
    severity: str
    place: Place


@dataclass(frozen=True, slots=True)
class Quiet:
    """Spans of time, rows of a silver table, in which alerts are marked and not raised.

    A row and a watched row belong together when both have the same in `on`; `starts` and `ends` are instants, and
    `what` says what is going on.
    """

    reads: Input
    on: str
    starts: str
    ends: str
    what: str
    place: Place


@dataclass(frozen=True, slots=True)
class Watch:
    """The rules that the rows of a silver table are held to, one key at a time, in one pass."""

    reads: Input
    key: str
    rules: tuple[Rule, ...]
    place: Place
    deliveries: tuple[AlertDelivery, ...] = ()
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything one pipeline declares."""

    name: str
    sources: tuple[Source, ...] = ()
    silver: tuple[Silver, ...] = ()
    gold: tuple[Gold, ...] = ()
    deliveries: tuple[Delivery, ...] = field(default=())
    watches: tuple[Watch, ...] = ()
    learning: Learning | None = None

    @property
    def main_sources(self) -> tuple[Source, ...]:
        """The sources that are no context: when there is one, it is meant where none is named."""
        return tuple(source for source in self.sources if not source.context)

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

    def fed_by(self, source: Source) -> list[Silver]:
        """The silver tables that hang on a source."""
        return [table for table in self.silver if self.source_of(table) is source]

    def source_of(self, table: Silver) -> Source:
        """The source of a silver table, in a graph that has passed `check`."""
        found = self.find(table.reads)
        assert isinstance(found, Source)
        return found

    def silver_of(self, table: Gold | Watch | Quiet | Learning) -> Silver:
        """The silver table that a gold table, a watch or a model reads, in a graph that has passed `check`; of a gold
        table that reads another, the silver table that this one reads."""
        found = self.find(table.reads)
        while isinstance(found, Gold):
            found = self.find(found.reads)
        assert isinstance(found, Silver)
        return found

    def read_by(self, reader: Gold | Watch) -> Silver | Gold:
        """The very table that a gold table or a watch reads, in a graph that has passed `check`."""
        found = self.find(reader.reads)
        assert isinstance(found, Silver | Gold)
        return found

    def gold_in_turn(self) -> Iterator[list[Gold]]:
        """The gold tables that read silver, then those that read them, and so on."""
        left = list(self.gold)
        while left:
            turn = [gold for gold in left if self.read_by(gold) not in left]
            yield turn
            left = [gold for gold in left if gold not in turn]

    def beside(self, table: Gold) -> list[Silver]:
        """The silver tables that a gold table is given beside its rows, in a graph that has passed `check`."""
        found = [self.find(wanted) for wanted in table.beside]
        return [node for node in found if isinstance(node, Silver)]


def name_of(wanted: Input) -> str:
    """How a person would call what `reads=` was given."""
    if isinstance(wanted, str):
        return wanted
    if isinstance(wanted, Source):
        return wanted.name
    return str(getattr(wanted, "__name__", repr(wanted)))
