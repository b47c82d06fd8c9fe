"""A gold table of windows, or of rows beside earlier rows: given once, when nothing more can come for them.

Silver is all that is remembered: what closes is worked out from the rows in its span that are not late for the table.
Up to which moment rows are closed is told by the batches of silver, and so does not depend on how they were cut.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from vigie.arrow_types import all_nullable, arrow_schema
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, NotComputed, Read, TooLong, Work
from vigie.core.gold.windows import END, flat
from vigie.core.ingest.shaping import SEEN
from vigie.core.ingest.silver import reached_by
from vigie.core.ledger import Entry
from vigie.core.moments import moment
from vigie.core.notes import GoldPlan, Notes
from vigie.core.progress import NEVER
from vigie.core.reached import Journal, Reached
from vigie.core.run_context import RunContext
from vigie.core.user_function import made, not_computed
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
                do="Mend that line: `vigie check` says what an engine can compute.",
            ) from problem
        self._check_read(inputs[0])
        self._is_windowed = END in found.column_names
        self._closed_by = END if self._is_windowed else self._time
        if self._closed_by not in found.column_names:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives back rows without their event time, '{self._time}'",
                where=str(self._gold.place),
                do="Keep that column: it says when a row is settled.",
            )
        self._cuts = self._engine.windows(function, *inputs) if self._is_windowed else []
        self._looks_back = self._span() // MICROSECOND
        self._needs = [set(names) for names in self._engine.columns(function, *inputs)]
        if self._gold.last is not None:
            self._check_last(self._gold.last, inputs[0])
            self._needs[0] |= set(self._gold.last.key)
        tables.ensure(self._to, all_nullable(found.schema), self._gold.table, self._context.graph.name)

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
            self._given(plan)
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
        gained = self._read(self._reads, newest.version, set())
        read, late = self._engine.gained(gained, before.reads[self._reads.table] if before else -1, self._watermark)
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

    def _given(self, plan: GoldPlan) -> None:
        """Give the rows that are closed with this batch."""
        work = Work(
            partial(self._made, self._trained(plan.model)),
            self._read(self._reads, plan.reads[self._reads.table], self._needs[0]),
            self._watermark,
            [
                replace(self._read(each, plan.reads[each.table], needs), seen=None)
                for each, needs in zip(self._beside, self._needs[1:], strict=True)
            ],
            plan.after,
            plan.until,
            self._looks_back,
            self._gold.last,
            self._closed_by,
            self._is_windowed,
        )
        try:
            self._engine.give(work, self._to, Stamp(self._gold.table, plan.batch))
        except TooLong as problem:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives windows that are longer than it looks back, "
                f"{self._gold.looks_back}",
                where=str(self._gold.place),
                do="Raise looks_back.",
            ) from problem
        except NotComputed as problem:
            raise not_computed(self._gold, problem) from problem

    def _read(self, table: Silver | Gold, version: int, needs: set[str]) -> Read:
        silver = self._context.graph.silver_of(table) if isinstance(table, Gold) else table
        time = str(silver.event_time)
        seen = SEEN if isinstance(table, Silver) else None
        wanted = frozenset({*needs, time} if silver.event_time else needs)
        return Read(self._context.lake.path(table.table), version, wanted, time, seen)

    def _made(self, trained: tuple[Trained, ...], *rows: DataFrame) -> DataFrame:
        return flat(made(self._gold, *rows, *trained))

    def _trained(self, version: int | None) -> tuple[Trained, ...]:
        """The model that the table's function is given, if it is given one."""
        if self._models is None or self._gold.model is None:
            return ()
        return (Trained.of(self._models, version) if version is not None else Trained.none(self._gold.model.kinds[0]),)
