"""A source whose partitions are held in memory, and which hands them out as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vigie.core.source import Bounds, Span, There
from vigie.engines.spark.frames import given

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

A_PARTITION = 1 << 40  # so many messages it may have

ORIGIN = pa.schema([("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64())])
MESSAGES = pa.schema(
    [*ORIGIN, ("partition_id", pa.string()), ("key", pa.binary()), ("value", pa.binary()),
     ("stamp", pa.timestamp("us", "UTC")), ("arrived_at", pa.timestamp("us", "UTC"))]
)  # fmt: skip
Take = Callable[[list[int]], list[int]]  # from how many messages each partition has left to how many are taken


@dataclass(slots=True)
class Partitions:
    """Each partition as its messages and when they were received; `take` says how many of each make the next batch."""

    messages: list[list[tuple[bytes, datetime]]]
    take: Take
    read_once: list[Any] = field(default_factory=list)

    identity: str = "a test"
    origin = ORIGIN

    def check(self) -> None: ...

    def watch(self) -> None: ...

    def most(self, part: Any) -> int:
        return sum(until - done for done, until in part)

    def frame(self, spark: SparkSession, span: Span) -> DataFrame:
        rows = self.read(span)
        places = [partition * A_PARTITION + at for partition, at in self._places(rows)]
        return given(spark, rows.append_column("row", pa.array(places, pa.int64())))

    def _places(self, rows: pa.Table) -> Iterator[tuple[int, int]]:
        return zip(rows["partition"].to_pylist(), rows["offset"].to_pylist(), strict=True)

    def verify(self, span: Span, messages: int) -> str | None:
        assert messages == span.messages
        return None

    def placed(self, _spark: SparkSession, bronze: DataFrame, _parts: Sequence[Any]) -> DataFrame:
        from pyspark.sql import functions as F

        row = F.col("partition").cast("long") * A_PARTITION + F.col("offset")
        return bronze.withColumns({"partition_id": F.col("partition").cast("string"), "row": row})

    def in_order(self, _part: Any, bronze: pa.Table) -> pa.Table:
        return bronze.sort_by([("partition", "ascending"), ("offset", "ascending")])

    def partitions_of(self, bronze: pa.Table) -> pa.ChunkedArray:
        return bronze["partition"].cast(pa.string())

    def remember(self, part: Any) -> None:
        self.read_once.append(part)

    def there(self, position: Any, _bounds: Bounds) -> There:
        at = position or [0] * len(self.messages)
        left = [len(held) - done for held, done in zip(self.messages, at, strict=True)]
        return There({str(number): more > 0 for number, more in enumerate(left)}, self._next(at, left))

    def _next(self, at: list[int], left: list[int]) -> Span | None:
        if not any(left):
            return None
        taken = [min(wanted, there) for wanted, there in zip(self.take(left), left, strict=True)]
        if not any(taken):
            taken[left.index(max(left))] = 1
        part = [[done, done + more] for done, more in zip(at, taken, strict=True)]
        return Span(part, [until for _, until in part], sum(taken), is_cut=taken != left)

    def read(self, span: Span) -> pa.Table:
        rows = [
            {
                "topic": "test",
                "partition": number,
                "offset": at,
                "partition_id": str(number),
                "value": value,
                "stamp": when,
                "arrived_at": when,
            }
            for number, (after, until) in enumerate(span.part)
            for at, (value, when) in enumerate(self.messages[number][after:until], after)
        ]
        return pa.Table.from_pylist(rows, MESSAGES)
