"""A gold table of windows, or of rows beside earlier rows: given once, when nothing more can come for them.

Silver is all that is remembered: what closes is worked out from the rows in its span that are not late for the table.
Up to which moment rows are closed is told by the batches of silver, and so does not depend on how they were cut.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import arrow_schema
from vigie.core import scratch
from vigie.core.delta import changes, tables
from vigie.core.delta.snapshot import Snapshot, Within
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, NotComputed
from vigie.core.gold.carried import Carried
from vigie.core.ingest.silver import SEEN, instant, moment, reached_by
from vigie.core.ledger import Entry
from vigie.core.notes import GoldPlan, Notes
from vigie.core.progress import NEVER
from vigie.core.reached import Journal, Reached
from vigie.core.run_context import RunContext
from vigie.core.user_function import made
from vigie.core.whole import check_notes, check_table
from vigie.duration import parse_duration
from vigie.errors import BadDeclaration, LakeDamaged, RequestError
from vigie.graph import Gold, Last, Silver
from vigie.instants import MICROSECOND
from vigie.lake import opened
from vigie.models import Models, Trained

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

AT_ONCE = 500_000  # rows that the function is given together
START, END = "window_start", "window_end"


def begun(context: RunContext, gold: Gold) -> tuple[Notes[GoldPlan], GoldPlan | None, bool]:
    """The notes of a gold table, its newest plan, and whether that is still to be done."""
    lake, name = context.lake, context.graph.name
    folder = lake.notes(name) / gold.table.replace("/", ".")
    notes = Notes(folder, GoldPlan)
    plan, written = notes.newest(), tables.last_batch(lake.ledger(name), gold.table)
    check_notes(folder, gold.table, planned=-1 if plan is None else plan.batch, written=written)
    if plan is not None:
        check_table(lake.gold(gold.name), gold.table, known=0)
    return notes, plan, plan is not None and plan.batch > written


class SettledTable:
    """One gold table of a pipeline. A model that it is given may come later: before that it is an empty table."""

    def __init__(self, context: RunContext, engine: Engine, gold: Gold, journal: Journal) -> None:
        self._context, self._engine, self._gold, self._journal = context, engine, gold, journal
        graph, lake = context.graph, context.lake
        self._reads = graph.read_by(gold)
        self._from, self._to = lake.path(self._reads.table), lake.gold(gold.name)
        self._beside = graph.beside(gold)
        self._time = str(graph.silver_of(gold).event_time)
        self._watermark = parse_duration(str(gold.late_by)) // MICROSECOND
        self._models = Models(lake, graph.name) if gold.model else None
        self._carried = Carried(gold.last, self._time) if gold.last else None
        self._notes, self._plan, self._due = begun(context, gold)
        self._prepare()
        if self._plan is not None and not self._due:
            journal.add(gold.table, reached_by(self._plan.batch, self._stands(self._plan)))

    @property
    def table(self) -> str:
        return self._gold.table

    @property
    def waits(self) -> str:
        """What it waits for before it can begin, or what it reads does; nothing for most."""
        name = self._context.graph.name
        read: Silver | Gold = self._gold
        while isinstance(read, Gold):
            if read.model is not None and Models(self._context.lake, name).in_use is None:
                return f"a model: vigie train {name}"
            read = self._context.graph.read_by(read)
        return ""

    def _prepare(self) -> None:
        inputs = [self._schema(each) for each in (self._reads, *self._beside)]
        self._examined = self._models.in_use if self._models else None
        function = partial(self._made, self._trained(self._examined))
        try:
            found = self._engine.evaluate(function, *(schema.empty_table() for schema in inputs))
        except NotComputed as problem:
            raise BadDeclaration(
                f"the function of gold table '{self._gold.name}' cannot be computed: {problem}",
                where=str(self._gold.place),
                do="Mend that line, or name another engine that knows it with --engine.",
            ) from problem
        self._check_read(inputs[0])
        self._is_windowed = END in found.column_names
        self._settled_by = END if self._is_windowed else self._time
        if self._settled_by not in found.column_names:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives back rows without their event time, '{self._time}'",
                where=str(self._gold.place),
                do="Keep that column: it says when a row is settled.",
            )
        self._cuts = self._engine.windows(function, *inputs) if self._is_windowed else []
        self._looks_back = self._span() // MICROSECOND
        self._needs = [{*names, self._time} for names in self._engine.columns(function, *inputs)]
        if self._gold.last is not None:
            self._check_last(self._gold.last, inputs[0])
            self._needs[0] |= set(self._gold.last.key)
        tables.ensure(self._to, _nullable(found.schema), self._gold.table, self._context.graph.name)
        self._columns = Snapshot(self._to).schema

    def _check_read(self, rows: pa.Schema) -> None:
        if isinstance(self._reads, Gold) and END in rows.names:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' reads '{self._reads.name}', which gives windows: they appear when "
                "their time is long settled, and some of them would not be given",
                where=str(self._gold.place),
                do="Read the table that those windows are worked out from.",
            )

    def _check_last(self, last: Last, rows: pa.Schema) -> None:
        if missing := [name for name in last.key if name not in rows.names]:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' looks back at the last rows of each {', '.join(missing)}, which "
                f"'{self._reads.table}' does not have",
                where=str(self._gold.place),
                do=f"It has: {', '.join(rows.names)}.",
            )
        if self._is_windowed:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives windows, and would be given the last rows of each key alone",
                where=str(self._gold.place),
                do='A window is worked out from all its rows: give the span alone, looks_back="5 minutes".',
            )

    def _span(self) -> timedelta:
        if self._gold.looks_back is not None:
            return parse_duration(self._gold.looks_back)
        if not self._cuts:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' has windows whose length is not to be seen",
                where=str(self._gold.place),
                do="Cut time by F.window with a length that is written there, or say how far it looks_back.",
            )
        return max(cut.length for cut in self._cuts)

    def _schema(self, table: Silver | Gold) -> pa.Schema:
        if isinstance(table, Silver):
            return arrow_schema(table.schema)
        return pa.schema(opened(self._context.lake.gold(table.name)).schema().to_arrow())

    def is_due(self) -> bool:
        """Whether anything closes by now: what closes later may as well be read and counted then."""
        after, until = self._plan.until if self._plan else NEVER, self._until()
        if self._due or after == NEVER or not self._cuts:
            return self._due or until > after
        return any(cut.ends_between(after, until) for cut in self._cuts)

    def step(self) -> list[Entry] | None:
        """Give what is closed by now; none when nothing has come since. The same batch is due after a failure."""
        is_resumed = self._due
        if not self._due:
            if self.waits:
                return None
            planned = self._planned()
            if planned is None:
                return None
            self._notes.commit(planned)
            self._context.committed(f"{self._gold.table} plan")
            self._plan, self._due = planned, True
        plan = self._plan
        assert plan is not None
        is_given = is_resumed and tables.last_batch(self._to, self._gold.table) >= plan.batch
        if plan.until > plan.after and not is_given:
            plan = self._plan = self._with_a_model(plan)
            tables.append_arrow(self._closed(plan), self._to, Stamp(self._gold.table, plan.batch))
        if plan.until > plan.after:
            self._context.committed(self._gold.table)
        stands = self._stands(plan)
        offsets = {"upto": plan.upto, **stands}
        entry = Entry(
            self._gold.name, self._gold.table, plan.batch, plan.read, late=plan.late, offsets=offsets,
            progress=moment(plan.until),
        )  # fmt: skip
        self._context.ledger.write([entry], Stamp(self._gold.table, plan.batch))
        self._context.committed(f"{self._gold.table} ledger")
        self._due = False
        self._journal.add(self._gold.table, reached_by(plan.batch, stands))
        return [entry]

    def _stands(self, plan: GoldPlan) -> dict[str, object]:
        """Where the table is after a batch, as the ledger has it."""
        return {"version": tables.version(self._to), "until": plan.until, "quiet": False}

    def _planned(self) -> GoldPlan | None:
        before, until = self._plan, self._until()
        newest = self._journal.newest(self._reads.table)
        after = before.until if before else NEVER
        if newest.batch <= (before.upto if before else -1) and until <= after:
            return None
        read, late = self._counted(before.reads[self._reads.table] if before else -1, newest.version)
        number, reads = before.batch + 1 if before else 0, {self._reads.table: newest.version}
        for each, reached in self._reached_beside():
            there = reached.batch >= 0
            reads[each.table] = reached.version if there else tables.version(self._context.lake.path(each.table))
        model = self._models.in_use if self._models else None
        self._examine(model)
        return GoldPlan(number, newest.batch, reads, after, max(until, after), read, late, model)

    def _until(self) -> int:
        """Up to which moment all is closed by now, in what it reads and in what stands beside it."""
        beside = [reached for _, reached in self._reached_beside() if reached.batch >= 0 and not reached.is_quiet]
        least = min(each.until for each in (self._journal.newest(self._reads.table), *beside))
        return NEVER if least == NEVER else least - self._watermark

    def _reached_beside(self) -> list[tuple[Silver, Reached]]:
        return [(each, self._journal.newest(each.table)) for each in self._beside]

    def _examine(self, model: int | None) -> None:
        """RequestError, or LakeDamaged, when a model cannot predict from the rows that it would be given."""
        if model is None or model == self._examined:
            return
        inputs = [self._schema(each) for each in (self._reads, *self._beside)]
        function = partial(self._made, self._trained(model))
        self._engine.evaluate(function, *(schema.empty_table() for schema in inputs))
        self._examined = model

    def _with_a_model(self, plan: GoldPlan) -> GoldPlan:
        """The plan of a batch of which nothing is given yet; with the model in use where its own cannot predict."""
        try:
            self._examine(plan.model)
        except (LakeDamaged, RequestError) as problem:
            in_use = self._models.in_use if self._models else None
            if in_use is None or in_use == plan.model:
                raise
            log.warning("%s: %s; model %s takes its place", self._gold.table, problem.what, in_use)
            plan = msgspec.structs.replace(plan, model=in_use)
            self._examine(in_use)
            self._notes.commit(plan)
        return plan

    def _counted(self, after: int, version: int) -> tuple[int, int]:
        """How many rows came after a version, and how many of them too late for this table."""
        if after < 0:
            rows = tables.reader(self._from, None, self._judged_by(), version).read_all()
        elif version == after or (gain := changes.gained(self._from, after, 2**62, version)) is None:
            return 0, 0
        else:
            names = [*self._judged_by()]
            schema = pa.schema([(name, instant(0).type) for name in names])
            rows = changes.rows_of(self._from, gain, names, schema)
        if SEEN not in rows.column_names:
            return rows.num_rows, 0
        behind = pc.subtract(rows[SEEN].cast(pa.int64()), self._watermark)
        late = pc.sum(pc.less(rows[self._time].cast(pa.int64()), behind)).as_py()
        return rows.num_rows, int(late or 0)

    def _judged_by(self) -> dict[str, pc.Expression]:
        names = [self._time, SEEN] if isinstance(self._reads, Silver) else [self._time]
        return {name: pc.field(name) for name in names}

    def _closed(self, plan: GoldPlan) -> pa.Table:
        """The rows that are closed with this batch, worked out a bounded part at a time."""
        trained = self._trained(plan.model)
        lake, version = self._context.lake, plan.reads[self._reads.table]
        beside = [
            _whole(Snapshot(lake.path(each.table), plan.reads[each.table]), needs | {str(each.event_time)})
            for each, needs in zip(self._beside, self._needs[1:], strict=True)
        ]
        schema = self._columns
        parts = [schema.empty_table()]
        for after, until in self._spans(plan):
            rows = self._rows(version, after, until)
            found = self._engine.evaluate(partial(self._made, trained), rows, *beside)
            parts.append(self._closing(found, after, until).select(schema.names).cast(schema))
        return pa.concat_tables(parts)

    def _spans(self, plan: GoldPlan) -> Iterator[tuple[int, int]]:
        """The batch's span of time, in parts that hold about so many rows."""
        read = Snapshot(self._from, plan.reads[self._reads.table])
        since, cuts = self._since(plan.after), list[int]()
        within = Within(self._time, since, plan.until)
        parts = -(-read.most_rows(within) // AT_ONCE)
        if parts > 1:
            moment = {"moment": pc.field(self._time).cast(pa.int64())}
            moments = read.reader(_between(self._time, since, plan.until), moment, within).read_all()
            with scratch.database() as database:
                database.register("moments", moments)
                shares = [at / parts for at in range(1, parts)]
                [(found,)] = database.execute("SELECT quantile_disc(moment, $1) FROM moments", [shares]).fetchall()
                cuts = [cut for cut in sorted(set(found or [])) if plan.after < cut < plan.until]
        bounds = [plan.after, *cuts, plan.until]
        yield from zip(bounds[:-1], bounds[1:], strict=True)

    def _since(self, after: int) -> int:
        """From where on rows are read of which the table is worked out after a moment."""
        return NEVER if after == NEVER else after - (0 if self._carried else self._looks_back)

    def _rows(self, version: int, after: int, until: int) -> pa.Table:
        """The rows that what closes in a span is worked out from: those of them that were not late."""
        read = Snapshot(self._from, version)
        rows = self._in_time(read, self._since(after), until).read_all()
        if self._carried is None:
            return rows

        def span_before() -> Iterator[pa.Table]:
            reader = self._in_time(read, after - self._looks_back, after)
            return (pa.Table.from_batches([batch]) for batch in reader if batch.num_rows)

        before = [] if after == NEVER else self._carried.before(after, span_before)
        rows = pa.concat_tables([*before, rows])
        self._carried.leave(until, rows, until - self._looks_back)
        return rows

    def _in_time(self, read: Snapshot, since: int, until: int) -> pa.RecordBatchReader:
        """The rows from one moment to another, which is not one of them, that were not late for the table."""
        wanted = _between(self._time, since, until)
        if isinstance(self._reads, Silver):
            seen = pc.field(SEEN).cast(pa.int64())
            in_time = pc.field(self._time).cast(pa.int64()) >= seen - pc.scalar(self._watermark)
            wanted = wanted & (pc.field(SEEN).is_null() | in_time)
        return read.reader(wanted, _named(read, self._needs[0]), Within(self._time, since, until))

    def _closing(self, found: pa.Table, after: int, until: int) -> pa.Table:
        """What closed after one moment and up to another; a row of its own is closed once nothing older can come."""
        moments = pc.fill_null(found[self._settled_by].cast(instant(0).type).cast(pa.int64()), until).to_numpy()
        is_closed = (
            (moments > after) & (moments <= until) if self._is_windowed else (moments >= after) & (moments < until)
        )
        if self._is_windowed:
            self._check_whole(found)
        return found.filter(pa.array(is_closed, pa.bool_()))

    def _check_whole(self, windows: pa.Table) -> None:
        if START not in windows.column_names or not windows.num_rows:
            return
        ends, starts = (windows[name].cast(instant(0).type).cast(pa.int64()).to_numpy() for name in (END, START))
        if int(np.max(ends - starts)) > self._looks_back:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives windows that are longer than it looks back, "
                f"{self._gold.looks_back}",
                where=str(self._gold.place),
                do="Raise looks_back.",
            )

    def _made(self, trained: tuple[Trained, ...], *rows: DataFrame) -> DataFrame:
        return flat(made(self._gold, *rows, *trained))

    def _trained(self, version: int | None) -> tuple[Trained, ...]:
        """The model that the table's function is given, if it is given one."""
        if self._models is None or self._gold.model is None:
            return ()
        return (Trained.of(self._models, version) if version is not None else Trained.none(self._gold.model.kinds[0]),)


def flat(rows: DataFrame) -> DataFrame:
    """`window` as two columns, which every reader understands."""
    from pyspark.sql import functions as F

    if "window" not in rows.columns:
        return rows
    bounds = [F.col("window.start").alias(START), F.col("window.end").alias(END)]
    return rows.select(*bounds, *(name for name in rows.columns if name != "window"))


def _between(time: str, since: int, until: int) -> pc.Expression:
    wanted = pc.field(time) < instant(until)
    return wanted if since == NEVER else wanted & (pc.field(time) >= instant(since))


def _whole(table: Snapshot, needs: set[str]) -> pa.Table:
    return table.reader(None, _named(table, needs)).read_all()


def _named(table: Snapshot, needs: set[str]) -> dict[str, pc.Expression]:
    return {name: pc.field(name) for name in table.schema.names if name in needs}


def _nullable(schema: pa.Schema) -> pa.Schema:
    """As a table keeps it: every column may be missing, and instants are in microseconds, UTC."""
    return pa.schema([pa.field(field.name, field.type) for field in schema])
