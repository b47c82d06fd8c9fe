"""What the loop asks of an engine: to read what was planned, to evaluate declared functions over it, and to append what
comes of it, once. Where the rows are meanwhile is the engine's own: in this process, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vigie.errors import VigieError
from vigie.instants import MICROSECOND

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from vigie.core.delta.tables import Stamp
    from vigie.core.notes import TablePlan
    from vigie.core.run_context import RunContext
    from vigie.core.source import Bounds, Position, Source, Span, There
    from vigie.graph import Last, Silver
    from vigie.graph import Source as Declared

Function = Callable[..., "DataFrame"]  # of DataFrames: plain PySpark


class EngineDied(VigieError):
    """The engine went away, or gave no answer in time, in the middle of its work: the same may be asked again."""


class EngineAway(EngineDied):
    """Nobody answers where the engine is: time may mend it."""


class NotComputed(VigieError):
    """What a function was given cannot be computed: a row of it, or so many together."""


class TooLong(Exception):
    """A window was given that is longer than its table looks back."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows that a function cuts time into: how long each is, how often one begins, and when one does, after 1970."""

    length: timedelta
    every: timedelta
    begins: timedelta = timedelta()

    def ends_between(self, after: int, until: int) -> bool:
        """Whether one of them ends after a moment and not after another, both in microseconds after 1970."""
        first, every = (self.begins + self.length) // MICROSECOND, self.every // MICROSECOND
        return (until - first) // every > (after - first) // every


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at a moment."""

    at: datetime
    found: There


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch that bronze holds: its number, which part of the source it was, and how many messages."""

    batch: int
    part: Any
    messages: int


class Judged(Protocol):
    """The rows that a silver table makes of a batch, and the verdict on each of them."""

    @property
    def progress(self) -> dict[str, int]:
        """How far each partition has come with them, in microseconds after 1970."""
        ...

    @property
    def arrived(self) -> int:
        """When the newest of the accepted rows arrived, in microseconds after 1970; where any was."""
        ...

    def count(self, verdict: int) -> int:
        """How many have that verdict."""
        ...

    def accept(self, path: Path, stamp: Stamp, noted: Mapping[str, int]) -> tuple[int, int]:
        """Append the accepted rows, once; how many the commit says it wrote, and a version that has them."""
        ...

    def set_aside(self, verdict: int, path: Path, stamp: Stamp) -> int:
        """Append the messages of the rows of that verdict as they came, once; how many the commit says it wrote."""
        ...


class Batch(Protocol):
    """The messages of a batch."""

    @property
    def count(self) -> int:
        """How many there are, counted as they were read."""
        ...

    @property
    def noted(self) -> str | None:
        """What there is to be recorded of the span that they came from."""
        ...

    @property
    def arrived(self) -> Mapping[str, int]:
        """When the newest message of each partition came to where it was read, in microseconds after 1970."""
        ...

    def keep(self, stamp: Stamp) -> int:
        """Append them to bronze, once; how many the commit says it wrote."""
        ...

    def writers(self) -> set[int]:
        """The numbers of the schemas that they name, where they are Avro."""
        ...

    def judged(self, table: Silver, plan: TablePlan, schemas: Mapping[int, str]) -> Judged:
        """What a table makes of them, read with these schemas; NotComputed as `evaluate` has it."""
        ...


class Intake(Protocol):
    """One source, as an engine reads it, and the silver tables that hang on it."""

    def check(self, table: Silver) -> None:
        """BadDeclaration, or NotComputed, for what is wrong with a table's function whatever rows come."""
        ...

    def look(self, position: Position | None, now: datetime | None) -> Look:
        """What is there after a position."""
        ...

    def take(self, span: Span, received_at: datetime, number: int) -> Batch:
        """The messages of what was planned; the same again until another look."""
        ...

    def again(self, batches: Sequence[Taken]) -> Batch:
        """The messages of batches that bronze holds, in the order in which they were read."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Read:
    """Columns of a table at a version; `time` is its event time, and `seen` what says how far a row's partition had
    come, where the table has that."""

    path: Path
    version: int
    columns: frozenset[str]
    time: str
    seen: str | None


@dataclass(frozen=True, slots=True)
class Work:
    """What a table of windows, or of rows beside earlier ones, gives with a batch: the rows that are closed after one
    moment and up to another, in microseconds after 1970.

    A function works them out of the rows of a table that are no later than a watermark and no older than `looks_back`
    before the first moment (or, of those, the last of each key), and of whole tables beside it. `closed_by` is the
    column that says when a row is closed: of a window its end.
    """

    function: Function
    reads: Read
    watermark: int
    beside: Sequence[Read]
    after: int
    until: int
    looks_back: int
    last: Last | None
    closed_by: str
    is_windowed: bool


class Engine(Protocol):
    """Evaluates PySpark functions over bounded work."""

    @property
    def name(self) -> str:
        """As the ledger has it."""
        ...

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        """What a function makes of these few rows, in no promised order; EngineDied when it has to be asked again,
        NotComputed when it raises on what it was given."""
        ...

    def windows(self, function: Function, *schemas: pa.Schema) -> list[Cut]:
        """The windows that a function of such tables cuts time into; none when that cannot be told of any of them."""
        ...

    def columns(self, function: Function, *schemas: pa.Schema) -> list[list[str]]:
        """Which columns of such tables a function needs, in their order: more, now and then, and never fewer."""
        ...

    def intake(
        self, context: RunContext, declared: Declared, source: Source, bounds: Bounds, schemas: Mapping[int, str] | None
    ) -> Intake:
        """A source, to be read batch by batch. `schemas` are those that it is read with, where it is Avro, and grow."""
        ...

    def gained(self, table: Read, after: int, watermark: int) -> tuple[int, int]:
        """How many rows a table gained after a version (-1 for all of them), and how many of them came too late."""
        ...

    def give(self, work: Work, path: Path, stamp: Stamp) -> None:
        """Work out what is closed, and append it once; TooLong as it says."""
        ...

    def latest(self, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> int:
        """Bring a table that holds the last row of each key to what another gained after a version (-1 for all of it);
        how many rows that was."""
        ...

    def close(self) -> None: ...
