"""A silver table that was added to a lake: it is brought to where bronze is, from the first message on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vigie.core.delta.tables import Stamp
from vigie.core.engine import Intake, Taken
from vigie.core.ingest.silver import SilverTable
from vigie.core.ledger import Entry
from vigie.core.notes import Notes, Plan
from vigie.core.reached import Journal
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.instants import EPOCH

ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Backfill:
    """What one table has yet to take of bronze, some batches together."""

    context: RunContext
    intake: Intake
    source: Source
    table: SilverTable
    journal: Journal
    schemas: Mapping[int, str]
    notes: Notes[Plan]

    def fill(self, name: str, missing: list[Taken]) -> Iterator[list[Entry]]:
        due = self.notes.newest()
        for group in _groups(missing, due.batch if due is not None else -1):
            last = group[-1].batch
            if due is None or due.batch != last:
                due = self._planned(last)
                self.notes.commit(due)
                self.context.committed(f"{self.table.address} plan")
            entry, reached = self.table.taken(due, self.intake.again(group), self.schemas)
            self.context.ledger.write([entry], Stamp(f"{name}:fill-{self.table.name}", last))
            self.context.committed(f"{self.table.address} ledger")
            self.journal.add(self.table.address, reached)
            yield [entry]

    def _planned(self, batch: int) -> Plan:
        """No partition is idle while what was read before is read again: none may go on without another."""
        idle = dict.fromkeys(self.source.there(None, Bounds(1, 1)).unread, False)
        return Plan(batch, EPOCH, None, None, None, idle, {self.table.name: self.table.planned(idle)})


def _groups(missing: list[Taken], due: int) -> Iterator[list[Taken]]:
    """Batches that are taken together: so many rows, and the same again when some of them are due."""
    together: list[Taken] = []
    for each in missing:
        together.append(each)
        if each.batch == due or (each.batch > due and sum(one.messages for one in together) >= ROWS_AT_ONCE):
            yield together
            together = []
    if together:
        yield together
