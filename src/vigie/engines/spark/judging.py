"""The rows that a silver table makes of a batch, judged by Spark's executors with the functions that judge here too."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.arrow_types import arrow_schema
from vigie.core.delta.tables import Stamp
from vigie.core.engine import NotComputed
from vigie.core.ingest import quarantine
from vigie.core.ingest.shaping import SEEN, broken_by, not_the_same, shaped_again
from vigie.core.ingest.verdict import ACCEPTED, BROKEN, LATE, REPEAT
from vigie.core.notes import TablePlan
from vigie.core.progress import NEVER
from vigie.duration import parse_duration
from vigie.engines.spark import frames
from vigie.engines.spark.within import (
    AGAIN,
    AGAIN_AT,
    ARRIVED,
    PARTITION,
    RECEIVED,
    ROW,
    RULES,
    SIZE,
    TIME,
    UNTIL,
    VERDICT,
    place,
    repeats_of,
)
from vigie.graph import Silver
from vigie.graph import Source as Declared
from vigie.instants import MICROSECOND

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row
    from pyspark.sql.connect.session import SparkSession

Sessions = Callable[[], "AbstractContextManager[SparkSession]"]

# In `_origin`.
CARRIED = {PARTITION: "partition_id", ROW: "row", RECEIVED: "received", ARRIVED: "arrived", SIZE: "size"}

# What a row carries while it is judged, beside the columns of its table.
BESIDE = pa.schema([
    (PARTITION, pa.string()), (ROW, pa.int64()), (RECEIVED, pa.int64()), (ARRIVED, pa.int64()), (SIZE, pa.int64()),
    (RULES, pa.list_(pa.string())), (TIME, pa.int64()), (UNTIL, pa.int64()), (AGAIN, pa.bool_()),
])  # fmt: skip
PLACES = pa.schema([(AGAIN_AT, pa.int64())])
FEW = 1_000_000  # rows that each executor is given whole, by their places and rules

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counted:
    """Of the rows of a batch: how far each partition has come, and of each verdict how many there are, and the bytes of
    their messages. Of those that may be accepted: the first and the last event time, and the newest row."""

    progress: dict[str, int]
    rows: Counter[int] = field(default_factory=Counter)
    bytes: Counter[int] = field(default_factory=Counter)
    span: tuple[int, int] = (2**63 - 1, NEVER)
    newest: Row | None = None

    def add(self, first: int, last: int, newest: Row) -> None:
        self.span = min(self.span[0], first), max(self.span[1], last)
        self.newest = newest if self.newest is None else max(self.newest, newest)


@dataclass(slots=True)
class Judge:
    """Of one silver table."""

    sessions: Sessions
    path: Path
    declared: Declared
    table: Silver

    @property
    def watermark(self) -> int | None:
        return None if self.table.late_by is None else parse_duration(self.table.late_by) // MICROSECOND

    def judged(self, messages: DataFrame, parsed: DataFrame, count: int, plan: TablePlan) -> JudgedRows:
        try:
            return self._judged(messages, self._shaped(parsed), count, plan)
        except NotComputed:
            with self.sessions():
                kept = parsed.persist()
            try:
                return self._judged(messages, self._computed(kept), count, plan)
            finally:
                with self.sessions() as session:
                    frames.let_go(session, kept)

    def _shaped(self, parsed: DataFrame) -> DataFrame:
        """What the table's function makes of each message, with what it carries of it."""
        with self.sessions():
            return self._flat(shaped_again(self.table, self.declared, parsed))

    def _flat(self, made: DataFrame) -> DataFrame:
        time = F.lit(NEVER) if self.table.event_time is None else frames.micros(self.table.event_time)
        carried = [F.col(f"_origin.{field}").alias(name) for name, field in CARRIED.items()]
        return made.select(*arrow_schema(self.table.schema).names, *carried, RULES, time.alias(TIME))

    def _computed(self, parsed: DataFrame) -> DataFrame:
        """The same where the function raises: what it was given is halved until the row stands alone."""
        try:
            with self.sessions():
                made = self._shaped(parsed)
                made.write.format("noop").mode("overwrite").save()
                return made
        except NotComputed as problem:
            with self.sessions():
                row = F.col("_origin.row")
                middle = F.percentile_approx(row, 0.5, 10_000)
                [(rows, middle, last)] = parsed.agg(F.count("*"), middle, F.max(row)).collect()
                if rows == 1:
                    return self._not_computed(parsed, str(problem))
                cut = middle if middle < last else last - 1
                halves = parsed.where(row <= cut), parsed.where(row > cut)
            return self._computed(halves[0]).unionByName(self._computed(halves[1]))

    def _not_computed(self, row: DataFrame, why: str) -> DataFrame:
        """A row that the function raises on, as one that breaks a rule."""
        log.warning("%s: a row cannot be computed, and goes to quarantine: %s", self.table.table, why)
        [(unread,)] = row.select("_broken").collect()
        columns = frames.nulls(arrow_schema(self.table.schema))
        rules = F.array(*map(F.lit, broken_by(unread, why))).alias(RULES)
        return self._flat(row.select(*columns, "_origin", rules))

    def _judged(self, messages: DataFrame, rows: DataFrame, count: int, plan: TablePlan) -> JudgedRows:
        ahead = parse_duration(self.declared.future) // MICROSECOND
        with self.sessions() as session:
            told = self._told(rows, plan, ahead).persist()
            verdict = F.when(_is_broken(), BROKEN).when(self._is_late(), LATE).otherwise(ACCEPTED)
            judged = told.withColumn(VERDICT, verdict)
            try:
                counted = self._counted(judged, plan, ahead, count)
            except BaseException:
                told.unpersist()
                raise
            newest = counted.newest
            if self.table.unique and self.watermark is not None and newest is not None:
                repeats = self._repeats(session, judged, plan, counted)
                if repeats.num_rows:
                    here = F.broadcast(frames.given(session, repeats))
                    is_repeat = F.when(F.col(AGAIN_AT).isNotNull(), REPEAT).otherwise(F.col(VERDICT))
                    judged = judged.join(here, F.col(ROW) == F.col(AGAIN_AT), "left").withColumn(VERDICT, is_repeat)
                    counted.rows[REPEAT] = repeats.num_rows
                    counted.rows[ACCEPTED] -= repeats.num_rows
                    if -newest[ROW] in repeats[AGAIN_AT].to_pylist():
                        [(newest,)] = judged.where(F.col(VERDICT) == ACCEPTED).agg(_newest()).collect()
        arrived = NEVER if newest is None else int(newest[ARRIVED])
        return JudgedRows(self.sessions, self.declared, self.table, messages, judged, told, counted, arrived)

    def _told(self, rows: DataFrame, plan: TablePlan, ahead: int) -> DataFrame:
        """The rows, each with how far its partition had come before it."""
        placed = partial(place, dict(plan.progress), plan.floor, ahead)
        schema = from_arrow_schema(pa.schema([*arrow_schema(self.table.schema), *BESIDE]))
        return rows.repartition(PARTITION).sortWithinPartitions(PARTITION, ROW).mapInArrow(placed, schema)

    def _counted(self, judged: DataFrame, plan: TablePlan, ahead: int, count: int) -> Counted:
        """What there is to be known of the rows before those that repeat others are told apart; RunFailed when they are
        not the rows that the function was given."""
        credible = F.when(~_is_broken() & (F.col(TIME) <= F.col(RECEIVED) + ahead), F.col(TIME))
        ends = F.max(credible), F.min(TIME), F.max(TIME), _newest()
        found = judged.groupBy(PARTITION, VERDICT).agg(F.count("*"), F.count_if(AGAIN), F.sum(SIZE), *ends).collect()
        given = sum(rows for _, _, rows, *_ in found)
        if given != count or any(again for _, _, _, again, *_ in found):
            raise not_the_same(self.table, count, given)
        counted = Counted(dict(plan.progress))
        for partition, verdict, rows, _, size, furthest, first, last, newest in found:
            known = counted.progress.get(partition, NEVER)
            counted.progress[partition] = known if furthest is None else max(known, furthest)
            counted.rows[verdict] += rows
            counted.bytes[verdict] += size
            if verdict == ACCEPTED:
                counted.add(first, last, newest)
        return counted

    def _is_late(self) -> Column:
        if self.watermark is None:
            return F.lit(False)
        until = F.col(UNTIL)
        return (until >= NEVER + self.watermark) & (F.col(TIME) < until - self.watermark)

    def _repeats(self, session: SparkSession, rows: DataFrame, plan: TablePlan, counted: Counted) -> pa.Table:
        """Where the repeats among the rows stand: those of one key are judged together, and nothing but their keys and
        times goes there."""
        watermark, time = int(self.watermark or 0), str(self.table.event_time)
        first, last = counted.span[0] - watermark, counted.span[1] + watermark
        named = [F.col(key).alias(f"u{at}") for at, key in enumerate(self.table.unique)]
        good = rows.where(F.col(VERDICT) == ACCEPTED).select(*named, TIME, ROW)
        held = frames.table(session, self.path, plan.version)
        held = held.where(F.col(time).between(*(F.timestamp_micros(F.lit(at)) for at in (first, last))))
        known = held.select(*named, frames.micros(time).alias(TIME))
        if counted.rows[ACCEPTED] <= FEW:  # most of what is held has no key of these, and need not go anywhere
            keys = [f"u{at}" for at in range(len(named))]
            sought = F.broadcast(good.select(*(F.col(key).alias(f"of_{key}") for key in keys)).distinct())
            known = known.join(sought, [F.col(key).eqNullSafe(F.col(f"of_{key}")) for key in keys], "left_semi")
        both = good.unionByName(known, allowMissingColumns=True)
        kinds = arrow_schema(self.table.schema)
        floats = [pa.types.is_floating(kinds.field(key).type) for key in self.table.unique]
        by = [F.col(f"u{at}") + 0.0 if is_float else F.col(f"u{at}") for at, is_float in enumerate(floats)]
        judged = both.repartition(*by).mapInArrow(partial(repeats_of, watermark), from_arrow_schema(PLACES))
        return judged.toArrow()


