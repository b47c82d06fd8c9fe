"""What is said when a table's own function fails: by its name, with the line, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.loops import run
from tests.core.numbers import FIRST, numbers, with_time
from tests.runs import an_inbox
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Engine
from vigie.core.user_function import made, reason
from vigie.errors import RunFailed, VigieError
from vigie.graph import Gold, Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

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
    said = reason(JAVA)

    assert "[DELTA_TRUNCATED_TRANSACTION_LOG] 0.json: Unable to reconstruct state" in said
    assert "An error occurred" not in said
    assert len(said.splitlines()) == 1


def test_the_last_exception_of_a_python_trace_is_told_before_what_java_made_of_it() -> None:
    assert reason(f"{JAVA}Traceback (most recent call last):\n  File x\nValueError: boom\n") == "ValueError: boom"


@pytest.mark.parametrize("said", ["", " \n"])
def test_what_says_nothing_is_said_to_say_nothing(said: str) -> None:
    assert reason(said) == "it does not say why"


def test_a_function_that_raises_is_named_with_the_line_that_did(sail: SparkSession) -> None:
    def counts(_rows: object) -> object:
        raise ValueError("boom")

    line = counts.__code__.co_firstlineno + 1
    with pytest.raises(RunFailed, match="function of gold/counts raised ValueError: boom") as problem:
        made(a_gold(counts), sail.range(1))

    assert problem.value.where == f"test_user_function.py:{line}"
    assert problem.value.do


def test_a_function_that_asks_for_a_column_that_is_not_there_is_told_in_a_line(sail: SparkSession) -> None:
    def counts(rows: DataFrame) -> DataFrame:
        return rows.select(*rows.select("nope").columns)

    line = counts.__code__.co_firstlineno + 1
    with pytest.raises(RunFailed, match="AnalysisException: .*nope") as problem:
        made(a_gold(counts), sail.range(1))

    assert problem.value.where == f"test_user_function.py:{line}"
    assert len(problem.value.what.splitlines()) == 1


def test_a_function_that_forgets_to_return_is_asked_whether_it_did(sail: SparkSession) -> None:
    with pytest.raises(RunFailed, match="gold/counts gave back NoneType(.|\n)*forget to `return`") as problem:
        made(a_gold(lambda _rows: None), sail.range(1))

    assert problem.value.where == "test_user_function.py:7"


def test_rows_that_a_function_makes_are_handed_on(sail: SparkSession) -> None:
    rows = made(a_gold(lambda rows: rows.where("id > 1")), sail.range(3))

    assert [row.id for row in rows.collect()] == [2]


def raises(_rows: DataFrame) -> DataFrame:
    raise ValueError("boom")


def asks_for_what_is_not_there(rows: DataFrame) -> DataFrame:
    return with_time(rows).withColumn("n", rows.nope)


@pytest.mark.parametrize(
    ("function", "says"), [(raises, "raised ValueError: boom"), (asks_for_what_is_not_there, "nope")]
)
@pytest.mark.parametrize(("table", "declared_in"), [("silver/even", "numbers.py"), ("gold/made", Path(__file__).name)])
def test_a_run_ends_with_the_name_and_the_place_of_what_cannot_be_computed(  # noqa: PLR0913, PLR0917
    engine: Engine, tmp_path: Path, function: Any, says: str, table: str, declared_in: str
) -> None:
    pipeline = numbers(function) if table == "silver/even" else numbers()
    if table == "gold/made":
        pipeline.gold("made", reads="even", late_by="1 minute", looks_back="1 minute")(function)

    with pytest.raises(VigieError, match=says) as problem:
        run(tmp_path / "lake", engine, pipeline, Inbox(an_inbox(tmp_path / "inbox", FIRST)))

    assert table.split("/")[1] in problem.value.what
    assert len(problem.value.what.splitlines()) == 1
    assert problem.value.where.partition(":")[0] == declared_in
    assert problem.value.do
