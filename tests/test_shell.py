"""A Spark session over a lake, as a shell or a notebook takes it, and as a test of a function does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

import vigie
from vigie.errors import BadSetting

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


@pytest.fixture(params=["embedded", "spark"], scope="module")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name: str = request.param
    yield name
    vigie.spark(tmp_path_factory.mktemp("empty"), engine=name).stop()


def a_table(path: Path, *numbers: int) -> None:
    write_deltalake(path, pa.table({"n": pa.array(numbers, pa.int64())}), mode="append")


def numbers(spark: SparkSession, name: str) -> list[int]:
    return sorted(row.n for row in spark.table(name).collect())


def test_each_table_of_a_lake_has_a_name_and_is_as_it_stands_when_it_is_asked(engine: str, tmp_path: Path) -> None:
    a_table(tmp_path / "silver/flights", 1)
    a_table(tmp_path / "gold/hourly/counts", 7)

    session = vigie.spark(tmp_path, engine=engine)
    a_table(tmp_path / "silver/flights", 2)
    a_table(tmp_path / "silver/since", 5)

    assert numbers(session, "flights") == [1, 2]
    assert [row.total for row in session.sql("SELECT sum(n) AS total FROM counts").collect()] == [7]
    assert session.table("flights").where(F.col("n") > 1).count() == 1
    assert vigie.spark(tmp_path, engine=engine) is session
    assert numbers(session, "since") == [5]


def test_tables_with_one_last_name_have_their_whole_names(engine: str, tmp_path: Path) -> None:
    a_table(tmp_path / "silver/same", 1)
    a_table(tmp_path / "gold/by_hour/same", 2)

    session = vigie.spark(tmp_path, engine=engine)

    assert numbers(session, "silver_same") == [1]
    assert numbers(session, "gold_by_hour_same") == [2]
    assert not session.catalog.tableExists("same")


def test_another_lake_s_table_of_the_same_name_takes_its_place(engine: str, tmp_path: Path) -> None:
    a_table(tmp_path / "one/silver/moved", 1)
    a_table(tmp_path / "other/silver/moved", 2)

    vigie.spark(tmp_path / "one", engine=engine)

    assert numbers(vigie.spark(tmp_path / "other", engine=engine), "moved") == [2]


def test_a_lake_may_lie_in_a_folder_with_blanks_and_accents(engine: str, tmp_path: Path) -> None:
    a_table(tmp_path / "l'été 100 %/silver/odd", 4)

    assert numbers(vigie.spark(tmp_path / "l'été 100 %", engine=engine), "odd") == [4]


def test_without_a_name_it_is_the_lake_of_the_settings(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_table(tmp_path / "silver/named", 3)
    monkeypatch.setenv("VIGIE_LAKE", str(tmp_path))

    assert numbers(vigie.spark(engine=engine), "named") == [3]


def test_a_session_that_is_stopped_answers_no_more_and_the_next_is_another(tmp_path: Path) -> None:
    a_table(tmp_path / "silver/stopped", 3)
    session = vigie.spark(tmp_path)

    session.stop()
    session.stop()

    with pytest.raises(PySparkException):
        session.table("stopped").collect()
    again = vigie.spark(tmp_path)
    assert again is not session
    assert numbers(again, "stopped") == [3]
    again.stop()


def test_an_engine_that_there_is_not_is_said_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"no engine 'duck'(.|\n)*embedded, spark or sc://host:port"):
        vigie.spark(tmp_path, engine="duck")


def test_vigie_is_imported_without_an_engine_or_pyspark() -> None:
    asked = "import sys, vigie; vigie.Pipeline; print([name for name in sys.modules if name.startswith('pyspark')])"

    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


def test_a_test_of_a_function_of_one_s_own_needs_one_line_in_conftest(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["vigie.fixtures"]\n')
    (tmp_path / "test_mine.py").write_text(
        """
from pyspark.sql import functions as F

def warm(rows):
    return rows.where(F.col("c") > 30)

def test_only_what_is_warm(spark):
    rows = spark.createDataFrame([("a", 31.0), ("b", 20.0)], "id STRING, c DOUBLE")
    assert [row.id for row in warm(rows).collect()] == ["a"]
"""
    )

    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PATH": "", "JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout
    assert "1 passed" in answer.stdout
