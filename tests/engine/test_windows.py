"""Tables that Spark streams: a process that dies between any two of a batch's notes loses no window that was closed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from vigie.check import checked
from vigie.core.ledger import Ledger
from vigie.engine import tables
from vigie.engine.windows import Windows
from vigie.engine.workshop import Workshop
from vigie.lake import Lake

from ..runs import NOON
from .numbers import numbers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class CountedByMinute:
    """A lake with rows that close one window, and the table of windows over them."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        pipeline = numbers()
        [silver] = pipeline.graph().silver
        pipeline.gold("by_minute", reads=silver.function, late_by="2 minutes")(self._counted)
        self._spark = spark
        self._graph = checked(pipeline)
        self._lake = Lake(folder)
        self.checkpoint = self._lake.checkpoint("numbers", "by_minute")
        schema = tables.spark_schema(silver.schema)
        tables.ensure(self._lake.silver("even"), tables.arrow_schema(schema), "silver/even", "numbers")
        rows = [("a", 2, 0, NOON), ("a", 4, 600, NOON + timedelta(minutes=10))]
        silver_rows = spark.createDataFrame(rows, schema)
        silver_rows.write.format("delta").mode("append").save(str(self._lake.silver("even")))

    @staticmethod
    def _counted(rows: DataFrame) -> DataFrame:
        return rows.groupBy(F.window("at", "1 minute"), "k").count()

    def run(self, *, dies: bool = False) -> int:
        """Take what waits, as a run does; how many windows the table has then."""

        def die(name: str) -> None:
            if dies and name == "gold/by_minute":
                raise RuntimeError("died")

        ledger = Ledger(self._lake.ledger("numbers"), "numbers", "spark")
        windows = Windows(Workshop(self._spark, self._graph, self._lake, ledger, die), self._graph.gold[0])

        def step(rows: DataFrame, number: int) -> None:
            windows(rows, number)

        stream = windows.stream().writeStream.foreachBatch(step)
        stream = stream.option("checkpointLocation", str(self.checkpoint)).trigger(availableNow=True)
        stream.start().awaitTermination()
        return self.windows()

    def windows(self) -> int:
        return int(DeltaTable(self._lake.gold("by_minute")).to_pyarrow_table().num_rows)


def test_a_crash_before_the_batch_without_data_loses_no_window_though_nothing_new_comes(
    spark: SparkSession, tmp_path: Path
) -> None:
    counted = CountedByMinute(spark, tmp_path)

    spark.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", "false")
    before = counted.run()
    spark.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", "true")

    assert (before, counted.run(), counted.run()) == (0, 1, 1)


def test_a_crash_between_the_table_s_commit_and_spark_s_note_loses_no_window_though_nothing_new_comes(
    spark: SparkSession, tmp_path: Path
) -> None:
    counted = CountedByMinute(spark, tmp_path)

    with pytest.raises(Exception, match="died"):
        counted.run(dies=True)
    assert list((counted.checkpoint / "commits").glob("[0-9]*")) == [], "it died before the note"

    assert (counted.windows(), counted.run(), counted.run()) == (0, 1, 1)


def test_a_crash_after_the_windows_were_written_gives_each_once(spark: SparkSession, tmp_path: Path) -> None:
    counted = CountedByMinute(spark, tmp_path)
    spark.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", "false")
    counted.run()
    spark.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", "true")

    with pytest.raises(Exception, match="died"):
        counted.run(dies=True)

    assert (counted.windows(), counted.run()) == (1, 1)
