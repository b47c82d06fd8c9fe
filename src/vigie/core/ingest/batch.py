"""One batch, one pass: bronze, the silver tables that hang on it, what was set aside, and the ledger, in this order.

It may die between any two commits. The plan fixes all that could be answered differently the second time, and each
commit carries the batch's number, under which a table takes rows only once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie.arrow_types import INSTANT, arrow_schema
from vigie.core.engine import Engine
from vigie.core.ingest.verdict import ACCEPTED, BROKEN, LATE, REPEAT, Judged, judged
from vigie.core.notes import Notes, Plan, TablePlan
from vigie.core.progress import NEVER, Seen, seen
from vigie.core.source import Bounds, Source, Span
from vigie.duration import parse_duration
from vigie.engine import aside, parsing, shaping, tables
from vigie.engine.ledger import Entry, Ledger
from vigie.engine.tables import Stamp
from vigie.errors import RunFailed
from vigie.graph import Graph, Silver
from vigie.graph import Source as Declared
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FUTURE = 60_000_000  # microseconds that a message may be ahead of its receipt
AT_ONCE = 65_536  # messages that are parsed together
SEEN = "seen_until"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pipeline's tables are, what evaluates its functions, and who is told of each commit."""

    graph: Graph
    lake: Lake
    engine: Engine
    ledger: Ledger
    committed: Callable[[str], None] = lambda _name: None


