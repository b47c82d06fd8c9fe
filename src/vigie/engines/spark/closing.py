"""What a gold table gives with a batch, worked out and appended by Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.core.delta import changes
from vigie.core.delta.snapshot import Snapshot
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Read, TooLong, Work
from vigie.core.gold.gain import gained as gained_here
from vigie.core.gold.gain import how_much
from vigie.core.gold.windows import END, START
from vigie.core.progress import NEVER
from vigie.engines.spark import frames

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.connect.session import SparkSession

ROWS_OF_A_LIST = 20  # a row with a list or a map counts for so many
TIMES_TAKEN_HERE = 1_000_000  # of rows, two for each: so few are counted here, without Spark


def give(session: SparkSession, work: Work, path: Path, stamp: Stamp) -> None:
    whole = [frames.read(session, each) for each in work.beside]
    schema = Snapshot(path).schema
    made = work.function(_rows(session, work), *whole)
    moment = F.coalesce(F.col(work.closed_by), _at(work.until))
    closed = made.where(_between(moment, work.after, work.until, ends=work.is_windowed))
    held = closed.persist()
    try:
        ends, starts = (F.unix_micros(name) if name in schema.names else F.lit(None) for name in (END, START))
        texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
        size_of = sum((F.coalesce(F.octet_length(name), F.lit(0)) for name in texts), F.lit(0).cast("long"))
        counted = held.agg(F.count("*"), F.coalesce(F.sum(size_of), F.lit(0)), F.max(ends - starts)).first()
        [count, size, most_micros] = counted or (0, 0, None)
        if work.is_windowed and (most_micros or 0) > work.looks_back:
            raise TooLong
        has_lists = any(pa.types.is_nested(kind) for kind in schema.types)
        rows = count * (ROWS_OF_A_LIST if has_lists else 1)
        frames.append(held, path, stamp, {}, few=frames.are_few(rows, size))
    finally:
        held.unpersist()


def _rows(session: SparkSession, work: Work) -> DataFrame:
    """The rows that what closes is worked out from: those of them that were not late."""
    time = F.col(work.reads.time)  # as it is: by it, Delta leaves out the files that are of other days
    rows = _in_time(frames.read(session, work.reads), work)
    since = NEVER if work.after == NEVER else work.after - (0 if work.last else work.looks_back)
    new = rows.where(_between(time, since, work.until))
    if work.last is None or work.after == NEVER:
        return new
    span = rows.where(_between(time, work.after - work.looks_back, work.after))
    newest = Window.partitionBy(*work.last.key).orderBy(F.desc(work.reads.time))
    before = span.withColumn("_rank", F.rank().over(newest)).where(F.col("_rank") <= work.last.rows)
    return new.unionByName(before.drop("_rank"))


def _in_time(rows: DataFrame, work: Work) -> DataFrame:
    time, seen = work.reads.time, work.reads.seen
    if seen is None:
        return rows
    late = F.unix_micros(F.col(time)) < F.unix_micros(F.col(seen)) - F.lit(work.watermark)
    return rows.where(F.col(seen).isNull() | ~late).drop(seen)


def _between(moment: Column, since: int, until: int, *, ends: bool = False) -> Column:
    """From one moment to another, which is not one of them; of ends, it is the first that is not."""
    before = moment <= _at(until) if ends else moment < _at(until)
    if since == NEVER:
        return before
    return before & (moment > _at(since) if ends else moment >= _at(since))


def _at(moment: int) -> Column:
    return F.timestamp_micros(F.lit(moment))


def gained(session: SparkSession, table: Read, after: int, watermark: int) -> tuple[int, int]:
    """How many rows a table gained after a version, and how many of them came later than a watermark."""
    if how_much(table, after)[0] <= TIMES_TAKEN_HERE:
        return gained_here(table, after, watermark)
    rows = gain(session, table, after)
    late = F.lit(False)
    if table.seen is not None:
        behind = F.unix_micros(F.col(table.seen)) - F.lit(watermark)
        late = F.coalesce(F.unix_micros(F.col(table.time)) < behind, F.lit(False))
    [read, too_late] = rows.agg(F.count("*"), F.count_if(late)).first() or (0, 0)
    return int(read), int(too_late)


def gain(session: SparkSession, table: Read, after: int) -> DataFrame:
    """The rows that a table gained after a version, all of it after -1."""
    if after < 0:
        return frames.read(session, table)
    found = changes.gained(table.path, after, 2**62, table.version)
    files = [frames.address(table.path / name) for _, name in found.files] if found else []
    schema = Snapshot(table.path, table.version).schema
    rows = session.read.schema(from_arrow_schema(schema)).option("__globPaths__", "false").parquet(*files)
    return rows.select(*frames.wanted(schema, table))
