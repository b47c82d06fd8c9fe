"""Tables on the console and in an archive of files."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql.types import StructType

from tests.rows import a_table
from vigie.contracts import Surroundings, Writer
from vigie.settings import Settings
from vigie.sinks.console import Console
from vigie.sinks.parquet import Parquet

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def rows(*values: int) -> pa.RecordBatchReader:
    return a_table("n INT", *((value,) for value in values)).to_reader()


def an_archive(folder: Path, delivery: str = "numbers-to-parquet-0") -> Writer:
    return Parquet(folder).opened(Surroundings(Settings(), delivery=delivery))


def test_the_console_shows_no_more_rows_than_it_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    Console(rows=2).write(rows(11, 12, 13), 4)

    shown = capsys.readouterr().out
    assert shown == "batch 4\n+---+\n|n  |\n+---+\n|11 |\n|12 |\n+---+\nonly showing top 2 rows\n\n"


def test_the_console_shows_rows_as_spark_does(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2025, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    table = a_table(
        "name STRING, at TIMESTAMP, value DOUBLE, exact DECIMAL(5, 2), many ARRAY<INT>",
        ("a\nb", at, 1e7, Decimal("1.50"), [1, 2]),
        ("a longer one", at, None, None, None),
    )
    spark.createDataFrame(table).coalesce(1).show(truncate=False)
    expected = capsys.readouterr().out

    Console().write(table.to_reader(), 0)

    assert capsys.readouterr().out == f"batch 0\n{expected}"


def test_an_archive_has_a_file_for_each_batch_and_a_repeat_replaces_itself(tmp_path: Path) -> None:
    archive = an_archive(tmp_path / "output/iot-data")

    archive.write(rows(1, 2, 3), 0)
    archive.write(rows(4), 1)
    archive.write(rows(1, 2, 3), 0)

    files = sorted((tmp_path / "output/iot-data").iterdir())
    assert [file.name for file in files] == [f"numbers-to-parquet-0-0000000{batch}.parquet" for batch in range(2)]
    assert sorted(pq.read_table(tmp_path / "output/iot-data")["n"].to_pylist()) == [1, 2, 3, 4]


def test_a_batch_without_rows_has_a_file_with_its_columns(tmp_path: Path) -> None:
    an_archive(tmp_path).write(rows(), 0)

    assert pq.read_table(tmp_path).schema.names == ["n"]


def test_every_kind_of_value_is_read_by_spark_as_it_was(spark: SparkSession, tmp_path: Path) -> None:
    schema = """k STRING, flag BOOLEAN, tiny TINYINT, small SMALLINT, whole INT, big BIGINT, single FLOAT,
        double DOUBLE, exact DECIMAL(12, 3), day DATE, at TIMESTAMP, clock TIMESTAMP_NTZ, raw BINARY,
        many ARRAY<STRING>, named MAP<STRING, DOUBLE>, inside STRUCT<a: INT, at: TIMESTAMP>"""
    at, clock = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC), datetime(2025, 3, 30, 2, 30)
    full = ("a", True, -128, -32768, 7, 2**62, 0.5, 1e-300, Decimal("123456789.125"), clock.date(), at, clock,
            b"\x00\xff", ["x", None], {"y": 1.5}, (1, at))  # fmt: skip
    table = a_table(schema, full, ("nulls", *[None] * 15))

    an_archive(tmp_path).write(table.to_reader(), 0)

    found = spark.read.parquet(str(tmp_path))
    assert found.schema == StructType.fromDDL(schema)
    assert found.toArrow().to_pylist() == table.to_pylist()


def test_what_a_killed_process_left_unfinished_is_no_part_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / ".numbers-to-parquet-0-00000000.parquet.partial").write_bytes(b"PAR1")

    an_archive(tmp_path).write(rows(1), 0)

    assert [file.name for file in tmp_path.iterdir()] == ["numbers-to-parquet-0-00000000.parquet"]
    assert pq.read_table(tmp_path)["n"].to_pylist() == [1]


def test_two_deliveries_that_archive_to_one_folder_do_not_replace_each_other_s_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        an_archive(tmp_path, name).write(rows(1), 0)

    assert len(list(tmp_path.glob("*-00000000.parquet"))) == 2
