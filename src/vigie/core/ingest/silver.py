"""A silver table: its function over a batch's messages, the verdict on each row, and what is kept of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie import instants
from vigie.arrow_types import INSTANT, arrow_schema
from vigie.core.delta import changes, tables
from vigie.core.delta.snapshot import Within
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, NotComputed
from vigie.core.ingest import quarantine
from vigie.core.ingest.recent import RecentKeys
from vigie.core.ingest.shaping import shaped
from vigie.core.ingest.verdict import ACCEPTED, BROKEN, LATE, REPEAT, Judged, judged
from vigie.core.ledger import Entry
from vigie.core.notes import Plan, TablePlan
from vigie.core.progress import NEVER, Seen, least, seen
from vigie.core.reached import Reached
from vigie.core.run_context import RunContext
from vigie.duration import parse_duration
from vigie.errors import RunFailed
from vigie.graph import Silver
from vigie.graph import Source as Declared
from vigie.instants import MICROSECOND

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SEEN = "seen_until"
COMPUTED = "cannot be computed"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of a batch as they came, in the order of their partitions, and as they were parsed."""

    bronze: pa.Table
    partitions: pa.Array | pa.ChunkedArray
    received: NDArray[np.int64]
    arrived: NDArray[np.int64]
    parsed: pa.Table