class Ingest:
    """The batches of one source."""

    def __init__(self, place: Place, declared: Declared, source: Source, bounds: Bounds) -> None:
        self._place, self._declared, self._source, self._bounds = place, declared, source, bounds
        self._tables = [table for table in place.graph.silver if place.graph.source_of(table) is declared]
        self._fields = arrow_schema(declared.schema)
        self._bronze = place.lake.bronze(declared.name)
        self._notes = Notes(place.lake.vigie(place.graph.name) / "notes" / declared.name)
        self._prepare()
        self._plan = self._notes.newest()
        self._due = self._plan is not None and not self._is_in_the_ledger(self._plan.batch)
        self._progress = self._look_back()
        self._told: dict[str, Seen] = {}

    def _prepare(self) -> None:
        lake, owner = self._place.lake, self._place.graph.name
        tables.ensure(self._bronze, self._bronze_schema(), self._declared.table, owner)
        for table in self._tables:
            tables.ensure(lake.silver(table.name), self._silver_schema(table), table.table, owner)
        tables.ensure(lake.quarantine(owner), aside.QUARANTINE, "quarantine", owner)
        tables.ensure(lake.late(owner), aside.LATE, "late", owner)

    def _bronze_schema(self) -> pa.Schema:
        tail = [("key", pa.binary()), ("value", pa.binary()), ("received_at", INSTANT), ("batch", pa.int64())]
        return pa.schema([*self._source.origin, *tail])

    def _silver_schema(self, table: Silver) -> pa.Schema:
        own = arrow_schema(table.schema)
        return own.append(pa.field(SEEN, INSTANT)) if table.event_time else own

    def step(self, now: datetime | None = None) -> list[Entry] | None:
        """Take the batch that is due, or the next one; none when nothing is there.

        Whatever it dies of, the same batch is due when it is called again.
        """
        if not self._due:
            planned = self._planned(now or datetime.now(UTC))
            if planned is None:
                return None
            self._plan, self._due = planned, True
        plan = self._plan
        assert plan is not None
        messages = self._source.read(Span(plan.part, plan.after, plan.messages, is_all=False))
        entries = self._taken(plan, messages)
        self._place.ledger.write(entries, Stamp(self._declared.name, plan.batch))
        self._place.committed("ledger")
        self._progress = {name: seen.progress for name, seen in self._told.items()}
        self._due = False
        return entries

    def _planned(self, now: datetime) -> Plan | None:
        span = self._source.there(None if self._plan is None else self._plan.after, self._bounds)
        if span is None:
            return None
        silver = {
            table.name: TablePlan(
                tables.version(self._place.lake.silver(table.name)), self._progress.get(table.name, {})
            )
            for table in self._tables
        }
        number = 0 if self._plan is None else self._plan.batch + 1
        plan = Plan(number, now, span.part, span.after, span.messages, silver)
        self._notes.commit(plan)
        self._place.committed("plan")
        return plan

    def _taken(self, plan: Plan, messages: pa.Table) -> list[Entry]:
        received = pc.fill_null(messages["stamp"], pa.scalar(plan.received_at, INSTANT))
        messages = messages.append_column("received_at", received)
        batch = pa.repeat(pa.scalar(plan.batch, pa.int64()), messages.num_rows)
        bronze = messages.append_column("batch", batch).select(self._bronze_schema().names)
        app = self._declared.name
        accepted = tables.append_arrow(bronze, self._bronze, Stamp(f"{app}:bronze", plan.batch))
        self._place.committed(self._declared.table)
        entries = [Entry(app, self._declared.table, plan.batch, messages.num_rows, accepted, 0, 0, 0, None, plan.part)]
        parsed = self._parsed(messages)
        return entries + [self._advanced(table, plan, messages, bronze, parsed) for table in self._tables]

    def _parsed(self, messages: pa.Table) -> pa.Table:
        rows = pa.array(np.arange(messages.num_rows))
        read = messages.select(["value", "received_at"]).append_column("row", rows)
        parse = parsing.parser(self._fields, ("row",))
        return pa.Table.from_batches(list(parse(read.to_batches(AT_ONCE)))) if len(rows) else self._nothing()

    def _nothing(self) -> pa.Table:
        origin = pa.struct([("row", pa.int64())])
        tail = [("received_at", INSTANT), ("_origin", origin), ("_broken", pa.string())]
        return pa.schema([*self._fields, *tail]).empty_table()

    def _advanced(self, table: Silver, plan: Plan, messages: pa.Table, bronze: pa.Table, parsed: pa.Table) -> Entry:
        rows = self._shaped(table, parsed)
        times = _micros(rows[table.event_time]) if table.event_time else np.zeros(rows.num_rows, np.int64)
        broken = pc.greater(pc.list_value_length(rows["_rules"]), 0).to_numpy(zero_copy_only=False)
        told = self._seen(table, plan, messages, times, broken)
        found = self._judged(table, plan, rows, times, told, broken)
        accepted = self._append(table, plan, rows, told, found)
        quarantined = self._set_aside(table, plan, bronze, found.rows(BROKEN), rows["_rules"])
        late = self._set_aside(table, plan, bronze, found.rows(LATE), None)
        self._told[table.name] = told
        return Entry(
            self._declared.name, table.table, plan.batch, rows.num_rows, accepted, quarantined, found.count(REPEAT),
            late, None, {"bronze": [plan.batch, plan.batch], "progress": told.progress},
        )  # fmt: skip

    def _shaped(self, table: Silver, parsed: pa.Table) -> pa.Table:
        """What the table's function makes of each message, in the order of the messages."""

        def shape(rows: DataFrame) -> DataFrame:
            return shaping.shaped(table, self._declared, rows)

        made = self._place.engine.evaluate(shape, parsed)
        numbers = made["_origin"].combine_chunks().field("row").to_numpy()
        order = np.argsort(numbers, kind="stable")
        if not np.array_equal(numbers[order], np.arange(parsed.num_rows)):
            raise RunFailed(
                f"the function of silver table '{table.name}' was given {parsed.num_rows:,} rows and gave back "
                f"{made.num_rows:,}" + (", not the same ones" if made.num_rows == parsed.num_rows else ""),
                where=str(table.place),
                do="A silver function gives one row for each row: leave bad rows to `expect`, and counting to gold.",
            )
        return made.take(pa.array(order))

    def _seen(
        self, table: Silver, plan: Plan, messages: pa.Table, times: NDArray[np.int64], broken: NDArray[np.bool_]
    ) -> Seen:
        planned = plan.tables[table.name]
        received = _micros(messages["received_at"])
        credible = ~broken & (times <= received + FUTURE)
        partitions = messages["partition_id"].to_numpy(zero_copy_only=False)
        return seen(partitions, times, credible, planned.progress, planned.floor)

    def _judged(
        self,
        table: Silver,
        plan: Plan,
        rows: pa.Table,
        times: NDArray[np.int64],
        told: Seen,
        broken: NDArray[np.bool_],
    ) -> Judged:
        if table.event_time is None or table.late_by is None:
            until, watermark = np.full(len(times), NEVER), 0
        else:
            until, watermark = told.until, parse_duration(table.late_by) // timedelta(microseconds=1)
        keys = rows.select(list(table.unique)).rename_columns([f"u{at}" for at in range(len(table.unique))])

        def known(low: int, high: int) -> pa.Table:
            time = pc.field(table.event_time)
            within = (time >= _instant(low)) & (time <= _instant(high))
            columns = {f"u{at}": pc.field(name) for at, name in enumerate(table.unique)}
            columns["micros"] = time.cast(pa.int64())
            silver = self._place.lake.silver(table.name)
            return tables.reader(silver, within, columns, plan.tables[table.name].version).read_all()

        return judged(broken, times, until, watermark, keys, known)

    def _append(self, table: Silver, plan: Plan, rows: pa.Table, told: Seen, found: Judged) -> int:
        those = pa.array(found.rows(ACCEPTED))
        schema = self._silver_schema(table)
        good = rows.take(those).select(arrow_schema(table.schema).names)
        if table.event_time:
            until = told.until[found.rows(ACCEPTED)]
            good = good.append_column(SEEN, pa.array(until, INSTANT, mask=until == NEVER))
        if not good.num_rows:
            return 0
        counts = {
            "duplicate": found.count(REPEAT), "broken": found.count(BROKEN), "late": found.count(LATE)
        }  # fmt: skip
        stamp = Stamp(f"{self._declared.name}:{table.table}", plan.batch)
        written = tables.append_arrow(good.cast(schema), self._place.lake.silver(table.name), stamp, **counts)
        self._place.committed(table.table)
        return written

    def _set_aside(
        self, table: Silver, plan: Plan, bronze: pa.Table, which: NDArray[np.int64], rules: pa.ChunkedArray | None
    ) -> int:
        if not len(which):
            return 0
        graph, those = self._place.graph, pa.array(which)
        what = "late" if rules is None else "quarantine"
        schema = aside.LATE if rules is None else aside.QUARANTINE
        path = self._place.lake.late(graph.name) if rules is None else self._place.lake.quarantine(graph.name)
        taken = bronze.take(those)
        there = {name: taken[name] for name in taken.column_names}
        there |= {"table": pa.repeat(table.table, len(which)), "source": pa.repeat(self._declared.name, len(which))}
        if rules is not None:
            there["rules"] = rules.take(those)
        columns = [
            there[name] if name in there else pa.nulls(len(which), schema.field(name).type) for name in schema.names
        ]
        kept = tables.append_arrow(
            pa.table(columns, names=schema.names).cast(schema), path,
            Stamp(f"{self._declared.name}:{table.table}:{what}", plan.batch),
        )  # fmt: skip
        self._place.committed(f"{table.table} {what}")
        return kept

    def _is_in_the_ledger(self, batch: int) -> bool:
        return tables.last_batch(self._place.lake.ledger(self._place.graph.name), self._declared.name) >= batch

    def _look_back(self) -> dict[str, dict[str, int]]:
        """How far each partition had come for each table, as the ledger has it; the source is told what it has read."""
        last: dict[str, tuple[int, dict[str, int]]] = {}
        own = pc.field("query") == self._declared.name
        for entry in self._place.ledger.entries(own, "table", "batch", "offsets"):
            offsets = json.loads(entry["offsets"])
            if entry["table"] == self._declared.table:
                self._source.remember(offsets)
            elif entry["batch"] >= last.get(entry["table"], (-1, {}))[0]:
                last[entry["table"]] = entry["batch"], offsets["progress"]
        return {table.name: last[table.table][1] for table in self._tables if table.table in last}


def _micros(times: pa.ChunkedArray) -> NDArray[np.int64]:
    """Instants as microseconds; one that is missing is that of no row that is judged by its time."""
    return pc.fill_null(times.cast(INSTANT).cast(pa.int64()), NEVER).to_numpy()


def _instant(micros: int) -> pa.Scalar:
    return pa.scalar(micros, pa.int64()).cast(INSTANT)
