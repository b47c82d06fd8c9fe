"""What a declared function calls is seen without any engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

from vigie.engines import offline, plans
from vigie.engines.connected import BY_CONNECT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def test_functions_operators_and_windows_are_seen_however_deep_they_stand() -> None:
    def minutes(rows: DataFrame) -> DataFrame:
        high = F.when(F.col("n") > 3, F.upper("k")).otherwise(F.lit("none"))
        return rows.withColumn("high", high).groupBy(F.window("at", "1 minute")).agg(F.max_by("k", F.struct("n", "at")))

    found = plans.calls(offline.plan(minutes, 1))

    assert {"when", ">", "upper", "window", "max_by", "struct"} <= found


def test_functions_in_sql_are_seen_as_they_are_written() -> None:
    def by_sql(rows: DataFrame) -> DataFrame:
        return rows.sparkSession.sql(
            "WITH few AS (SELECT k, Rand() AS r FROM {rows} WHERE n IN (1, 2)) SELECT max(r), current_date FROM few",
            rows=rows.where("length(k) > 1 AND cast(n AS DECIMAL(10, 2)) > 0"),
        )

    found = plans.calls(offline.plan(by_sql, 1))

    assert {"rand", "max", "current_date", "length", "cast"} <= found
    assert not {"in", "decimal", "as"} & found


def test_tables_that_are_joined_are_seen_both() -> None:
    def beside(rows: DataFrame, others: DataFrame) -> DataFrame:
        return rows.withColumn("a", F.sqrt("n")).join(others.withColumn("b", F.cbrt("n")), "k")

    assert {"sqrt", "cbrt"} <= plans.calls(offline.plan(beside, 2))


def test_a_function_of_python_is_given_its_type_without_an_engine() -> None:
    def doubled(rows: DataFrame) -> DataFrame:
        twice = F.udf(lambda n: n * 2, "bigint")
        also = F.udf(lambda n: n * 2, LongType())
        return rows.withColumn("twice", twice("n") + also("n"))

    assert "+" in plans.calls(offline.plan(doubled, 1))


@pytest.mark.parametrize("asks", [lambda rows: rows.select(rows.columns[0]), lambda rows: rows.limit(rows.count())])
def test_what_asks_about_its_rows_needs_an_engine(asks: object) -> None:
    with pytest.raises(offline.NeedsEngine):
        offline.plan(asks, 1)  # type: ignore[arg-type]


def test_looking_leaves_no_trace_in_this_process() -> None:
    before = os.environ.get(BY_CONNECT)

    offline.plan(lambda rows: rows.withColumn("a", F.col("n") + 1), 1)
    with pytest.raises(ZeroDivisionError):
        offline.plan(lambda _rows: 1 / 0, 1)

    assert os.environ.get(BY_CONNECT) == before
