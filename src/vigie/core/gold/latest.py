"""A gold table that keeps the last value of each key: the table itself is all that is remembered.

A row replaces the one that is held when its event time is later. So a batch that runs twice changes nothing, nor do
rows that come out of order.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vigie.arrow_types import all_nullable, arrow_schema
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, NotComputed, Read
from vigie.core.gold.settled import begun
from vigie.core.ledger import Entry
from vigie.core.notes import GoldPlan
from vigie.core.progress import NEVER
from vigie.core.reached import Journal
from vigie.core.run_context import RunContext
from vigie.core.user_function import made, not_computed
from vigie.errors import BadDeclaration
from vigie.graph import Gold

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class LatestTable:
    """One gold table of a pipeline; it follows silver commit by commit."""

    waits = ""

    def __init__(self, context: RunContext, engine: Engine, gold: Gold, journal: Journal) -> None:
        self._context, self._engine, self._gold, self._journal = context, engine, gold, journal
        silver = context.graph.silver_of(gold)
        self._silver, self._time = silver, str(silver.event_time)
        self._from, self._to = context.lake.silver(silver.name), context.lake.gold(gold.name)
        self._columns = arrow_schema(silver.schema)
        self._notes, self._plan, self._due = begun(context, gold)
        self._prepare()

    @property
    def table(self) -> str:
        return self._gold.table

    def _prepare(self) -> None:
        try:
            found = self._engine.evaluate(partial(_made, self._gold), self._columns.empty_table()).schema
        except NotComputed as problem:
            raise not_computed(self._gold, problem) from problem
        if owed := [name for name in (*self._gold.latest_by, self._time) if name not in found.names]:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives back rows without {', '.join(owed)}",
                where=str(self._gold.place),
                do="Keep those columns: they say whose value it is, and which is the last.",
            )
        tables.ensure(self._to, all_nullable(found), self._gold.table, self._context.graph.name)

    def is_due(self) -> bool:
        """Whether silver may have gained something: who looks at the last values wants them now."""
        return True

    def step(self) -> list[Entry] | None:
        """Bring the table to where silver is, for the first or the second time; none when silver gained nothing."""
        if not self._due:
            planned = self._planned()
            if planned is None:
                return None
            self._notes.commit(planned)
            self._context.committed(f"{self._gold.table} plan")
            self._plan, self._due = planned, True
        plan = self._plan
        assert plan is not None
        gained = Read(self._from, plan.reads[self._silver.table], frozenset(self._columns.names), self._time, None)
        try:
            read = self._engine.latest(partial(_made, self._gold), gained, plan.after, self._to, self._gold.latest_by)
        except NotComputed as problem:
            raise not_computed(self._gold, problem) from problem
        self._context.committed(self._gold.table)
        offsets = {"upto": plan.upto, "after": plan.after, "version": plan.reads[self._silver.table]}
        entry = Entry(self._gold.name, self._gold.table, plan.batch, read, offsets=offsets)
        self._context.ledger.write([entry], Stamp(self._gold.table, plan.batch))
        self._context.committed(f"{self._gold.table} ledger")
        self._due = False
        return [entry]

    def _planned(self) -> GoldPlan | None:
        before, newest = self._plan, self._journal.newest(self._silver.table)
        since = before.reads[self._silver.table] if before else -1
        if newest.batch < 0 or newest.version == since:
            return None
        number = before.batch + 1 if before else 0
        return GoldPlan(number, newest.batch, {self._silver.table: newest.version}, since, NEVER, 0, 0)


def _made(gold: Gold, rows: DataFrame) -> DataFrame:
    return made(gold, rows)