class SilverTable:
    """Takes the batches of its source, one after the other."""

    def __init__(self, context: RunContext, engine: Engine, declared: Declared, table: Silver) -> None:
        self._context, self._engine, self._declared, self._table = context, engine, declared, table
        self.name, self.address = table.name, table.table
        self._path = context.lake.silver(table.name)
        self._columns = arrow_schema(table.schema)
        self._schema = self._columns.append(pa.field(SEEN, INSTANT)) if table.event_time else self._columns
        self._ahead = parse_duration(declared.future) // MICROSECOND  # that a message may be of its receipt
        self._watermark = None if table.late_by is None else parse_duration(table.late_by) // MICROSECOND
        self._recent = RecentKeys(self._read_keys)
        self.progress: dict[str, int] = {}
        self.until = NEVER
        tables.ensure(self._path, self._schema, table.table, context.graph.name)
        self._check()

    def _check(self) -> None:
        """What is wrong with the function whatever rows come is found before any do."""
        try:
            self._evaluated(nothing(arrow_schema(self._declared.schema)))
        except NotComputed as problem:
            raise RunFailed(
                f"the function of {self.address} cannot be computed: {problem}",
                where=str(self._table.place),
                do="Mend that line, or name another engine that knows it with --engine.",
            ) from problem

    def planned(self, idle: dict[str, bool]) -> TablePlan:
        """How the next batch is judged."""
        return TablePlan(tables.version(self._path), self.progress, self.floor(idle))

    def floor(self, idle: dict[str, bool]) -> int:
        """What gold was told may be given is behind every row that comes after."""
        return max(self.until, least({name: self.progress.get(name, NEVER) for name in idle}, idle))

    def recall(self, progress: dict[str, int], until: int) -> None:
        """Go on from what the ledger has of the last batch."""
        self.progress, self.until = progress, until

    def taken(self, plan: Plan, messages: Messages) -> tuple[Entry, Reached]:
        """Judge a batch and keep what it is: accepted, broken, late; and how far the table has come with it."""
        planned = plan.tables[self.name]
        rows = self._shaped(messages.parsed)
        broken = pc.greater(pc.list_value_length(rows["_rules"]), 0).to_numpy(zero_copy_only=False)
        times = self._times(rows)
        told = self._seen(planned, messages, times, broken)
        found = self._judged(plan, rows, times, told, broken)
        accepted, version = self._append(plan, rows, messages, told, found)
        quarantined = self._set_aside(plan, messages.bronze, found.rows(BROKEN), rows["_rules"])
        late = self._set_aside(plan, messages.bronze, found.rows(LATE), None)
        self.progress = told.progress
        known = {name: self.progress.get(name, NEVER) for name in plan.idle}
        self.until = max(planned.floor, least(known, plan.idle))
        self._remember(plan.batch, rows, times, found.rows(ACCEPTED))
        is_quiet = all(plan.idle.values())
        offsets = {"progress": self.progress, "until": self.until, "version": version, "quiet": is_quiet}
        entry = Entry(
            self._declared.name, self.address, plan.batch, rows.num_rows, accepted, quarantined, found.count(REPEAT),
            late, None, offsets, moment(self.until),
        )  # fmt: skip
        return entry, reached_by(plan.batch, offsets)

    def _shaped(self, parsed: pa.Table) -> pa.Table:
        """What the table's function makes of each message, in the order of the messages."""
        made = self._evaluated(parsed)
        numbers = made["_origin"].combine_chunks().field("row").to_numpy()
        order = np.argsort(numbers, kind="stable")
        if not np.array_equal(numbers[order], np.arange(parsed.num_rows)):
            raise RunFailed(
                f"the function of silver table '{self.name}' was given {parsed.num_rows:,} rows and gave back "
                f"{made.num_rows:,}" + (", not the same ones" if made.num_rows == parsed.num_rows else ""),
                where=str(self._table.place),
                do="A silver function gives one row for each row: leave bad rows to `expect`, and counting to gold.",
            )
        return made.take(pa.array(order))

    def _evaluated(self, parsed: pa.Table) -> pa.Table:
        """The rows in no order. Where the function raises, what it was given is halved until the row stands alone."""

        def shape(rows: DataFrame) -> DataFrame:
            return shaped(self._table, self._declared, rows)

        try:
            return self._engine.evaluate(shape, parsed)
        except NotComputed as problem:
            if not parsed.num_rows:
                raise
            if parsed.num_rows == 1:
                log.warning("%s: a row cannot be computed, and goes to quarantine: %s", self.address, problem)
                return self._not_computed(parsed, str(problem))
            middle = parsed.num_rows // 2
            return pa.concat_tables([self._evaluated(parsed.slice(0, middle)), self._evaluated(parsed.slice(middle))])

    def _not_computed(self, row: pa.Table, why: str) -> pa.Table:
        """A row that the function raises on, as one that breaks a rule; what is no JSON breaks that rule already."""
        unread = row["_broken"][0].as_py()
        rules = [[unread] if unread is not None else [COMPUTED, why]]
        columns = [pa.nulls(1, kind) for kind in self._columns.types]
        return pa.table(
            [*columns, row["_origin"], pa.array(rules, pa.list_(pa.string()))],
            names=[*self._columns.names, "_origin", "_rules"],
        )

    def _times(self, rows: pa.Table) -> NDArray[np.int64]:
        if self._table.event_time is None:
            return np.full(rows.num_rows, NEVER)
        return micros_in(rows[self._table.event_time])

    def _seen(
        self, planned: TablePlan, messages: Messages, times: NDArray[np.int64], broken: NDArray[np.bool_]
    ) -> Seen:
        credible = ~broken & (times <= messages.received + self._ahead)
        return seen(messages.partitions, times, credible, planned.progress, planned.floor)

    def _judged(
        self, plan: Plan, rows: pa.Table, times: NDArray[np.int64], told: Seen, broken: NDArray[np.bool_]
    ) -> Judged:
        if self._watermark is None:
            until, watermark = np.full(len(times), NEVER), 0
        else:
            until, watermark = told.until, self._watermark

        def known(keys: pa.Table, low: int, high: int) -> pa.Table:
            return self._recent.like(keys, low, high, plan.batch, plan.tables[self.name].version)

        return judged(broken, times, until, watermark, self._keys(rows), known)

    def _keys(self, rows: pa.Table) -> pa.Table:
        return rows.select(list(self._table.unique)).rename_columns([f"u{at}" for at in range(len(self._table.unique))])

    def _read_keys(self, low: int, high: int, version: int) -> pa.Table:
        time = pc.field(self._table.event_time)
        columns = {f"u{at}": pc.field(name) for at, name in enumerate(self._table.unique)}
        columns["micros"] = time.cast(pa.int64())
        wanted = (time >= instant(low)) & (time <= instant(high))
        within = Within(str(self._table.event_time), low, high)
        return tables.reader(self._path, wanted, columns, version, within).read_all()

    def _remember(self, batch: int, rows: pa.Table, times: NDArray[np.int64], accepted: NDArray[np.int64]) -> None:
        """What was accepted may be repeated. No row that is still to come is from so long ago that it is not late, and
        repeats none from a watermark before that."""
        if not self._table.unique or self._watermark is None:
            return
        keys = self._keys(rows).take(pa.array(accepted)).append_column("micros", pa.array(times[accepted]))
        self._recent.accepted(batch, keys, self.until - 2 * self._watermark if self.until != NEVER else NEVER)

    def _append(self, plan: Plan, rows: pa.Table, messages: Messages, told: Seen, found: Judged) -> tuple[int, int]:
        """How many rows were accepted, and a version that the table has with them."""
        which = found.rows(ACCEPTED)
        if not len(which):
            return 0, tables.version(self._path)
        good = rows.take(pa.array(which)).select(self._columns.names)
        counts = {"duplicate": found.count(REPEAT), "broken": found.count(BROKEN), "late": found.count(LATE)}
        if self._table.event_time:
            newest = which[np.argmax(self._times(rows)[which])]
            counts[changes.RECEIVED] = int(messages.arrived[newest])
            counts[changes.FLOOR] = plan.tables[self.name].floor
            until = told.until[which]
            good = good.append_column(SEEN, pa.array(until, INSTANT, mask=until == NEVER))
        stamp = Stamp(f"{self._declared.name}:{self.address}", plan.batch)
        written = tables.appended(good.cast(self._schema), self._path, stamp, **counts)
        self._context.committed(self.address)
        return written

    def _set_aside(self, plan: Plan, bronze: pa.Table, which: NDArray[np.int64], rules: pa.ChunkedArray | None) -> int:
        if not len(which):
            return 0
        lake, pipeline, those = self._context.lake, self._context.graph.name, pa.array(which)
        what = "late" if rules is None else "quarantine"
        schema = quarantine.LATE if rules is None else quarantine.QUARANTINE
        taken = bronze.take(those)
        there = {name: taken[name] for name in taken.column_names}
        there |= {"table": pa.repeat(self.address, len(which)), "source": pa.repeat(self._declared.name, len(which))}
        if rules is not None:
            there["rules"] = rules.take(those)
        columns = [
            there[name] if name in there else pa.nulls(len(which), schema.field(name).type) for name in schema.names
        ]
        path = lake.late(pipeline) if rules is None else lake.quarantine(pipeline)
        stamp = Stamp(f"{self._declared.name}:{self.address}:{what}", plan.batch)
        kept = tables.append_arrow(pa.table(columns, names=schema.names).cast(schema), path, stamp)
        self._context.committed(f"{self.address} {what}")
        return kept


