"""A source as Spark's executors read it: kept in bronze, parsed, and judged for each silver table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.arrow_types import arrow_schema
from vigie.avro.reading import FRAME, decoder
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, Look, NotComputed, Taken
from vigie.core.ingest import parsing
from vigie.core.ingest.avro_schemas import numbers_of
from vigie.core.ingest.shaping import shaped
from vigie.core.notes import TablePlan
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Position, Source, Span, bronze_of
from vigie.engines.spark import frames
from vigie.engines.spark.judging import Judge, JudgedRows, Sessions
from vigie.errors import RunFailed
from vigie.graph import Silver
from vigie.graph import Source as Declared

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Schemas = Mapping[int, str]

# What a row carries of its message while it is judged: its partition, its place among all, when it was received and
# when it arrived, and how many bytes it has.
ORIGIN = pa.schema([
    ("partition_id", pa.string()), ("row", pa.int64()), ("received", pa.int64()), ("arrived", pa.int64()),
    ("size", pa.int64()),
])  # fmt: skip

ONE = Bounds(1, 1)


class SparkIntake:
    """One source of a pipeline, and the silver tables that hang on it."""

    def __init__(  # noqa: PLR0913
        self,
        engine: Engine,
        sessions: Sessions,
        context: RunContext,
        declared: Declared,
        source: Source,
        bounds: Bounds,
        *,
        is_avro: bool,
    ) -> None:
        self._engine, self.sessions, self._source, self._bounds = engine, sessions, source, bounds
        self.declared, self.bronze = declared, context.lake.bronze(declared.name)
        self._fields, self._is_avro = arrow_schema(declared.schema), is_avro
        self._judges = {
            table.table: Judge(sessions, context.lake.silver(table.name), declared, table)
            for table in context.graph.fed_by(declared)
        }
        self._batch: SparkBatch | None = None

    def check(self, table: Silver) -> None:
        nothing = parsing.parsed_schema(self._fields, ORIGIN).empty_table()
        self._engine.evaluate(partial(shaped, table, self.declared), nothing)

    def look(self, position: Position | None, now: datetime | None) -> Look:
        return Look(now or datetime.now(UTC), self._source.there(position, self._bounds))

    def take(self, span: Span, received_at: datetime, number: int) -> SparkBatch:
        with self.sessions() as session:
            read = self._source.frame(session, span)
            received = F.coalesce("stamp", F.lit(received_at))
            return self._held(read.withColumns({"received_at": received, "batch": F.lit(number).cast("long")}), span)

    def again(self, batches: Sequence[Taken]) -> SparkBatch:
        with self.sessions() as session:
            held = frames.table(session, self.bronze).where(F.col("batch").between(batches[0].batch, batches[-1].batch))
            placed = self._source.placed(session, held, [each.part for each in batches])
            in_turn = Window.partitionBy(F.lit(0)).orderBy("batch", "row")  # batch by batch, as they came
            row = F.row_number().over(in_turn).cast("long")
            return self._held(placed.withColumns({"row": row, "arrived_at": F.col("received_at")}), None)

    def _held(self, rows: DataFrame, span: Span | None) -> SparkBatch:
        self.close()
        self._batch = SparkBatch(self, self._source, rows, span)
        return self._batch

    def close(self) -> None:
        """What is held of the last batch is let go."""
        batch, self._batch = self._batch, None
        if batch is not None:
            batch.close()

    def judge(self, table: Silver) -> Judge:
        return self._judges[table.table]

    def parsed(self, messages: DataFrame, schemas: Schemas) -> DataFrame:
        """Messages as the fields that the source declares, read with these schemas."""
        avro = partial(decoder, self._fields, dict(schemas)) if self._is_avro else None
        parse = parsing.parser(self._fields, tuple(ORIGIN.names), avro)
        arrived = F.unix_micros(F.coalesce("arrived_at", "received_at"))
        size = F.coalesce(F.octet_length("value"), F.lit(0)).cast("long")
        told = messages.withColumns({"received": frames.micros("received_at"), "arrived": arrived, "size": size})
        return told.select("value", "received_at", *ORIGIN.names).mapInArrow(
            parse, from_arrow_schema(parsing.parsed_schema(self._fields, ORIGIN))
        )


@dataclass(slots=True)
class SparkBatch:
    """The messages of a batch, which the executors keep while it is taken."""

    intake: SparkIntake
    source: Source
    rows: DataFrame
    span: Span | None
    noted: str | None = None
    _told: list[tuple[str, int, int]] | None = None
    _judged: list[JudgedRows] = field(default_factory=list)

    def _partitions(self) -> list[tuple[str, int, int]]:
        """Of each partition, how many messages there are, and when the newest arrived; they are read once."""
        if self._told is None:
            self._told = self._read()
            if self.span is not None:  # before anything of it is written
                self.noted = self.source.verify(self.span, sum(rows for _, rows, _ in self._told))
        return self._told

    def _read(self) -> list[tuple[str, int, int]]:
        """Read by the executors, once more when they could not at first: a server may have been away for a moment."""
        for tries_left in (1, 0):
            try:
                with self.intake.sessions():
                    arrived = F.max(F.unix_micros(F.coalesce("arrived_at", "received_at")))
                    self.rows = self.rows.persist()
                    found = self.rows.groupBy("partition_id").agg(F.count("*"), arrived).collect()
                    return [(name, rows, newest) for name, rows, newest in found]
            except NotComputed as problem:
                self.source.there(None, ONE)  # SourceAway, when it still is
                if not tries_left:
                    raise RunFailed(
                        f"Spark could not read what was planned: {problem}", where=self.source.identity
                    ) from problem
        raise AssertionError("unreachable")

    @property
    def count(self) -> int:
        return sum(rows for _, rows, _ in self._partitions())

    @property
    def arrived(self) -> dict[str, int]:
        return {name: newest for name, _, newest in self._partitions()}

    def keep(self, stamp: Stamp) -> int:
        with self.intake.sessions():
            bronze = self.rows.select(*bronze_of(self.source).names)
            return frames.append(bronze, self.intake.bronze, stamp, {})[0]

    def writers(self) -> set[int]:
        with self.intake.sessions():
            found = self.rows.select(F.substring("value", 1, FRAME).alias("frame")).distinct().collect()
        return numbers_of(bytes(frame) for (frame,) in found if frame is not None)

    def judged(self, table: Silver, plan: TablePlan, schemas: Schemas) -> JudgedRows:
        count = self.count
        with self.intake.sessions():
            parsed = self.intake.parsed(self.rows, schemas)
            judged = self.intake.judge(table).judged(self.rows, parsed, count, plan)
        self._judged.append(judged)
        return judged

    def close(self) -> None:
        for each in self._judged:
            each.close()
        with self.intake.sessions() as session:
            frames.let_go(session, self.rows)
