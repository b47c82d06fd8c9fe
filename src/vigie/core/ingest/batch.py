"""One batch, one pass: bronze, the silver tables that hang on it, what was set aside, and the ledger, in this order.

It may die between any two commits. The plan fixes all that could be answered differently the second time, and each
commit carries the batch's number, under which a table takes rows only once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow.compute as pc

from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, Taken
from vigie.core.ingest import quarantine
from vigie.core.ingest.avro_schemas import Schemas
from vigie.core.ingest.backfill import Backfill
from vigie.core.ingest.silver import SilverTable, reached_by
from vigie.core.ledger import Entry
from vigie.core.notes import Notes, Plan
from vigie.core.reached import Journal
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source, Span, bronze_of
from vigie.core.whole import check_commits, check_notes, check_table, check_unfilled, claim
from vigie.graph import Source as Declared
from vigie.instants import MICROSECOND, micros

IDLE = timedelta(minutes=1)  # since its newest message came, and a partition holds no window back


class Ingest:
    """The batches of one source."""

    def __init__(  # noqa: PLR0913
        self,
        context: RunContext,
        engine: Engine,
        declared: Declared,
        source: Source,
        bounds: Bounds,
        journal: Journal,
        *,
        schemas: Schemas | None = None,
    ) -> None:
        self._context, self._declared, self._source, self._schemas = context, declared, source, schemas
        self._journal = journal
        self._intake = engine.intake(context, declared, source, bounds, schemas.kept if schemas else None)
        self._bronze = context.lake.bronze(declared.name)
        folder = context.lake.notes(context.graph.name) / declared.name
        self._notes = Notes(folder, Plan)
        self._plan = self._notes.newest()
        written = tables.last_batch(context.lake.ledger(context.graph.name), declared.name)
        self._check(folder, written)
        self._due = self._plan is not None and self._plan.batch > written
        claim(folder / "reads", source.identity)
        self._prepare()
        self._tables = [SilverTable(context, declared, table) for table in context.graph.fed_by(declared)]
        for table in self._tables:
            table.check(self._intake)
        self._arrived: dict[str, int] = {}
        bronze, done = self._look_back()
        self._filling = self._fills(bronze, done)

    def _check(self, notes: Path, written: int) -> None:
        """Whether the tables and notes of what was done before are all there."""
        planned = -1 if self._plan is None else self._plan.batch
        check_notes(notes, self._declared.table, planned=planned, written=written)
        if self._plan is None:
            return
        if written >= 0:
            check_table(self._bronze, self._declared.table, known=0)
        for name, table in self._plan.tables.items():
            if any(name == silver.name for silver in self._context.graph.silver):
                check_table(self._context.lake.silver(name), f"silver/{name}", known=table.version)

    def _prepare(self) -> None:
        lake, owner = self._context.lake, self._context.graph.name
        tables.ensure(self._bronze, bronze_of(self._source), self._declared.table, owner)
        if self._plan is None:
            check_unfilled(self._bronze, self._declared.table, f"{self._declared.name}:bronze")
        tables.ensure(lake.quarantine(owner), quarantine.QUARANTINE, "quarantine", owner)
        tables.ensure(lake.late(owner), quarantine.LATE, "late", owner)

    @property
    def name(self) -> str:
        return self._declared.name

    def close(self) -> None:
        """Nothing of the source is read any more."""
        self._intake.close()

    def step(self, now: datetime | None = None) -> list[Entry] | None:
        """Take the batch that is due, or the next one; none when nothing is there.

        Whatever it dies of, the same batch is due when it is called again.
        """
        if (filled := self._filled()) is not None:
            return filled
        if not self._due:
            planned = self._planned(now)
            if planned is None:
                return None
            self._plan, self._due = planned, True
        assert self._plan is not None
        entries = self._taken(self._with_every_table(self._plan))
        self._due = False
        return entries

    def _planned(self, now: datetime | None) -> Plan | None:
        position = None if self._plan is None else self._plan.after
        look = self._intake.look(position, now)
        unread, span = look.found.unread, look.found.span
        idle = {name: not is_unread and self._is_idle(name, look.at) for name, is_unread in unread.items()}
        if span is None:
            if not self._moves_on(idle):
                return None
            span = Span([], position, 0)  # nothing came for so long that others need not wait any longer
        number = 0 if self._plan is None else self._plan.batch + 1
        judged = {table.name: table.planned(idle) for table in self._tables}
        plan = Plan(number, look.at, span.part, span.after, span.messages, idle, judged)
        self._notes.commit(plan)
        self._context.committed("plan")
        return plan

    def _with_every_table(self, plan: Plan) -> Plan:
        """The plan, and how tables are judged that were added since it was made."""
        added = [table for table in self._tables if table.name not in plan.tables]
        if added:
            tables_too = plan.tables | {table.name: table.planned(plan.idle) for table in added}
            plan = msgspec.structs.replace(plan, tables=tables_too)
            self._notes.commit(plan)
        return plan

    def _is_idle(self, partition: str, now: datetime) -> bool:
        """Whether its newest message came long ago; one without any message has no order to wait for."""
        arrived = self._arrived.get(partition)
        return arrived is None or micros(now) - arrived > IDLE // MICROSECOND

    def _moves_on(self, idle: dict[str, bool]) -> bool:
        """Whether somebody who reads these tables could go on because of who is idle now."""
        if self._plan is None or not all(idle.values()):
            return any(table.progress and table.floor(idle) > table.until for table in self._tables)
        return bool(self._arrived) and not all(self._plan.idle.get(name, False) for name in idle)

    def _taken(self, plan: Plan) -> list[Entry]:
        batch = self._intake.take(Span(plan.part, plan.after, plan.messages), plan.received_at, plan.batch)
        app = self._declared.name
        accepted = batch.keep(Stamp(f"{app}:bronze", plan.batch)) if batch.count else 0
        self._context.committed(self._declared.table)
        for partition, newest in batch.arrived.items():
            self._arrived[partition] = max(newest, self._arrived.get(partition, newest))
        offsets = {"part": plan.part, "arrived": self._arrived}
        if batch.noted:
            offsets["noted"] = batch.noted
        entries = [Entry(app, self._declared.table, plan.batch, batch.count, accepted, 0, 0, 0, None, offsets)]
        schemas = self._schemas.of_batch(plan.batch, batch.writers()) if self._schemas else {}
        taken = [table.taken(plan, batch, schemas) for table in self._tables]
        entries += [entry for entry, _ in taken]
        self._context.ledger.write(entries, Stamp(app, plan.batch))
        self._context.committed("ledger")
        for table, (_, reached) in zip(self._tables, taken, strict=True):
            self._journal.add(table.address, reached)
        return entries

    def _filled(self) -> list[Entry] | None:
        """The next of what added tables have yet to take of bronze. What it dies of ends it in the middle: it is looked
        for anew."""
        try:
            return next(self._filling, None)
        except BaseException:
            self._filling = self._fills(*self._look_back())
            raise

    def _fills(self, bronze: list[Taken], done: dict[str, int]) -> Iterator[list[Entry]]:
        """What tables have yet to take of bronze that were added since."""
        for table in self._tables:
            missing = [each for each in bronze if each.batch > done.get(table.address, -1)]
            schemas = {} if self._schemas is None else self._schemas.kept
            notes = Notes(
                self._context.lake.notes(self._context.graph.name) / self._declared.name / f"fill-{table.name}", Plan
            )
            beside = Backfill(self._context, self._intake, self._source, table, self._journal, schemas, notes)
            yield from beside.fill(self._declared.name, missing)
            notes.clear()

    def _look_back(self) -> tuple[list[Taken], dict[str, int]]:
        """Tell the source what was read, and each table how far it had come, as the ledger has it; the batches of
        bronze, and the last of each table."""
        by_address = {table.address: table for table in self._tables}
        bronze: list[Taken] = []
        done: dict[str, int] = {}
        known, accepted = -1, dict[str, int]()  # the last batches that wrote rows
        own = pc.field("query") == self._declared.name
        told = self._context.ledger.entries(own, "table", "batch", "read", "accepted", "offsets")
        for entry in sorted(told, key=lambda entry: entry["batch"]):
            offsets, batch = json.loads(entry["offsets"]), entry["batch"]
            wrote = batch if entry["accepted"] else -1
            if entry["table"] == self._declared.table:
                known = max(known, wrote)
                self._source.remember(offsets["part"])
                self._arrived = offsets["arrived"]
                bronze.append(Taken(batch, offsets["part"], entry["read"]))
            elif (table := by_address.get(entry["table"])) is not None:
                done[table.address] = batch
                accepted[table.address] = max(accepted.get(table.address, -1), wrote)
                table.recall(offsets["progress"], offsets["until"])
                self._journal.add(table.address, reached_by(batch, offsets))
        check_commits(self._bronze, self._declared.table, f"{self._declared.name}:bronze", known=known)
        for address, batch in accepted.items():
            check_commits(self._context.lake.path(address), address, f"{self._declared.name}:{address}", known=batch)
        return bronze, done
