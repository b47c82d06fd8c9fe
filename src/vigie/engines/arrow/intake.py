"""A source straight to Arrow, in this process: read, kept in bronze, parsed, and judged for each silver table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT, arrow_schema
from vigie.avro.reading import decoder
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, Look, Taken
from vigie.core.ingest import parsing
from vigie.core.ingest.avro_schemas import met_in
from vigie.core.moments import micros_in
from vigie.core.notes import TablePlan
from vigie.core.progress import named
from vigie.core.run_context import RunContext
from vigie.core.source import NOTED, Bounds, Position, Source, Span, bronze_of
from vigie.engines.arrow.judging import Judge, JudgedRows, Messages, nothing
from vigie.engines.arrow.read_ahead import ReadAhead
from vigie.graph import Silver
from vigie.graph import Source as Declared

AT_ONCE = 65_536  # messages that are parsed together

Schemas = Mapping[int, str]


class ArrowIntake:
    """One source of a pipeline, and the silver tables that hang on it."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        engine: Engine,
        context: RunContext,
        declared: Declared,
        source: Source,
        bounds: Bounds,
        schemas: Schemas | None,
    ) -> None:
        self._source, self._schemas = source, schemas
        self._bronze, self._fields = context.lake.bronze(declared.name), arrow_schema(declared.schema)
        self._ahead = ReadAhead(source, bounds, self._parsed_ahead)
        self._judges = {
            table.table: Judge(engine, context.lake.silver(table.name), declared, table)
            for table in context.graph.fed_by(declared)
        }

    def check(self, table: Silver) -> None:
        self._judges[table.table].check()

    def look(self, position: Position | None, now: datetime | None) -> Look:
        return self._ahead.look(position, now)

    def take(self, span: Span, received_at: datetime, number: int) -> ArrowBatch:
        held = self._ahead.read(span)
        read = held.messages
        received = pc.fill_null(read["stamp"], pa.scalar(received_at, INSTANT))
        batch = pa.repeat(pa.scalar(number, pa.int64()), read.num_rows)
        told = read.append_column("received_at", received).append_column("batch", batch)
        bronze = told.select(bronze_of(self._source).names)
        arrived = pc.coalesce(read["arrived_at"], received)
        parsed = None if held.parsed is None else _received(held.parsed, received)
        noted = (read.schema.metadata or {}).get(NOTED)
        return ArrowBatch(
            self, number, bronze, read["partition_id"], arrived, noted.decode() if noted else None, parsed
        )

    def again(self, batches: Sequence[Taken]) -> ArrowBatch:
        wanted = (pc.field("batch") >= batches[0].batch) & (pc.field("batch") <= batches[-1].batch)
        held = tables.reader(self._bronze, wanted).read_all()
        bronze = pa.concat_tables(
            self._source.in_order(each.part, held.filter(pc.equal(held["batch"], each.batch))) for each in batches
        )
        return ArrowBatch(self, batches[-1].batch, bronze, self._source.partitions_of(bronze), bronze["received_at"])

    def close(self) -> None:
        """Nothing of the source is read any more."""
        self._ahead.close()

    def kept(self, bronze: pa.Table, stamp: Stamp) -> int:
        return tables.append_arrow(bronze, self._bronze, stamp) if len(bronze) else 0

    def judged(self, messages: Messages, table: Silver, plan: TablePlan, number: int) -> JudgedRows:
        return self._judges[table.table].judged(messages, plan, number)

    def _parsed_ahead(self, read: pa.Table) -> pa.Table | None:
        """What was read before its batch is planned, but for when it was received; none where it was written with a
        schema that has yet to be asked for."""
        known = dict(self._schemas or {})
        if self._schemas is not None and not met_in(read["value"]) <= known.keys():
            return None
        return self.parsed(read.append_column("received_at", read["stamp"]), known)

    def parsed(self, messages: pa.Table, schemas: Schemas) -> pa.Table:
        """Messages as the fields that the source declares, read with these schemas."""
        rows = pa.array(np.arange(messages.num_rows))
        read = messages.select(["value", "received_at"]).append_column("row", rows)
        avro = None if self._schemas is None else partial(decoder, self._fields, schemas)
        parse = parsing.parser(self._fields, ("row",), avro)
        return pa.Table.from_batches(list(parse(read.to_batches(AT_ONCE)))) if len(rows) else nothing(self._fields)


@dataclass(slots=True)
class ArrowBatch:
    """Messages as they came, and parsed where that was done ahead."""

    intake: ArrowIntake
    number: int
    bronze: pa.Table
    partitions: pa.Array | pa.ChunkedArray
    arrived_at: pa.ChunkedArray
    noted: str | None = None
    parsed: pa.Table | None = None
    _messages: Messages | None = None

    @property
    def count(self) -> int:
        return int(self.bronze.num_rows)

    @property
    def arrived(self) -> dict[str, int]:
        names, which = named(self.partitions)
        arrived = micros_in(self.arrived_at)
        return {name: int(arrived[which == at].max()) for at, name in enumerate(names)}

    def keep(self, stamp: Stamp) -> int:
        return self.intake.kept(self.bronze, stamp)

    def writers(self) -> set[int]:
        return met_in(self.bronze["value"])

    def judged(self, table: Silver, plan: TablePlan, schemas: Schemas) -> JudgedRows:
        if self._messages is None:
            parsed = self.intake.parsed(self.bronze, schemas) if self.parsed is None else self.parsed
            received, arrived = micros_in(self.bronze["received_at"]), micros_in(self.arrived_at)
            self._messages = Messages(self.bronze, self.partitions, received, arrived, parsed)
        return self.intake.judged(self._messages, table, plan, self.number)


def _received(parsed: pa.Table, received_at: pa.ChunkedArray) -> pa.Table:
    return parsed.set_column(parsed.schema.get_field_index("received_at"), "received_at", received_at)
