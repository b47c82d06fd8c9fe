"""The rows that a silver table makes of a batch, judged by Spark's executors with the functions that judge here too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DoubleType, FloatType, LongType, StructField, StructType

from vigie.arrow_types import arrow_schema
from vigie.core.delta.tables import Stamp
from vigie.core.engine import NotComputed
from vigie.core.ingest import quarantine
from vigie.core.ingest.shaping import SEEN, broken_by, not_the_same, shaped
from vigie.core.ingest.verdict import ACCEPTED, BROKEN, LATE, judged
from vigie.core.notes import TablePlan
from vigie.core.progress import NEVER, seen
from vigie.duration import parse_duration
from vigie.engines.spark import frames
from vigie.graph import Silver
from vigie.graph import Source as Declared
from vigie.instants import MICROSECOND

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.connect.session import SparkSession

Sessions = Callable[[], "AbstractContextManager[SparkSession]"]
Batches = Iterable[pa.RecordBatch]

# Beside the table's own columns, while it is judged: the message's place, when it was received and when it arrived, the
# event time (microseconds), how far the partition had come, and whether the same message came back twice.
PARTITION, ROW, RECEIVED, ARRIVED, TIME, UNTIL, AGAIN = (
    "_partition", "_row", "_received", "_arrived", "_time", "_until", "_again"
)  # fmt: skip
RULES, VERDICT, KNOWN = "_rules", "_verdict", "_known"
CARRIED = {PARTITION: "partition_id", ROW: "row", RECEIVED: "received", ARRIVED: "arrived"}  # in `_origin`

log = logging.getLogger(__name__)


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
            return self._flat(shaped(self.table, self.declared, parsed))

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
            try:
                progress, times = self._seen(told, plan, ahead, count)
                judged_rows = self._with_verdict(session, told, plan, times).persist()
                newest = F.max_by(ARRIVED, F.struct(F.col(TIME), -F.col(ROW)))
                counted = judged_rows.groupBy(VERDICT).agg(F.count("*"), newest).collect()
            finally:
                told.unpersist()
        counts = {verdict: rows for verdict, rows, _ in counted}
        arrived = max((at for verdict, _, at in counted if verdict == ACCEPTED), default=NEVER)
        return JudgedRows(self.sessions, self.declared, self.table, messages, judged_rows, progress, arrived, counts)

    def _told(self, rows: DataFrame, plan: TablePlan, ahead: int) -> DataFrame:
        """The rows, each with how far its partition had come before it."""
        placed = partial(place, dict(plan.progress), plan.floor, ahead)
        schema = StructType([*rows.schema, StructField(UNTIL, LongType()), StructField(AGAIN, BooleanType())])
        return rows.repartition(PARTITION).sortWithinPartitions(PARTITION, ROW).mapInArrow(placed, schema)

    def _seen(self, told: DataFrame, plan: TablePlan, ahead: int, count: int) -> tuple[dict[str, int], list[int]]:
        """How far each partition has come with them, and the first and last event times of those that may be accepted;
        RunFailed when they are not the rows that the function was given."""
        good = F.when(~_is_broken() & ~self._is_late(), F.col(TIME))
        credible = F.when(~_is_broken() & (F.col(TIME) <= F.col(RECEIVED) + ahead), F.col(TIME))
        ends = F.max(credible), F.min(good), F.max(good)
        found = told.groupBy(PARTITION).agg(F.count("*"), F.count_if(AGAIN), *ends).collect()
        given = sum(rows for _, rows, *_ in found)
        if given != count or any(again for _, _, again, *_ in found):
            raise not_the_same(self.table, count, given)
        progress = dict(plan.progress)
        for partition, _, _, newest, *_ in found:
            progress[partition] = max(progress.get(partition, NEVER), NEVER if newest is None else newest)
        return progress, [time for *_, first, last in found for time in (first, last) if time is not None]

    def _with_verdict(self, session: SparkSession, told: DataFrame, plan: TablePlan, times: list[int]) -> DataFrame:
        verdict = F.when(_is_broken(), BROKEN).when(self._is_late(), LATE).otherwise(ACCEPTED).cast("byte")
        rows = told.withColumn(VERDICT, verdict)
        if not self.table.unique or self.watermark is None or not times:
            return rows
        return self._repeats(session, rows, plan, min(times), max(times))

    def _is_late(self) -> Column:
        if self.watermark is None:
            return F.lit(False)
        until = F.col(UNTIL)
        return (until >= NEVER + self.watermark) & (F.col(TIME) < until - self.watermark)

    def _repeats(self, session: SparkSession, rows: DataFrame, plan: TablePlan, low: int, high: int) -> DataFrame:
        """The rows with their verdict, repeats among them: those of one key are judged together."""
        watermark, keys, time = int(self.watermark or 0), list(self.table.unique), str(self.table.event_time)
        first, last = (F.timestamp_micros(F.lit(at)) for at in (low - watermark, high + watermark))
        held = frames.table(session, self.path, plan.version).where(F.col(time).between(first, last))
        known = held.select(*keys, frames.micros(time).alias(TIME)).withColumn(KNOWN, F.lit(True))
        both = rows.withColumn(KNOWN, F.lit(False)).unionByName(known, allowMissingColumns=True)
        kinds = {field.name: field.dataType for field in rows.schema}
        by = [F.col(key) + 0.0 if isinstance(kinds[key], FloatType | DoubleType) else F.col(key) for key in keys]
        judge = partial(judge_repeats, keys, watermark)
        return both.repartition(*by).mapInArrow(judge, rows.schema)


def _is_broken() -> Column:
    return F.size(RULES) > 0


def place(before: Mapping[str, int], floor: int, ahead: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """How far each row's partition had come before it, rows of a partition standing in its order."""
    progress, last = dict(before), None
    for batch in batches:
        times, rows = batch[TIME].to_numpy(), batch[ROW].to_numpy()
        broken = pc.greater(pc.list_value_length(batch[RULES]), 0).to_numpy(zero_copy_only=False)
        credible = ~broken & (times <= batch[RECEIVED].to_numpy() + ahead)
        told = seen(batch[PARTITION], times, credible, progress, floor)
        progress = told.progress
        again = np.diff(rows, prepend=rows[:1] - 1 if last is None else last) == 0 if len(rows) else np.zeros(0, bool)
        last = rows[-1:] if len(rows) else last
        yield batch.append_column(UNTIL, pa.array(told.until)).append_column(AGAIN, pa.array(again))


