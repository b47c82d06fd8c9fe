"""The last row of each key: what a table gained is merged into the one that holds them, by Spark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import Window
from pyspark.sql import functions as F

from vigie.core.delta import tables
from vigie.core.engine import Function, Read
from vigie.engines.spark import closing, frames
from vigie.lake import opened

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.connect.session import SparkSession

NEW = "_new"
CONFLICT = "DELTA_CONCURRENT"


def latest(session: SparkSession, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> None:
    """Bring a table to what another gained after a version."""
    made = function(closing.gain(session, table, after))
    for tries_left in reversed(range(tables.MERGES_TRIED)):
        try:
            _merge(session, made, table.time, path, keys)
            break
        except PySparkException as problem:  # its files were put together in that moment
            if not tries_left or CONFLICT not in str(problem):
                raise
    tables.forget_old_files(opened(path))


def _newest(rows: DataFrame, keys: Sequence[str], time: str, *among: Column) -> DataFrame:
    """The newest row of each key; one without a key is nobody's."""
    for name in (*keys, time):
        rows = rows.where(F.col(name).isNotNull())
    newest = Window.partitionBy(*keys).orderBy(F.desc(time), *among)
    return rows.withColumn("_rank", F.row_number().over(newest)).where(F.col("_rank") == 1).drop("_rank")


def _merge(session: SparkSession, new: DataFrame, time: str, path: Path, keys: Sequence[str]) -> None:
    held = frames.table(session, path)
    both = held.withColumn(NEW, F.lit(False)).unionByName(new.to(held.schema).withColumn(NEW, F.lit(True)))
    rows = _newest(both, keys, time, F.col(NEW)).persist()
    try:
        if rows.where(NEW).limit(1).count():
            rows.drop(NEW).write.format("delta").mode("overwrite").save(frames.address(path))
    finally:
        rows.unpersist()