def nothing(fields: pa.Schema) -> pa.Table:
    """No messages, parsed."""
    origin = pa.struct([("row", pa.int64())])
    tail = [("received_at", INSTANT), ("_origin", origin), ("_broken", pa.string())]
    return pa.schema([*fields, *tail]).empty_table()


def reached_by(batch: int, offsets: Mapping[str, object]) -> Reached:
    """Where a table stood after a batch, from what the ledger has of it."""
    version, until = offsets["version"], offsets["until"]
    assert isinstance(version, int)
    assert isinstance(until, int)
    return Reached(batch, version, until, bool(offsets["quiet"]))


def micros_in(times: pa.ChunkedArray) -> NDArray[np.int64]:
    """Instants as microseconds; one that is missing is that of no row that is judged by its time."""
    found: NDArray[np.int64] = pc.fill_null(times.cast(INSTANT).cast(pa.int64()), NEVER).to_numpy()
    return found


def instant(micros: int) -> pa.Scalar:
    return pa.scalar(micros, pa.int64()).cast(INSTANT)


def moment(micros: int) -> datetime | None:
    """As a person reads it; none before anything began, or before the first instant that has a name."""
    return None if micros < instants.FIRST else instants.instant(micros)


def tables_of(context: RunContext, engine: Engine, declared: Declared) -> Iterator[SilverTable]:
    """The silver tables that hang on a source."""
    for table in context.graph.silver:
        if context.graph.source_of(table) is declared:
            yield SilverTable(context, engine, declared, table)
