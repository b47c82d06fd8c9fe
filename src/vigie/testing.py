"""A pipeline in a test of your own: rows in, tables, ledger, quarantine and alerts out, within a second.

    from vigie.testing import run

    ran = run(stoves, {"readings_raw": [{"id": "a", "t": "2026-06-01T12:00:00Z", "c": 31.0}, b"no JSON"]})
    assert ran.table("silver/readings") == [...]
    assert [alert["rule"] for alert in ran.alerts] == ["HOT"]
    assert ran.quarantine[0]["rules"] == ["is valid JSON"]

It is the loop that `vigie run --once` is, over the embedded engine and a lake that is gone afterwards.
"""

from __future__ import annotations

import atexit
import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vigie.arrow_types import INSTANT
from vigie.check import checked
from vigie.contracts import Surroundings
from vigie.core.engine import Engine
from vigie.core.ledger import Ledger
from vigie.core.observer import Watcher
from vigie.core.run import Run, Wish
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Position, Span, There
from vigie.engines.embedded.engine import Embedded
from vigie.engines.spark.frames import given
from vigie.errors import RequestError
from vigie.lake import Lake, is_table, rows
from vigie.pipeline import Pipeline
from vigie.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

ORIGIN = pa.schema([("file", pa.string()), ("line", pa.int64())])
MESSAGES = pa.schema(
    [*ORIGIN, ("partition_id", pa.string()), ("key", pa.binary()), ("value", pa.binary()), ("stamp", INSTANT),
     ("arrived_at", INSTANT)]
)  # fmt: skip
PARTITION = "test"
ALL = Bounds(10**9, 10**12)

Message = Mapping[str, Any] | bytes | str


@dataclass(frozen=True, slots=True)
class Ran:
    """What a pipeline made of its messages."""

    tables: Mapping[str, list[dict[str, Any]]]
    quarantine: list[dict[str, Any]]
    late: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    alerts: list[dict[str, Any]]

    def table(self, address: str) -> list[dict[str, Any]]:
        """The rows of a table, as in `silver/readings`."""
        if address not in self.tables:
            raise RequestError(f"there is no table '{address}'", do=f"There are: {', '.join(self.tables)}.")
        return self.tables[address]


def run(pipeline: Pipeline, messages: Mapping[str, Sequence[Message]], *, received_at: datetime | None = None) -> Ran:
    """Take these messages of each source, in their order, all the way: a mapping as JSON, and bytes as they are.

    `received_at` is when they came, now unless said: what is more than a minute ahead of it is from the future.
    """
    graph = checked(pipeline, functions_too=True)
    if strange := messages.keys() - {source.name for source in graph.sources}:
        raise RequestError(
            f"pipeline '{graph.name}' has no source '{min(strange)}'",
            do=f"It has: {', '.join(source.name for source in graph.sources)}.",
        )
    at = received_at or datetime.now(UTC)
    sources = {source.name: Given(messages.get(source.name, ()), at) for source in graph.sources}
    with tempfile.TemporaryDirectory(prefix="vigie-test-") as folder:
        lake = Lake(Path(folder))
        context = RunContext(graph, lake, Ledger(lake.ledger(graph.name), graph.name, "embedded"))
        around = Surroundings(Settings(), "", graph.name)
        Run(context, _engine(), sources, Wish(True, 0.0, ALL), around, Event(), Watcher(), {}).go()
        nodes = {node.table: lake.path(node.table) for node in graph.nodes()}
        return Ran(
            {address: _rows(path) for address, path in nodes.items()},
            *(_rows(path) for path in (
                lake.quarantine(graph.name), lake.late(graph.name), lake.ledger(graph.name), lake.alerts(graph.name)
            )),
        )  # fmt: skip


def _rows(path: Path) -> list[dict[str, Any]]:
    return (
        [{name: value for name, value in row.items() if name != "seen_until"} for row in rows(path)]
        if is_table(path)
        else []
    )


@functools.cache
def _engine() -> Engine:
    """One for all tests of a process."""
    engine = Embedded()
    atexit.register(engine.close)
    return engine


class Given:
    """Messages that a test gives, as a source of one partition."""

    identity = "a test"
    origin = ORIGIN

    def __init__(self, messages: Sequence[Message], at: datetime) -> None:
        values = [_encoded(message) for message in messages]
        count = len(values)
        lines = pa.array(range(1, count + 1), pa.int64())
        none, came = pa.nulls(count, pa.binary()), pa.repeat(pa.scalar(at, INSTANT), count)
        self._table = pa.Table.from_arrays(
            [pa.repeat(pa.scalar("given"), count), lines, pa.repeat(pa.scalar(PARTITION), count), none,
             pa.array(values, pa.binary()), came, came], schema=MESSAGES,
        )  # fmt: skip

    def check(self) -> None: ...

    def watch(self) -> None: ...

    def remember(self, part: Any) -> None: ...

    def there(self, position: Position | None, _bounds: Bounds) -> There:
        rows = 0 if position else self._table.num_rows
        return There({PARTITION: rows > 0}, Span([0, rows], True, rows) if rows else None)

    def read(self, span: Span) -> pa.Table:
        return self._table if span.part else self._table.slice(0, 0)

    def verify(self, span: Span, messages: int) -> str | None: ...

    def most(self, part: Any) -> int:
        return part[1] if part else 0

    def frame(self, spark: SparkSession, span: Span) -> DataFrame:
        rows = self.read(span)
        return given(spark, rows.append_column("row", rows["line"]))

    def placed(self, _spark: SparkSession, bronze: DataFrame, _parts: Sequence[Any]) -> DataFrame:
        from pyspark.sql import functions as F

        return bronze.withColumns({"partition_id": F.lit(PARTITION), "row": F.col("line")})

    def in_order(self, _part: Any, bronze: pa.Table) -> pa.Table:
        return bronze.sort_by("line")

    def partitions_of(self, bronze: pa.Table) -> pa.Array:
        return pa.repeat(pa.scalar(PARTITION), bronze.num_rows)


def _encoded(message: Message) -> bytes:
    if isinstance(message, bytes):
        return message
    return message.encode() if isinstance(message, str) else json.dumps(message, default=str).encode()
