"""What is said when Spark, a table's own function or the lake fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError
from pyarrow import ArrowInvalid

from vigie.core.user_function import made
from vigie.engine import failures
from vigie.errors import BadSetting, LakeDamaged, RunFailed
from vigie.graph import Gold, Place
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = """An error occurred while calling o123.load.
: org.apache.spark.sql.delta.DeltaFileNotFoundException: [DELTA_TRUNCATED_TRANSACTION_LOG] 0.json: Unable to \
reconstruct state
\tat org.apache.spark.sql.delta.DeltaErrorsBase.logFileNotFoundException(DeltaErrors.scala:1)
Caused by: java.io.FileNotFoundException: 0.json
\t... 9 more
"""


def a_gold(function: Any) -> Gold:
    return Gold("counts", function, "things", "6 minutes", None, Place(__file__, 7))


def test_what_java_raised_is_told_and_not_that_an_error_occurred() -> None:
    problem = failures.died("the run", JAVA)

    assert "[DELTA_TRUNCATED_TRANSACTION_LOG] 0.json: Unable to reconstruct state" in problem.what
    assert "An error occurred" not in str(problem)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("Failed to read log file file:/lake/commits/0. Incomplete log file", "/lake/commits/0"),
        (": x.Y: [DELTA_TRUNCATED_TRANSACTION_LOG] file:/lake/_delta_log/0.json: Unable", "/lake/_delta_log/0.json"),
        ("[FAILED_READ_FILE.NO_HINT] while reading file:/lake/p-1.c000.parquet. SQLSTATE", "/lake/p-1.c000.parquet"),
        (": com.fasterxml.jackson.MismatchedInputException: No content", "counts"),
    ],
)
def test_a_damaged_file_is_named_when_spark_names_it(said: str, where: str) -> None:
    problem = failures.died("counts", said)

    assert isinstance(problem, LakeDamaged)
    assert problem.where == where
    assert "copy of the lake" in problem.do


def test_the_last_exception_of_a_python_trace_is_told_before_what_java_made_of_it() -> None:
    said = JAVA.replace("DELTA_TRUNCATED", "SOME") + "Traceback (most recent call last):\n  File x\nValueError: boom\n"

    assert failures.died("things", said).what == "things died: ValueError: boom"


def test_a_java_that_does_not_start_names_the_setting() -> None:
    problem = failures.died("the run", "[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port")

    assert isinstance(problem, BadSetting)
    assert "VIGIE_DRIVER_MEMORY" in problem.do


@pytest.mark.parametrize(
    "raised",
    [
        DeltaError("Kernel error: No table metadata or protocol found in delta log."),
        ArrowInvalid("Could not open 'part-0.parquet'\nnot a parquet file"),
        duckdb.InvalidInputException("reading the stream registered as 'known' failed"),
        OSError("Generic LocalFileSystem error\n  \x1b[31m↳\x1b[0m Requested range was invalid"),
    ],
)
def test_what_readers_of_the_lake_raise_says_what_is_wrong_where_and_what_to_do(
    tmp_path: Path, raised: Exception
) -> None:
    with pytest.raises(LakeDamaged) as problem, failures.explained(Lake(tmp_path)):
        raise raised

    assert str(raised).split("\n")[0].rstrip(".") in problem.value.what
    assert len(problem.value.what.splitlines()) == 1
    assert "\x1b" not in problem.value.what
    assert problem.value.where == str(tmp_path)
    assert "copy of the lake" in problem.value.do


def test_what_java_raises_is_a_failure_of_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="some table"), failures.explained(Lake(tmp_path)):
        raise Py4JError(JAVA.replace("[DELTA_TRUNCATED_TRANSACTION_LOG]", "some table"))


def test_a_function_that_raises_is_named_with_the_line_that_did(spark: SparkSession) -> None:
    def counts(_rows: object) -> object:
        raise ValueError("boom")

    line = counts.__code__.co_firstlineno + 1
    with pytest.raises(RunFailed, match="function of gold/counts raised ValueError: boom") as problem:
        made(a_gold(counts), spark.range(1))

    assert problem.value.where == f"test_failures.py:{line}"
    assert problem.value.do


def test_a_function_that_asks_for_a_column_that_is_not_there_is_told_in_a_line(spark: SparkSession) -> None:
    with pytest.raises(RunFailed, match=r"AnalysisException: \[UNRESOLVED_COLUMN.*nope") as problem:
        made(a_gold(lambda rows: rows.select("nope")), spark.range(1))

    assert problem.value.where.startswith("test_failures.py:")
    assert len(problem.value.what.splitlines()) == 1


def test_a_function_that_forgets_to_return_is_asked_whether_it_did(spark: SparkSession) -> None:
    with pytest.raises(RunFailed, match="gold/counts gave back NoneType(.|\n)*forget to `return`") as problem:
        made(a_gold(lambda _rows: None), spark.range(1))

    assert problem.value.where == "test_failures.py:7"


def test_rows_that_a_function_makes_are_handed_on(spark: SparkSession) -> None:
    rows = made(a_gold(lambda rows: rows.where("id > 1")), spark.range(3))

    assert [row.id for row in rows.collect()] == [2]
