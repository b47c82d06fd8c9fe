"""A Spark session over a lake, as a shell or a notebook takes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from vigie.shell import spark_over

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def a_table(path: Path, *numbers: int) -> None:
    write_deltalake(path, pa.table({"n": pa.array(numbers, pa.int64())}), mode="append")


def numbers(spark: SparkSession, name: str) -> list[int]:
    return sorted(row.n for row in spark.table(name).collect())


def test_each_table_of_a_lake_is_a_view_that_shows_what_is_written_later(spark: SparkSession, tmp_path: Path) -> None:
    a_table(tmp_path / "silver/flights", 1)
    a_table(tmp_path / "gold/hourly/counts", 7)

    session = spark_over(tmp_path)
    a_table(tmp_path / "silver/flights", 2)

    assert session is spark
    assert numbers(session, "flights") == [1, 2]
    assert [row.total for row in session.sql("SELECT sum(n) AS total FROM counts").collect()] == [7]


def test_tables_with_one_last_name_have_their_whole_names(spark: SparkSession, tmp_path: Path) -> None:
    a_table(tmp_path / "silver/same", 1)
    a_table(tmp_path / "gold/by_hour/same", 2)

    session = spark_over(tmp_path)

    assert numbers(session, "silver_same") == [1]
    assert numbers(session, "gold_by_hour_same") == [2]
    assert not session.catalog.tableExists("same")


def test_without_a_name_it_is_the_lake_of_the_settings(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_table(tmp_path / "silver/named", 3)
    monkeypatch.setenv("VIGIE_LAKE", str(tmp_path))

    assert numbers(spark_over(), "named") == [3]
