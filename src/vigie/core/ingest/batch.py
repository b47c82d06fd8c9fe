"""One batch, one pass: bronze, the silver tables that hang on it, what was set aside, and the ledger, in this order.

It may die between any two commits. The plan fixes all that could be answered differently the second time, and each
commit carries the batch's number, under which a table takes rows only once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie.arrow_types import INSTANT, arrow_schema
from vigie.avro.reading import decoder
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine
from vigie.core.ingest import parsing, quarantine
from vigie.core.ingest.avro_schemas import Schemas, met_in
from vigie.core.ingest.backfill import Backfill, Taken
from vigie.core.ingest.read_ahead import ReadAhead
from vigie.core.ingest.silver import Messages, micros_in, nothing, reached_by, tables_of
from vigie.core.ledger import Entry
from vigie.core.notes import Notes, Plan
from vigie.core.progress import named
from vigie.core.reached import Journal
from vigie.core.run_context import RunContext
from vigie.core.source import NOTED, Bounds, Source, Span
from vigie.core.whole import check_notes, check_table, claim
from vigie.graph import Source as Declared
from vigie.instants import micros

AT_ONCE = 65_536  # messages that are parsed together
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
        self._ahead = ReadAhead(source, bounds, self._parsed_ahead)
        self._fields = arrow_schema(declared.schema)
        self._bronze = context.lake.bronze(declared.name)
        folder = context.lake.notes(context.graph.name) / declared.name
        self._notes = Notes(folder, Plan)
        self._plan = self._notes.newest()
        written = tables.last_batch(context.lake.ledger(context.graph.name), declared.name)
        self._check(folder, written)
        self._due = self._plan is not None and self._plan.batch > written
        claim(folder / "reads", source.identity)
        self._prepare()
        self._tables = list(tables_of(context, engine, declared))
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
        tables.ensure(self._bronze, self._bronze_schema(), self._declared.table, owner)
        tables.ensure(lake.quarantine(owner), quarantine.QUARANTINE, "quarantine", owner)
        tables.ensure(lake.late(owner), quarantine.LATE, "late", owner)

    def _bronze_schema(self) -> pa.Schema:
        tail = [("key", pa.binary()), ("value", pa.binary()), ("received_at", INSTANT), ("batch", pa.int64())]
        return pa.schema([*self._source.origin, *tail])

    @property
    def name(self) -> str:
        return self._declared.name

    def close(self) -> None:
        """Nothing of the source is read any more."""
        self._ahead.close()

    def step(self, now: datetime | None = None) -> list[Entry] | None:
        """Take the batch that is due, or the next one; none when nothing is there.

        Whatever it dies of, the same batch is due when it is called again.
        """
        if (filled := next(self._filling, None)) is not None:
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
        look = self._ahead.look(position, now)
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
        return arrived is None or micros(now) - arrived > IDLE // timedelta(microseconds=1)

    def _moves_on(self, idle: dict[str, bool]) -> bool:
        """Whether somebody who reads these tables could go on because of who is idle now."""
        if self._plan is None or not all(idle.values()):
            return any(table.progress and table.floor(idle) > table.until for table in self._tables)
        return bool(self._arrived) and not all(self._plan.idle.get(name, False) for name in idle)

    def _taken(self, plan: Plan) -> list[Entry]:
        held = self._ahead.read(Span(plan.part, plan.after, plan.messages))
        read = held.messages
        received_at = pc.fill_null(read["stamp"], pa.scalar(plan.received_at, INSTANT))
        batch = pa.repeat(pa.scalar(plan.batch, pa.int64()), read.num_rows)
        told = read.append_column("received_at", received_at).append_column("batch", batch)
        bronze = told.select(self._bronze_schema().names)
        app = self._declared.name
        accepted = tables.append_arrow(bronze, self._bronze, Stamp(f"{app}:bronze", plan.batch)) if len(read) else 0
        self._context.committed(self._declared.table)
        partitions = read["partition_id"]
        arrived = micros_in(pc.coalesce(read["arrived_at"], received_at))
        self._note_arrivals(partitions, arrived)
        offsets = {"part": plan.part, "arrived": self._arrived}
        if noted := (read.schema.metadata or {}).get(NOTED):
            offsets["noted"] = noted.decode()
        entries = [Entry(app, self._declared.table, plan.batch, read.num_rows, accepted, 0, 0, 0, None, offsets)]
        known = self._schemas.of_batch(plan.batch, met_in(bronze["value"])) if self._schemas else {}
        parsed = _received(held.parsed, received_at) if held.parsed is not None else self._parsed(told, known)
        messages = Messages(bronze, partitions, micros_in(received_at), arrived, parsed)
        taken = [table.taken(plan, messages) for table in self._tables]
        entries += [entry for entry, _ in taken]
        self._context.ledger.write(entries, Stamp(app, plan.batch))
        self._context.committed("ledger")
        for table, (_, reached) in zip(self._tables, taken, strict=True):
            self._journal.add(table.address, reached)
        return entries

    def _note_arrivals(self, partitions: pa.ChunkedArray, arrived: NDArray[np.int64]) -> None:
        names, which = named(partitions)
        for at, name in enumerate(names):
            newest = int(arrived[which == at].max())
            self._arrived[name] = max(newest, self._arrived.get(name, newest))

    def _parsed_ahead(self, read: pa.Table) -> pa.Table | None:
        """What was read before its batch is planned, but for when it was received; none where it was written with a
        schema that has yet to be asked for."""
        known = {} if self._schemas is None else dict(self._schemas.kept)
        if self._schemas is not None and not met_in(read["value"]) <= known.keys():
            return None
        return self._parsed(read.append_column("received_at", read["stamp"]), known)

    def _parsed(self, messages: pa.Table, known: Mapping[int, str]) -> pa.Table:
        rows = pa.array(np.arange(messages.num_rows))
        read = messages.select(["value", "received_at"]).append_column("row", rows)
        avro = None if self._schemas is None else partial(decoder, self._fields, known)
        parse = parsing.parser(self._fields, ("row",), avro)
        return pa.Table.from_batches(list(parse(read.to_batches(AT_ONCE)))) if len(rows) else nothing(self._fields)

    def _fills(self, bronze: list[Taken], done: dict[str, int]) -> Iterator[list[Entry]]:
        """What tables have yet to take of bronze that were added since."""
        for table in self._tables:
            missing = [each for each in bronze if each.batch > done.get(table.address, -1)]
            parsed = partial(self._parsed, known={} if self._schemas is None else self._schemas.kept)
            notes = Notes(
                self._context.lake.notes(self._context.graph.name) / self._declared.name / f"fill-{table.name}", Plan
            )
            beside = Backfill(self._context, self._bronze, self._source, table, self._journal, parsed, notes)
            yield from beside.fill(self._declared.name, missing)
            notes.clear()

    def _look_back(self) -> tuple[list[Taken], dict[str, int]]:
        """Tell the source what was read, and each table how far it had come, as the ledger has it; the batches of
        bronze, and the last of each table."""
        by_address = {table.address: table for table in self._tables}
        bronze: list[Taken] = []
        done: dict[str, int] = {}
        own = pc.field("query") == self._declared.name
        told = self._context.ledger.entries(own, "table", "batch", "read", "accepted", "offsets")
        for entry in sorted(told, key=lambda entry: entry["batch"]):
            offsets, batch = json.loads(entry["offsets"]), entry["batch"]
            if entry["table"] == self._declared.table:
                self._source.remember(offsets["part"])
                self._arrived = offsets["arrived"]
                bronze.append(Taken(batch, offsets["part"], entry["read"]))
            elif (table := by_address.get(entry["table"])) is not None:
                done[table.address] = batch
                table.recall(offsets["progress"], offsets["until"])
                self._journal.add(table.address, reached_by(batch, offsets))
        return bronze, done


def _received(parsed: pa.Table, received_at: pa.ChunkedArray) -> pa.Table:
    return parsed.set_column(parsed.schema.get_field_index("received_at"), "received_at", received_at)