def judge_repeats(keys: list[str], watermark: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """The verdict on each row, where all rows of a key are together, with those that were accepted before."""
    given = list(batches)
    if not given:
        return
    both = pa.Table.from_batches(given)
    rows = both.filter(pc.invert(both[KNOWN])).sort_by(ROW).drop_columns([KNOWN])
    held = both.filter(both[KNOWN])
    named = [f"u{at}" for at in range(len(keys))]
    known = held.select([*keys, TIME]).rename_columns([*named, "micros"])
    broken = pc.equal(rows[VERDICT], BROKEN).to_numpy()
    found = judged(
        broken, rows[TIME].to_numpy(), rows[UNTIL].to_numpy(), watermark, rows.select(keys).rename_columns(named),
        lambda _keys, _low, _high: known,
    )  # fmt: skip
    at = rows.schema.get_field_index(VERDICT)
    yield from rows.set_column(at, VERDICT, pa.array(found.verdict)).to_batches()


@dataclass(slots=True)
class JudgedRows:
    """A table's rows of a batch, which the executors keep while it is taken."""

    sessions: Sessions
    declared: Declared
    table: Silver
    messages: DataFrame
    rows: DataFrame
    progress: dict[str, int]
    arrived: int
    counts: Mapping[int, int]

    def count(self, verdict: int) -> int:
        return self.counts.get(verdict, 0)

    def accept(self, path: Path, stamp: Stamp, noted: Mapping[str, int]) -> tuple[int, int]:
        with self.sessions() as session:
            columns = [F.col(name) for name in arrow_schema(self.table.schema).names]
            if self.table.event_time:
                until = F.when(F.col(UNTIL) != NEVER, F.col(UNTIL))
                columns.append(F.timestamp_micros(until).alias(SEEN))
            # A watch judges a key's rows in the order in which its partition gave them.
            good = self.rows.where(F.col(VERDICT) == ACCEPTED).orderBy(ROW).select(*columns)
            return frames.append(good.to(frames.table(session, path).schema), path, stamp, noted)

    def set_aside(self, verdict: int, path: Path, stamp: Stamp) -> int:
        schema = quarantine.QUARANTINE if verdict == BROKEN else quarantine.LATE
        with self.sessions():
            those = self.rows.where(F.col(VERDICT) == verdict).select(
                F.col(ROW).alias("row"), F.col(RULES).alias("rules")
            )
            taken = self.messages.join(those, "row")
            there = {name: F.col(name) for name in taken.columns}
            there |= {"table": F.lit(self.table.table), "source": F.lit(self.declared.name)}
            nulls = dict(zip(schema.names, frames.nulls(schema), strict=True))
            columns = [there[name].alias(name) if name in there else nulls[name] for name in schema.names]
            return frames.append(taken.select(*columns), path, stamp, {})[0]
