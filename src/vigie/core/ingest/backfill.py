"""A silver table that was added to a lake: it is brought to where bronze is, from the first message on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.ingest.silver import Messages, SilverTable, micros_in
from vigie.core.ledger import Entry
from vigie.core.notes import Notes, Plan
from vigie.core.reached import Journal
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.instants import instant

ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch that bronze holds: its number, which part of the source it was, and how many messages."""

    batch: int
    part: Any
    messages: int


@dataclass(frozen=True, slots=True)
class Backfill:
    """What one table has yet to take of bronze, some batches together."""

    context: RunContext
    bronze: Path
    source: Source
    table: SilverTable
    journal: Journal
    parsed: Callable[[pa.Table], pa.Table]
    notes: Notes[Plan]

    def fill(self, name: str, missing: list[Taken]) -> Iterator[list[Entry]]:
        due = self.notes.newest()
        for group in _groups(missing, due.batch if due is not None else -1):
            last = group[-1].batch
            if due is None or due.batch != last:
                due = self._planned(last)
                self.notes.commit(due)
                self.context.committed(f"{self.table.address} plan")
            messages = self._messages(group)
            entry, reached = self.table.taken(due, messages)
            self.context.ledger.write([entry], Stamp(f"{name}:fill-{self.table.name}", last))
            self.context.committed(f"{self.table.address} ledger")
            self.journal.add(self.table.address, reached)
            yield [entry]

    def _planned(self, batch: int) -> Plan:
        """No partition is idle while what was read before is read again: none may go on without another."""
        idle = dict.fromkeys(self.source.there(None, Bounds(1, 1)).unread, False)
        began = instant(0)
        assert began is not None
        return Plan(batch, began, None, None, None, idle, {self.table.name: self.table.planned(idle)})

    def _messages(self, group: list[Taken]) -> Messages:
        wanted = (pc.field("batch") >= group[0].batch) & (pc.field("batch") <= group[-1].batch)
        held = tables.reader(self.bronze, wanted).read_all()
        parts = []
        for each in group:
            rows = held.filter(pc.equal(held["batch"], each.batch))
            parts.append(self.source.in_order(each.part, rows))
        bronze = pa.concat_tables(parts)
        received = micros_in(bronze["received_at"])
        return Messages(bronze, self.source.partitions_of(bronze), received, received, self.parsed(bronze))


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
