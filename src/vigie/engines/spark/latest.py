"""The last row of each key: what a table gained is merged into the one that holds them, by Spark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from vigie.core.engine import Function, Read
from vigie.engines.spark import closing, frames

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

NEW = "_new"


def latest(session: SparkSession, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> int:
    """Bring a table to what another gained after a version; how many rows that was."""
    gained = closing.gain(session, table, after)
    if gained is None:
        return 0
    held = frames.table(session, path)
    made = function(gained).to(held.schema)
    for name in (*keys, table.time):
        made = made.where(F.col(name).isNotNull())
    both = held.withColumn(NEW, F.lit(False)).unionByName(made.withColumn(NEW, F.lit(True)))
    newest = Window.partitionBy(*keys).orderBy(F.desc(table.time), NEW)
    rows = both.withColumn("_rank", F.row_number().over(newest)).where(F.col("_rank") == 1).drop("_rank").persist()
    try:
        if rows.where(NEW).limit(1).count():
            rows.drop(NEW).write.format("delta").mode("overwrite").save(str(path.absolute()))
    finally:
        rows.unpersist()
    return int(gained.count())
