"""Gold tables: each a query of its own, off the hot path, over the stream of a silver table.

A table of windows is Spark's own streaming aggregation. A table that looks back is given settled rows as a plain
DataFrame: silver is its memory, so nothing is kept in a state store, and a restart may change the function.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from vigie.duration import parse_duration
from vigie.engine import failures, tables
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.ledger import Entry
from vigie.engine.plan import SettledPlan
from vigie.engine.tables import Stamp
from vigie.engine.verdict import instant
from vigie.engine.workshop import Workshop
from vigie.errors import BadDeclaration
from vigie.graph import Gold

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FILES_PER_BATCH = 1_000
BYTES_PER_BATCH = "1g"


def silver_stream(shop: Workshop, gold: Gold) -> DataFrame:
    """The rows of the table's silver, in the order of their time when they are many that wait."""
    silver = shop.graph.silver_of(gold)
    Checkpoint(shop.lake.checkpoint(shop.graph.name, gold.name)).check()
    rows = (
        shop.spark.readStream.format("delta")
        .option("maxFilesPerTrigger", FILES_PER_BATCH)
        .option("maxBytesPerTrigger", BYTES_PER_BATCH)
        .option("withEventTimeOrder", "true")
        .load(str(shop.lake.silver(silver.name)))
    )
    return rows.withWatermark(str(silver.event_time), str(gold.late_by))


def windows(shop: Workshop, gold: Gold) -> DataFrame:
    """The stream of a table of windows; the table is made, so that it can be read before its first row."""
    made = flat(failures.made(gold, silver_stream(shop, gold)))
    tables.ensure(shop.lake.gold(gold.name), tables.arrow_schema(made.schema), gold.table, shop.graph.name)
    return made


def flat(rows: DataFrame) -> DataFrame:
    """`window` as two columns, which every reader understands."""
    if "window" not in rows.columns:
        return rows
    bounds = [F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")]
    return rows.select(*bounds, *(name for name in rows.columns if name != "window"))


class Settled:
    """What happens to each batch of a table that looks back."""

    def __init__(self, shop: Workshop, gold: Gold) -> None:
        self._shop = shop
        self._gold = gold
        self._silver = shop.graph.silver_of(gold)
        self._from = shop.lake.silver(self._silver.name)
        self._to = shop.lake.gold(gold.name)
        self._time = str(self._silver.event_time)
        self._late_by = parse_duration(str(gold.late_by))
        self._looks_back = parse_duration(str(gold.looks_back))
        self.checkpoint = Checkpoint(shop.lake.checkpoint(shop.graph.name, gold.name))
        self._prepare()

    def _prepare(self) -> None:
        silver = tables.spark_schema(self._silver.schema)
        made = failures.made(self._gold, self._shop.spark.createDataFrame([], silver))
        if self._time not in made.columns:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives back rows without their event time, '{self._time}'",
                where=str(self._gold.place),
                do="Keep that column: it says when a row is settled.",
            )
        tables.ensure(self._to, tables.arrow_schema(made.schema), self._gold.table, self._shop.graph.name)

    def stream(self) -> DataFrame:
        return silver_stream(self._shop, self._gold)

    def __call__(self, batch: DataFrame, number: int) -> list[Entry]:
        """Give the rows that this batch settled, for the first or the second time."""
        plan = SettledPlan.of(self.checkpoint, number) or self._planned(batch, number)
        stamp = Stamp(f"{self.checkpoint.query}:{self._gold.table}", number)
        until = plan.newest - self._late_by if plan.newest else None
        if until is not None and (plan.after is None or until > plan.after):
            tables.append(self._settled(plan, until), self._to, stamp)
            self._shop.committed(self._gold.table)
        entry = Entry(
            self._gold.name, self._gold.table, number, plan.read, late=plan.late, late_before=plan.after,
            offsets={"silver": plan.version},
        )  # fmt: skip
        self._shop.ledger.write([entry], stamp)
        self._shop.committed(f"{self._gold.table} ledger")
        return [entry]

    def _planned(self, batch: DataFrame, number: int) -> SettledPlan:
        before = SettledPlan.of(self.checkpoint, number - 1)
        newest = before.newest if before else None
        after = newest - self._late_by if newest else None
        time = F.col(self._time)
        behind = F.lit(False) if after is None else time <= F.lit(after)
        [seen] = batch.agg(
            F.count(F.lit(1)).alias("read"),
            F.count(F.when(behind, 1)).alias("late"),
            F.unix_micros(F.max(time)).alias("newest"),
        ).collect()
        seen_newest = instant(seen.newest)
        newest = max(filter(None, (newest, seen_newest)), default=None)
        plan = SettledPlan(number, self._version(number), after, newest, seen.read, seen.late)
        plan.commit(self.checkpoint)
        self._shop.committed(f"{self._gold.table} plan")
        return plan

    def _version(self, number: int) -> int:
        """The version of silver whose rows have all been seen with this batch."""
        _, end = self.checkpoint.offsets(number)
        said = json.loads(end)
        return int(said["reservoirVersion"]) - (1 if said["index"] < 0 else 0)

    def _settled(self, plan: SettledPlan, until: datetime) -> DataFrame:
        rows = self._shop.spark.read.format("delta").option("versionAsOf", plan.version).load(str(self._from))
        time = F.col(self._time)
        rows = rows.where(time <= F.lit(until))
        if plan.after is None:
            return failures.made(self._gold, rows)
        made = failures.made(self._gold, rows.where(time > F.lit(plan.after - self._looks_back)))
        return made.where(time > F.lit(plan.after))


def reported(progress: dict[str, object], gold: Gold) -> Entry:
    """The ledger's entry of one batch of windows, from what Spark reports of it."""
    state = progress.get("stateOperators") or []
    assert isinstance(state, list)
    watermark = progress.get("eventTime", {})
    assert isinstance(watermark, dict)
    sources = progress["sources"]
    assert isinstance(sources, list)
    return Entry(
        gold.name,
        gold.table,
        int(str(progress["batchId"])),
        int(str(progress["numInputRows"])),
        late=sum(int(operator["numRowsDroppedByWatermark"]) for operator in state),
        late_before=_watermark(watermark.get("watermark")),
        offsets={"silver": sources[0].get("endOffset")},
    )


def _watermark(text: str | None) -> datetime | None:
    at = datetime.fromisoformat(text) if text else None
    return at if at and at.timestamp() > timedelta().total_seconds() else None