def _newest() -> Column:
    """The row with the newest event time, and of those the first."""
    order = F.struct(F.col(TIME), -F.col(ROW))
    return F.max_by(F.struct(TIME, (-F.col(ROW)).alias(ROW), ARRIVED), order)


def _is_broken() -> Column:
    return F.size(RULES) > 0


@dataclass(slots=True)
class JudgedRows:
    """A table's rows of a batch, each with its verdict; the executors keep what is `held` of them while it is taken."""

    sessions: Sessions
    declared: Declared
    table: Silver
    messages: DataFrame
    rows: DataFrame
    held: DataFrame
    counted: Counted
    arrived: int

    @property
    def progress(self) -> dict[str, int]:
        return self.counted.progress

    def count(self, verdict: int) -> int:
        return self.counted.rows[verdict]

    def accept(self, path: Path, stamp: Stamp, noted: Mapping[str, int]) -> tuple[int, int]:
        with self.sessions():
            columns = [F.col(name) for name in arrow_schema(self.table.schema).names]
            if self.table.event_time:
                until = F.when(F.col(UNTIL) != NEVER, F.col(UNTIL))
                columns.append(F.timestamp_micros(until).alias(SEEN))
            # They stand in the order in which their partition gave them: so a watch judges them.
            good = self.rows.where(F.col(VERDICT) == ACCEPTED).select(*columns)
            few = frames.are_few(self.count(ACCEPTED), self.counted.bytes[ACCEPTED])
            return frames.append(good, path, stamp, noted, few=few)

    def set_aside(self, verdict: int, path: Path, stamp: Stamp) -> int:
        schema = quarantine.QUARANTINE if verdict == BROKEN else quarantine.LATE
        with self.sessions():
            those = self.rows.where(F.col(VERDICT) == verdict).select(
                F.col(ROW).alias("row"), F.col(RULES).alias("rules")
            )
            rows, size = self.count(verdict), self.counted.bytes[verdict]
            taken = self.messages.join(F.broadcast(those) if rows <= FEW else those, "row")
            there = {name: F.col(name) for name in taken.columns}
            there |= {"table": F.lit(self.table.table), "source": F.lit(self.declared.name)}
            nulls = dict(zip(schema.names, frames.nulls(schema), strict=True))
            columns = [there[name].alias(name) if name in there else nulls[name] for name in schema.names]
            return frames.append(taken.select(*columns), path, stamp, {}, few=frames.are_few(rows, size))[0]

    def close(self) -> None:
        with self.sessions() as session:
            frames.let_go(session, self.held)
