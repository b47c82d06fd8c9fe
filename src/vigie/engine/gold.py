"""Gold tables: each a query of its own, off the hot path, over the stream of a silver table.

A table that looks back, which is here, is given settled rows as a plain DataFrame: silver is its memory, so nothing is
kept in a state store, and a restart may change the function. A table that Spark streams is in vigie.engine.windows,
and one that keeps the last value in vigie.engine.latest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from vigie.core.gold.windows import flat
from vigie.core.ledger import Entry
from vigie.core.user_function import made
from vigie.duration import parse_duration
from vigie.engine import tables
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.hotpath import FEW
from vigie.engine.plan import SettledPlan
from vigie.engine.tables import Stamp
from vigie.engine.workshop import Workshop
from vigie.errors import BadDeclaration
from vigie.graph import Gold, Silver
from vigie.instants import instant
from vigie.models import Models, Trained

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

FILES_PER_BATCH = 1_000
BYTES_PER_BATCH = "1g"
EVERY_S = 15.0
LOOKS_WHILE_IT_WAITS = 20


def every_s(gold: Gold) -> float:
    """How often a table is looked at: one that waits ten minutes for late rows need not be in a hurry."""
    waits = parse_duration(gold.late_by).total_seconds() if gold.late_by else 0.0
    return max(EVERY_S, waits / LOOKS_WHILE_IT_WAITS)


def silver_rows(shop: Workshop, gold: Gold, **options: str) -> DataFrame:
    """The stream of the rows of the table that it reads."""
    Checkpoint(shop.lake.checkpoint(shop.graph.name, gold.name)).check()
    bounds = {"maxFilesPerTrigger": str(FILES_PER_BATCH), "maxBytesPerTrigger": BYTES_PER_BATCH}
    path = shop.lake.path(shop.graph.read_by(gold).table)
    return shop.spark.readStream.format("delta").options(**bounds, **options).load(str(path))


def silver_stream(shop: Workshop, gold: Gold) -> DataFrame:
    """The rows of the table that it reads, in the order of their time when they are many that wait."""
    rows = silver_rows(shop, gold, withEventTimeOrder="true")
    return rows.withWatermark(str(shop.graph.silver_of(gold).event_time), str(gold.late_by))


def silver_version(checkpoint: Checkpoint, number: int) -> int:
    """The version of silver whose rows have all been seen with this batch."""
    _, end = checkpoint.offsets(number)
    said = json.loads(end)
    return int(said["reservoirVersion"]) - (1 if said["index"] < 0 else 0)


class Settled:
    """What happens to each batch of a table that looks back.

    One that is given a model waits until there is one: before that it is an empty table.
    """

    def __init__(self, shop: Workshop, gold: Gold) -> None:
        self._shop = shop
        self._gold = gold
        self._silver = shop.graph.silver_of(gold)
        self._reads = shop.graph.read_by(gold)
        self._from = shop.lake.path(self._reads.table)
        self._to = shop.lake.gold(gold.name)
        self._beside = {silver.name: shop.lake.silver(silver.name) for silver in shop.graph.beside(gold)}
        self._time = self._settled_by = str(self._silver.event_time)
        self._late_by = parse_duration(str(gold.late_by))
        self._looks_back = parse_duration(str(gold.looks_back))
        self.checkpoint = Checkpoint(shop.lake.checkpoint(shop.graph.name, gold.name))
        self._models = Models(shop.lake, shop.graph.name) if gold.model else None
        self._prepare()

    @property
    def waits(self) -> str:
        """What it waits for before it can begin, or what it reads does; nothing for most."""
        name = self._shop.graph.name
        read: Silver | Gold = self._gold
        while isinstance(read, Gold):
            if read.model is not None and Models(self._shop.lake, name).in_use is None:
                return f"a model: vigie train {name}"
            read = self._shop.graph.read_by(read)
        return ""

    def _prepare(self) -> None:
        spark = self._shop.spark
        in_use = self._models.in_use if self._models else None
        inputs = (self._reads, *self._shop.graph.beside(self._gold))
        made = self._made(in_use, *(spark.createDataFrame([], self._schema(each)) for each in inputs))
        if "window_end" in made.columns:
            self._settled_by = "window_end"
        elif self._time not in made.columns:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives back rows without their event time, '{self._time}'",
                where=str(self._gold.place),
                do="Keep that column: it says when a row is settled.",
            )
        tables.ensure(self._to, tables.arrow_schema(made.schema), self._gold.table, self._shop.graph.name)

    def _schema(self, table: Silver | Gold) -> StructType:
        if isinstance(table, Silver):
            return tables.spark_schema(table.schema)
        return self._shop.spark.read.format("delta").load(str(self._shop.lake.path(table.table))).schema

    def stream(self) -> DataFrame:
        return silver_stream(self._shop, self._gold)

    def __call__(self, batch: DataFrame, number: int) -> list[Entry]:
        """Give the rows that this batch settled, for the first or the second time."""
        plan = SettledPlan.of(self.checkpoint, number) or self._planned(batch, number)
        stamp = Stamp(f"{self.checkpoint.query}:{self._gold.table}", number)
        until = plan.newest - self._late_by if plan.newest else None
        if until is not None and (plan.after is None or until > plan.after):
            self._append(self._settled(plan, until), plan, stamp)
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
        beside = {name: tables.version(path) for name, path in self._beside.items()}
        version = silver_version(self.checkpoint, number)
        in_use = self._models.in_use if self._models else None
        plan = SettledPlan(number, version, after, newest, seen.read, seen.late, beside, in_use)
        plan.commit(self.checkpoint)
        self._shop.committed(f"{self._gold.table} plan")
        return plan

    def _settled(self, plan: SettledPlan, until: datetime) -> DataFrame:
        time, settled = F.col(self._time), F.col(self._settled_by)
        rows = self._read(self._from, plan.version).where(time <= F.lit(until))
        if plan.after is not None:
            rows = rows.where(time > F.lit(plan.after - self._looks_back))
        made = self._made(
            plan.model, rows, *(self._read(path, plan.beside.get(name)) for name, path in self._beside.items())
        )
        made = made.where(settled <= F.lit(until))
        if plan.after is not None:
            made = made.where(settled > F.lit(plan.after))
        return self._whole(made) if self._settled_by == "window_end" else made

    def _read(self, path: Path, version: int | None) -> DataFrame:
        known = tables.version(path) if version is None else version
        return self._shop.spark.read.format("delta").option("versionAsOf", known).load(str(path))

    def _made(self, model: int | None, *rows: DataFrame) -> DataFrame:
        return flat(made(self._gold, *rows, *self._trained(model)))

    def _trained(self, version: int | None) -> Iterator[Trained]:
        """The model that the table's function is given, if it is given one."""
        if self._models is None or self._gold.model is None:
            return
        yield Trained.of(self._models, version) if version is not None else Trained.none(self._gold.model.kinds[0])

    def _whole(self, windows: DataFrame) -> DataFrame:
        """The windows themselves; whoever reads one that reached further back than was looked is told."""
        whole = F.col("window_start") + F.lit(self._looks_back) >= F.col("window_end")
        said = (
            f"gold table '{self._gold.name}' ({self._gold.place}) gives windows that are longer than it looks back, "
            f"{self._gold.looks_back}: raise looks_back"
        )
        return windows.where(F.assert_true(whole, said).isNull())

    def _append(self, rows: DataFrame, plan: SettledPlan, stamp: Stamp) -> None:
        few = tables.held(rows) if plan.read <= FEW else None
        if few is None:
            tables.append(rows, self._to, stamp)
        elif few.num_rows:
            tables.append_arrow(few, self._to, stamp)
