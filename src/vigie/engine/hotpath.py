"""The hot path: one query a source, which writes bronze, silver, what was set aside, and the ledger.

A batch is a row of commits: its plan, bronze, then for each silver table its rows, its quarantine and its late
rows, and last the ledger. It may die between any two of them. The plan fixes all that could be answered
differently the second time (the version of silver in which repeats are looked for, and how late is late), and
every commit carries the batch's number, under which a table takes rows only once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from vigie.avro.reading import decoder
from vigie.core.delta import changes
from vigie.core.ingest import avro_schemas, parsing, quarantine
from vigie.core.ingest import shaping as core_shaping
from vigie.core.ingest.avro_schemas import Schemas
from vigie.core.ledger import Entry
from vigie.duration import parse_duration
from vigie.engine import schemas, shaping, tables, verdict
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.plan import Plan, TablePlan
from vigie.engine.tables import Stamp
from vigie.engine.workshop import Workshop
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.graph import Silver, Source
from vigie.instants import instant
from vigie.lake import PUT_BACK

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Observation

# So many rows are written without Spark, whose every commit takes about a second.
FEW = 50_000
ROWS_PER_FILL = 500_000


class HotPath:
    """What happens to each batch of one source. `schemas` are those of its messages, where they are Avro."""

    def __init__(self, shop: Workshop, source: Source, reading: Any, schemas: Schemas | None = None) -> None:
        self._shop = shop
        self._source = source
        self._reading = reading
        self._schemas = schemas
        self._tables = [table for table in shop.graph.silver if shop.graph.source_of(table) is source]
        self.checkpoint = Checkpoint(shop.lake.checkpoint(shop.graph.name, source.name))
        self._bronze = shop.lake.bronze(source.name)
        self._prepare()
        self._done = self._look_back()
        self._newest = {table.name: self._newest_in(table) for table in self._tables}

    def _prepare(self) -> None:
        """Make the tables; refuse a lake that is another's, and functions that owe something, before data flows."""
        bronze = tables.spark_schema(
            f"{self._reading.bronze}, key BINARY, value BINARY, received_at TIMESTAMP, batch BIGINT"
        )
        lake, owner = self._shop.lake, self._shop.graph.name
        tables.ensure(self._bronze, tables.arrow_schema(bronze), self._source.table, owner)
        for table in self._tables:
            schema = tables.arrow_schema(tables.spark_schema(table.schema))
            tables.ensure(lake.silver(table.name), schema, table.table, owner)
            core_shaping.shaped(table, self._source, self._parsed(self._shop.spark.createDataFrame([], bronze), {}))
        tables.ensure(lake.quarantine(owner), quarantine.QUARANTINE, "quarantine", owner)
        tables.ensure(lake.late(owner), quarantine.LATE, "late", owner)

    def stream(self) -> DataFrame:
        """The source's stream. The time of receipt is set here, where a second try gives the same again."""
        rows: DataFrame = self._reading.stream(self._shop.spark)
        return rows.withColumn("received_at", F.current_timestamp())

    def __call__(self, batch: DataFrame, number: int) -> list[Entry]:
        """Take one batch all the way, for the first or the second time; what became of its rows."""
        plan = Plan.of(self.checkpoint, number) or self._planned(batch, number)
        app = self.checkpoint.query
        self._reading.remember(plan.cut)
        bronze, met = self._take_bronze(batch, plan, app)
        known = {} if self._schemas is None else self._schemas.of_batch(number, met)
        entries = [bronze]
        for table in self._tables:
            of_it = plan.tables[table.name]
            few = of_it.since == number and bronze.read <= FEW
            entries.append(self._advance(table, number, of_it, app, known, few=few))
        self._shop.ledger.write(entries, Stamp(app, number))
        self._shop.committed("ledger")
        self._done |= {entry.table: number for entry in entries}
        self._reading.watch()
        return entries

    def _planned(self, batch: DataFrame, number: int) -> Plan:
        received_at = self.checkpoint.planned_at(number)
        plan = Plan(number, received_at, self._reading.cut(batch, *self.checkpoint.offsets(number)))
        plan = replace(plan, tables={table.name: self._table_plan(table, received_at) for table in self._tables})
        plan.commit(self.checkpoint)
        self._shop.committed("plan")
        return plan

    def _table_plan(self, table: Silver, received_at: datetime) -> TablePlan:
        newest = self._newest[table.name]
        late_before = None
        if newest is not None and table.late_by is not None:
            late_before = min(newest, received_at) - parse_duration(table.late_by)
        version = tables.version(self._shop.lake.silver(table.name))
        return TablePlan(self._done.get(table.table, -1) + 1, version, late_before)

    def _take_bronze(self, batch: DataFrame, plan: Plan, app: str) -> tuple[Entry, set[int]]:
        """Keep the messages as they came; the Avro schemas that they name, too."""
        stamp = Stamp(f"{app}:bronze", plan.batch)
        messages = self._reading.messages(batch)
        if "key" not in messages.columns:
            messages = messages.withColumn("key", F.lit(None).cast("binary"))
        messages = messages.withColumn("batch", F.lit(plan.batch).cast("bigint"))
        columns = [*tables.spark_schema(self._reading.bronze).names, "key", "value", "received_at", "batch"]
        few = tables.held(messages.select(columns)) if self._reading.expected(plan.cut) <= FEW else None
        beside = [] if self._schemas is None else [schemas.met().alias("met")]
        met: set[int] = set()
        if few is not None:
            read, accepted = few.num_rows, tables.append_arrow(few, self._bronze, stamp)
            if self._schemas is not None:
                met = avro_schemas.met_in(few["value"])
        elif tables.committed(self._bronze, stamp):
            # The write is skipped, and with it what would have been counted in passing.
            [counted] = messages.agg(F.count(F.lit(1)).alias("rows"), *beside).collect()
            read, met = counted["rows"], schemas.told(counted.asDict().get("met", ""))
            accepted = tables.append(messages.select(columns), self._bronze, stamp)
        else:
            messages, passing = shaping.counted(messages, *beside)
            accepted = tables.append(messages.select(columns), self._bronze, stamp)
            read, met = passing.get["rows"], schemas.told(passing.get.get("met", ""))
        self._shop.committed(self._source.table)
        note = self._reading.verify(plan.cut, read)
        offsets = plan.cut if note is None else {**plan.cut, "note": note}
        entry = Entry(self._source.name, self._source.table, plan.batch, read, accepted, 0, 0, 0, None, offsets)
        return entry, met

    def _advance(  # noqa: PLR0913
        self, table: Silver, batch: int, plan: TablePlan, app: str, known: Mapping[int, str], *, few: bool = False
    ) -> Entry:
        """Take a silver table from the batch of bronze that it has to this one, by these Avro schemas if any."""
        bronze = tables.span(self._shop.spark, self._bronze, "batch", plan.since, batch)
        stamp = Stamp(f"{app}:{table.table}", batch)
        taken = self._few(table, bronze, plan, stamp, known) if few else None
        found, accepted = taken or self._many(table, bronze, plan, stamp, known)
        quarantined = self._set_aside(table, "quarantine", found.broken, plan, Stamp(app, batch))
        late = self._set_aside(table, "late", found.late, plan, Stamp(app, batch))
        if found.newest is not None:
            newest = self._newest[table.name]
            self._newest[table.name] = max(newest, found.newest) if newest else found.newest
        return Entry(
            self._source.name, table.table, batch, found.read, accepted, quarantined, found.repeats.num_rows, late,
            plan.late_before, {"bronze": [plan.since, batch]},
        )  # fmt: skip

    def _few(
        self, table: Silver, bronze: DataFrame, plan: TablePlan, stamp: Stamp, known: Mapping[int, str]
    ) -> tuple[verdict.Verdicts, int] | None:
        """Judge rows and write those that are accepted, with one answer of Spark's; none when it is too long."""
        rows, entered = self._shaped(table, bronze, known)
        asked, left = shaping.told(table, rows, self._reading.origin, *self._stamps(), whole=True)
        told = tables.held(asked)
        if told is None:
            return None
        shaping.none_lost(table, entered, left)
        whole = [name for name in told.column_names if name.startswith("c")]
        found = self._judged(table, told.drop_columns(whole), plan)
        if not found.accepted:
            return found, 0
        received = self._received(told, found)
        goes_in = np.ones(told.num_rows, dtype=bool)
        goes_in[found.left_out.to_numpy()] = False
        good = told.select(whole).rename_columns(tables.spark_schema(table.schema).names).filter(pa.array(goes_in))
        return found, self._appended(table, good, stamp, found, received)

    def _many(
        self, table: Silver, bronze: DataFrame, plan: TablePlan, stamp: Stamp, known: Mapping[int, str]
    ) -> tuple[verdict.Verdicts, int]:
        """Judge rows by what Spark tells of them, and have it write those that are accepted."""
        rows, entered = self._shaped(table, bronze, known)
        rows = rows.persist()
        try:
            asked, left = shaping.told(table, rows, self._reading.origin, *self._stamps())
            told = asked.toArrow()
            shaping.none_lost(table, entered, left)
            found = self._judged(table, told, plan)
            return found, self._write(table, rows, stamp, found, self._received(told, found))
        finally:
            rows.unpersist()

    def _shaped(self, table: Silver, bronze: DataFrame, known: Mapping[int, str]) -> tuple[DataFrame, Observation]:
        rows, entered = shaping.observed(self._parsed(bronze, known))
        return core_shaping.shaped(table, self._source, rows), entered

    def _stamps(self) -> list[Column]:
        """When each message was taken by whoever we read it from, where messages say so."""
        name = self._reading.stamp
        return [] if name is None else [F.unix_micros(f"_origin.`{name}`").alias("stamp")]

    def _received(self, told: pa.Table, found: verdict.Verdicts) -> int | None:
        """When the newest of the accepted rows was received, by its time."""
        at: int | None = None if found.newest_row is None else self._reading.received(told, found.newest_row)
        return at

    def _judged(self, table: Silver, told: pa.Table, plan: TablePlan) -> verdict.Verdicts:
        return verdict.judged(told, plan.late_before, lambda spans: self._recent(table, plan, spans))

    def _write(
        self, table: Silver, rows: DataFrame, stamp: Stamp, found: verdict.Verdicts, received: int | None
    ) -> int:
        if not found.accepted:
            return 0
        repeats, late = found.repeats.num_rows, found.late.num_rows
        good = rows.where(F.size("_rules") == 0)
        if repeats or late:
            others = self._shop.spark.createDataFrame(pa.concat_tables([found.repeats, found.late]))
            good = shaping.without(good, others, self._reading.origin)
        good = good.select(*tables.spark_schema(table.schema).names)
        few = tables.held(good) if found.accepted <= FEW else None
        return self._appended(table, good if few is None else few, stamp, found, received)

    def _appended(
        self, table: Silver, good: DataFrame | pa.Table, stamp: Stamp, found: verdict.Verdicts, received: int | None
    ) -> int:
        path = self._shop.lake.silver(table.name)
        counts = {
            "duplicate": found.repeats.num_rows, "broken": found.broken.num_rows, "late": found.late.num_rows
        }  # fmt: skip
        if received is not None:
            counts[changes.RECEIVED] = received
        append = tables.append_arrow if isinstance(good, pa.Table) else tables.append
        written = append(good, path, stamp, **counts)
        self._shop.committed(table.table)
        return written

    def _set_aside(self, table: Silver, what: str, rows: pa.Table, plan: TablePlan, stamp: Stamp) -> int:
        """Keep the messages of these rows in `quarantine` or `late`; how many the commit says there are."""
        if not rows.num_rows:
            return 0
        schema, path = {
            "quarantine": (quarantine.QUARANTINE, self._shop.lake.quarantine(self._shop.graph.name)),
            "late": (quarantine.LATE, self._shop.lake.late(self._shop.graph.name)),
        }[what]
        batch = pc.field("batch")
        bronze = tables.reader(self._bronze, (batch >= plan.since) & (batch <= stamp.batch))
        with quarantine.messages(bronze, rows, schema, table, self._source, self._reading.origin) as messages:
            kept = tables.append_arrow(messages, path, Stamp(f"{stamp.app}:{table.table}:{what}", stamp.batch))
        self._shop.committed(f"{table.table} {what}")
        return kept

    def _parsed(self, bronze: DataFrame, known: Mapping[int, str]) -> DataFrame:
        schema = tables.spark_schema(self._source.schema)
        columns = tables.arrow_schema(schema)
        avro = None if self._schemas is None else partial(decoder, columns, known)
        places = (*self._reading.origin, *([self._reading.stamp] if self._reading.stamp else []))
        origin = StructType([bronze.schema[name] for name in places])
        parsed = StructType([*schema]).add("received_at", "timestamp").add("_origin", origin).add("_broken", "string")
        read = bronze.select("value", "received_at", *places)
        return read.mapInArrow(parsing.parser(columns, places, avro), parsed)

    def _recent(self, table: Silver, plan: TablePlan, spans: list[verdict.Span]) -> pa.RecordBatchReader:
        """The keys of what silver held when the batch was planned, but those that are too old to be met again."""
        recent = pc.field(table.event_time) >= pc.scalar(plan.late_before)
        for span in spans:
            column = pc.field(table.unique[span.column])
            recent &= (column >= span.low) & (column <= span.high)
        columns = {f"u{at}": pc.field(name) for at, name in enumerate(table.unique)}
        return tables.reader(self._shop.lake.silver(table.name), recent, columns, plan.version)

    def _look_back(self) -> dict[str, int]:
        """The last batch that the ledger has of each table of this query; what was read before is remembered."""
        done: dict[str, int] = {}
        written: dict[str, int] = {}
        own = pc.field("query") == self._source.name
        for entry in self._shop.ledger.entries(own, "table", "batch", "accepted", "offsets"):
            done[entry["table"]] = max(entry["batch"], done.get(entry["table"], -1))
            if entry["accepted"]:
                written[entry["table"]] = max(entry["batch"], written.get(entry["table"], -1))
            if entry["table"] == self._source.table:
                self._reading.remember(json.loads(entry["offsets"]))
        if (done or tables.version(self._bronze) > 0) and not self.checkpoint.started:
            raise LakeMismatch(
                f"the lake holds what '{self._source.name}' has read, but not the note of how far it was",
                where=str(self.checkpoint.folder),
                do="Put that folder back, or use another lake with --lake: reading from the start again would "
                "give batches the numbers of others.",
            )
        self.checkpoint.claim(self._reading.identity)
        self.checkpoint.forget_what_no_batch_reads()
        for table, batch in written.items():
            self._hold_to(table, batch)
        return done

    def _hold_to(self, table: str, batch: int) -> None:
        """LakeDamaged when the log of a table has lost a batch that the ledger says it holds."""
        path, app = self._shop.lake.path(table), self.checkpoint.query
        name = "bronze" if path == self._bronze else table
        if (last := tables.last_batch(path, f"{app}:{name}")) < batch:
            raise LakeDamaged(
                f"the ledger says that {table} holds batch {batch}, and the table's log ends with batch {last}",
                where=str(path / "_delta_log"),
                do=PUT_BACK,
            )

    def _newest_in(self, table: Silver) -> datetime | None:
        if table.event_time is None:
            return None
        silver = self._shop.spark.read.format("delta").load(str(self._shop.lake.silver(table.name)))
        [row] = silver.agg(F.unix_micros(F.max(table.event_time)).alias("newest")).collect()
        return None if row.newest is None else instant(row.newest)

    def fill(self) -> Iterator[Entry]:
        """Bring tables that were added to the lake to where bronze is, some batches at a time."""
        if not self.checkpoint.started:
            return
        app = self.checkpoint.query
        for table in self._tables:
            for since, batch, received_at in self._missing(table):
                name = f"fill-{table.name}"
                beside = Checkpoint(self.checkpoint.folder / name)
                plan = Plan.of(beside, batch)
                if plan is None:
                    fixed = replace(self._table_plan(table, received_at), since=since)
                    plan = Plan(batch, received_at, None, {table.name: fixed})
                    plan.commit(beside)
                kept = {} if self._schemas is None else self._schemas.kept
                entry = self._advance(table, batch, plan.tables[table.name], app, kept)
                self._shop.ledger.write([entry], Stamp(f"{app}:{name}", batch))
                self._done[table.table] = batch
                yield entry

    def _missing(self, table: Silver) -> list[tuple[int, int, datetime]]:
        last = self._done.get(self._source.table, -1)
        first = self._done.get(table.table, -1) + 1
        if first > last:
            return []
        bronze = tables.span(self._shop.spark, self._bronze, "batch", first, last)
        sizes = bronze.groupBy("batch").agg(
            F.count(F.lit(1)).alias("rows"), F.max("received_at").cast("double").alias("at")
        )
        spans: list[tuple[int, int, datetime]] = []
        held, since = 0, first
        for row in sizes.orderBy("batch").collect():
            held += row.rows
            if held >= ROWS_PER_FILL or row.batch == last:
                spans.append((since, row.batch, datetime.fromtimestamp(row.at, UTC)))
                held, since = 0, row.batch + 1
        return spans
