"""Tables on the console and in an archive of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.runs import until
from vigie.sinks.console import Console
from vigie.sinks.parquet import Parquet

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def rows(spark: SparkSession, *values: int) -> DataFrame:
    return spark.createDataFrame([(value,) for value in values], "n INT").repartition(2)


def test_the_console_shows_no_more_rows_than_it_was_told(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    Console(rows=2).write(rows(spark, 11, 12, 13), 4)

    shown = capsys.readouterr().out
    assert shown.startswith("batch 4\n")
    assert "only showing top 2 rows" in shown


def test_an_archive_has_a_file_for_each_batch_and_a_repeat_replaces_itself(spark: SparkSession, tmp_path: Path) -> None:
    archive = Parquet(tmp_path / "output/iot-data")

    archive.write(rows(spark, 1, 2, 3), 0)
    archive.write(rows(spark, 4), 1)
    archive.write(rows(spark, 1, 2, 3), 0)

    files = sorted((tmp_path / "output/iot-data").iterdir())
    assert [file.name for file in files] == ["batch-00000000.parquet", "batch-00000001.parquet"]
    assert sorted(pq.read_table(tmp_path / "output/iot-data")["n"].to_pylist()) == [1, 2, 3, 4]


def test_what_a_killed_process_left_unfinished_is_no_part_of_the_archive(spark: SparkSession, tmp_path: Path) -> None:
    left = tmp_path / ".batch-00000000.parquet.unfinished"
    left.mkdir()
    (left / "part-00000-torn.parquet").write_bytes(b"PAR1")

    Parquet(tmp_path).write(rows(spark, 1), 0)

    assert [file.name for file in tmp_path.iterdir()] == ["batch-00000000.parquet"]
    assert pq.read_table(tmp_path)["n"].to_pylist() == [1]


def test_two_queries_that_archive_to_one_folder_do_not_replace_each_other_s_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    archive = Parquet(tmp_path / "archive")
    for name in ("a", "b"):
        stream = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 1).load()
        query = stream.writeStream.foreachBatch(archive.write).trigger(processingTime="1 hour")
        started = query.option("checkpointLocation", str(tmp_path / name)).start()
        until(lambda: started.lastProgress is not None)  # noqa: B023  (it is called here, and not later)
        started.stop()

    assert len(list((tmp_path / "archive").glob("*-00000000.parquet"))) == 2
