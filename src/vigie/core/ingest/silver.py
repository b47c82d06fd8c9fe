"""A silver table: the verdict on each row of a batch, what is kept of them, and how far the table has come."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from vigie.arrow_types import INSTANT, arrow_schema
from vigie.core.delta import changes, tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Batch, Intake, Judged, NotComputed
from vigie.core.ingest.shaping import SEEN
from vigie.core.ingest.verdict import ACCEPTED, BROKEN, LATE, REPEAT
from vigie.core.ledger import Entry
from vigie.core.moments import moment
from vigie.core.notes import Plan, TablePlan
from vigie.core.progress import NEVER, least
from vigie.core.reached import Reached
from vigie.core.run_context import RunContext
from vigie.errors import RunFailed
from vigie.graph import Silver
from vigie.graph import Source as Declared


class SilverTable:
    """Takes the batches of its source, one after the other."""

    def __init__(self, context: RunContext, declared: Declared, table: Silver) -> None:
        self._context, self._declared, self._table = context, declared, table
        self.name, self.address = table.name, table.table
        self._path = context.lake.silver(table.name)
        self.progress: dict[str, int] = {}
        self.until = NEVER
        columns = arrow_schema(table.schema)
        if table.event_time:
            columns = columns.append(pa.field(SEEN, INSTANT))
        tables.ensure(self._path, columns, table.table, context.graph.name)

    def check(self, intake: Intake) -> None:
        """What is wrong with the function whatever rows come is found before any do."""
        try:
            intake.check(self._table)
        except NotComputed as problem:
            raise RunFailed(
                f"the function of {self.address} cannot be computed: {problem}",
                where=str(self._table.place),
                do="Mend that line: `vigie check` says what an engine can compute.",
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

    def taken(self, plan: Plan, batch: Batch, schemas: Mapping[int, str]) -> tuple[Entry, Reached]:
        """Judge a batch and keep what it is: accepted, broken, late; and how far the table has come with it."""
        planned = plan.tables[self.name]
        rows = batch.judged(self._table, planned, schemas)
        accepted, version = self._accepted(plan, rows)
        quarantined = self._set_aside(plan, rows, BROKEN)
        late = self._set_aside(plan, rows, LATE)
        self.progress = rows.progress
        known = {name: self.progress.get(name, NEVER) for name in plan.idle}
        self.until = max(planned.floor, least(known, plan.idle))
        is_quiet = all(plan.idle.values())
        offsets = {"progress": self.progress, "until": self.until, "version": version, "quiet": is_quiet}
        entry = Entry(
            self._declared.name, self.address, plan.batch, batch.count, accepted, quarantined, rows.count(REPEAT),
            late, None, offsets, moment(self.until),
        )  # fmt: skip
        return entry, reached_by(plan.batch, offsets)

    def _accepted(self, plan: Plan, rows: Judged) -> tuple[int, int]:
        """How many rows were accepted, and a version that the table has with them."""
        if not rows.count(ACCEPTED):
            return 0, tables.version(self._path)
        noted = {"duplicate": rows.count(REPEAT), "broken": rows.count(BROKEN), "late": rows.count(LATE)}
        if self._table.event_time:
            noted |= {changes.RECEIVED: rows.arrived, changes.FLOOR: plan.tables[self.name].floor}
        written = rows.accept(self._path, Stamp(f"{self._declared.name}:{self.address}", plan.batch), noted)
        self._context.committed(self.address)
        return written

    def _set_aside(self, plan: Plan, rows: Judged, verdict: int) -> int:
        if not rows.count(verdict):
            return 0
        lake, pipeline = self._context.lake, self._context.graph.name
        what, path = ("quarantine", lake.quarantine(pipeline)) if verdict == BROKEN else ("late", lake.late(pipeline))
        kept = rows.set_aside(verdict, path, Stamp(f"{self._declared.name}:{self.address}:{what}", plan.batch))
        self._context.committed(f"{self.address} {what}")
        return kept


def reached_by(batch: int, offsets: Mapping[str, object]) -> Reached:
    """Where a table stood after a batch, from what the ledger has of it."""
    version, until = offsets["version"], offsets["until"]
    assert isinstance(version, int)
    assert isinstance(until, int)
    return Reached(batch, version, until, bool(offsets["quiet"]))
