"""What a source answers: what is there, read exactly that, where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from vigie.arrow_types import INSTANT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

NOTED = b"noted"  # what there is to be recorded of a span stands under this in the metadata of what was read
Position = Any  # what a source needs to go on, as JSON


@dataclass(frozen=True, slots=True)
class Span:
    """Messages that are there and have not been read: a part of the source, as JSON, and the position after it.

    `messages` is how many they are, counted without reading them, or none where that cannot be known; `is_cut` says
    that more is there than a batch takes.
    """

    part: Any
    after: Position
    messages: int | None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class There:
    """What is there after a position: which partitions hold messages that were not read, of all there are, and the next
    of them; none when there are none yet."""

    unread: Mapping[str, bool]
    span: Span | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a batch takes, at most."""

    messages: int
    bytes: int


class Source(Protocol):
    """Where messages come from. A partition is a sequence; what is read of a span is the same each time."""

    @property
    def identity(self) -> str:
        """What it is, in words: a lake goes on from where it was filled."""
        ...

    @property
    def origin(self) -> pa.Schema:
        """The columns that say where a message stood."""
        ...

    def check(self) -> None:
        """BadAddress when it cannot be read."""
        ...

    def there(self, position: Position | None, bounds: Bounds, /) -> There:
        """What is there after a position, no more of it than a batch takes."""
        ...

    def read(self, span: Span) -> pa.Table:
        """These messages: `origin`, then `partition_id`, `key`, `value`, `stamp` and `arrived_at`. RunFailed when they
        are not what was there.

        `stamp` is when a broker says that it took a message, and `arrived_at` when it came to where we read it; either
        is null where that is not known. SourceAway when nobody answers.
        """
        ...

    def most(self, part: Any) -> int:
        """How many messages a part of the source is, or a few more, told without reading them."""
        ...

    def frame(self, spark: SparkSession, span: Span) -> DataFrame:
        """The same messages as Spark's executors read them, and `row`: their place among all of the source. What was
        read, and of what `verify` says, is counted by whoever reads it."""
        ...

    def verify(self, span: Span, messages: int) -> str | None:
        """RunFailed when so many are not what was there; what there is to be recorded of the span."""
        ...

    def placed(self, spark: SparkSession, bronze: DataFrame, parts: Sequence[Any]) -> DataFrame:
        """The rows of bronze that these parts became, with their `partition_id` and `row`."""
        ...

    def in_order(self, part: Any, bronze: pa.Table, /) -> pa.Table:
        """The rows of bronze that this part of the source became, in the order in which they were read."""
        ...

    def partitions_of(self, bronze: pa.Table, /) -> pa.Array | pa.ChunkedArray:
        """The partition of each row of bronze."""
        ...

    def remember(self, part: Any) -> None:
        """Take note of what was read before, part by part."""
        ...

    def watch(self) -> None:
        """RunFailed when what was read has changed since."""
        ...


def bronze_of(source: Source) -> pa.Schema:
    """The columns of bronze for what comes from a source."""
    tail = [("key", pa.binary()), ("value", pa.binary()), ("received_at", INSTANT), ("batch", pa.int64())]
    return pa.schema([*source.origin, *tail])
