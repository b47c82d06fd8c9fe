"""What a declared function calls is seen without any engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

from vigie.core.engine import Cut
from vigie.engines import offline, plans
from vigie.engines.connected import BY_CONNECT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


MINUTE = timedelta(minutes=1)
COLUMNS = pa.schema([("k", pa.string()), ("n", pa.int64())])


def test_functions_operators_and_windows_are_seen_however_deep_they_stand() -> None:
    def minutes(rows: DataFrame) -> DataFrame:
        high = F.when(F.col("n") > 3, F.upper("k")).otherwise(F.lit("none"))
        return rows.withColumn("high", high).groupBy(F.window("at", "1 minute")).agg(F.max_by("k", F.struct("n", "at")))

    found = plans.calls(offline.plan(minutes, [None]))

    assert {"when", ">", "upper", "window", "max_by", "struct"} <= found


def test_functions_in_sql_are_seen_as_they_are_written() -> None:
    def by_sql(rows: DataFrame) -> DataFrame:
        return rows.sparkSession.sql(
            "WITH few AS (SELECT k, Rand() AS r FROM {rows} WHERE n IN (1, 2)) SELECT max(r), current_date FROM few",
            rows=rows.where("length(k) > 1 AND cast(n AS DECIMAL(10, 2)) > 0"),
        )

    found = plans.calls(offline.plan(by_sql, [None]))

    assert {"rand", "max", "current_date", "length", "cast"} <= found
    assert not {"in", "decimal", "as"} & found


def test_rows_that_are_sorted_within_their_partitions_are_told_from_those_that_are_sorted() -> None:
    assert "sortWithinPartitions" in plans.calls(offline.plan(lambda rows: rows.sortWithinPartitions("k"), [None]))
    assert "sortWithinPartitions" not in plans.calls(offline.plan(lambda rows: rows.orderBy("k"), [None]))


def test_tables_that_are_joined_are_seen_both() -> None:
    def beside(rows: DataFrame, others: DataFrame) -> DataFrame:
        return rows.withColumn("a", F.sqrt("n")).join(others.withColumn("b", F.cbrt("n")), "k")

    assert {"sqrt", "cbrt"} <= plans.calls(offline.plan(beside, [None, None]))


def test_a_function_of_python_is_given_its_type_without_an_engine() -> None:
    def doubled(rows: DataFrame) -> DataFrame:
        twice = F.udf(lambda n: n * 2, "bigint")
        also = F.udf(lambda n: n * 2, LongType())
        return rows.withColumn("twice", twice("n") + also("n"))

    assert "+" in plans.calls(offline.plan(doubled, [None]))


def test_the_columns_of_what_it_is_given_are_known_while_it_is_called() -> None:
    def each(rows: DataFrame, others: DataFrame) -> DataFrame:
        few = rows.where("n > 1").dropDuplicates(["k"]).limit(10)
        assert few.columns == ["k", "n"]
        assert dict(rows.dtypes) == {"k": "string", "n": "bigint"}
        named = [F.sqrt(name) for name in others.columns]
        return few.select(*named)

    assert "sqrt" in plans.calls(offline.plan(each, [COLUMNS, pa.schema([("other", pa.float64())])]))


@pytest.mark.parametrize(
    "asks",
    [
        lambda rows: rows.withColumn("m", F.col("n") + 1).columns,
        lambda rows: rows.limit(rows.count()),
        lambda rows: rows.select(rows.groupBy("k").count().columns[0]),
    ],
)
def test_what_asks_about_its_rows_needs_an_engine(asks: object) -> None:
    with pytest.raises(offline.NeedsEngine):
        offline.plan(asks, [COLUMNS])  # type: ignore[arg-type]


def test_looking_leaves_no_trace_in_this_process() -> None:
    before = os.environ.get(BY_CONNECT)

    offline.plan(lambda rows: rows.withColumn("a", F.col("n") + 1), [None])
    with pytest.raises(ZeroDivisionError):
        offline.plan(lambda _rows: 1 / 0, [None])

    assert os.environ.get(BY_CONNECT) == before


def test_the_windows_that_time_is_cut_into_are_seen_with_how_often_and_from_when_one_begins() -> None:
    def cut(rows: DataFrame) -> DataFrame:
        minute = rows.groupBy(F.window("at", "1 minute")).count()
        sliding = rows.groupBy(F.window("at", "5 minutes", "1 minute", "30 seconds")).count()
        return minute.union(sliding).union(rows.groupBy(F.expr("window(at, '1 hour', '30 minutes')")).count())

    assert sorted(_cut(cut), key=lambda each: each.length) == [
        Cut(MINUTE, MINUTE), Cut(5 * MINUTE, MINUTE, MINUTE / 2), Cut(60 * MINUTE, 30 * MINUTE)
    ]  # fmt: skip


@pytest.mark.parametrize("length", ["1 month", ""])
def test_windows_of_which_one_cannot_be_told_are_not_seen(length: str) -> None:
    def cut(rows: DataFrame) -> DataFrame:
        return rows.groupBy(F.window("at", length)).count().union(rows.groupBy(F.window("at", "1 hour")).count())

    assert _cut(cut) == []


def _cut(function: Callable[[DataFrame], DataFrame]) -> list[Cut]:
    return plans.cut_into(offline.plan(function, [None]))


def test_the_columns_that_are_cut_into_windows_are_seen() -> None:
    def cut(rows: DataFrame) -> DataFrame:
        by_two = (
            rows.groupBy(F.window("at", "1 minute"))
            .count()
            .union(rows.groupBy(F.window(F.col("`n`"), "1 hour")).count())
        )
        by_sql = rows.groupBy(F.expr("window(k, '1 hour')")).count()
        return by_two.union(by_sql).union(rows.groupBy(F.window(F.timestamp_seconds("n"), "1 minute")).count())

    assert plans.cut_by(offline.plan(cut, [None])) == {"at", "n", "k"}
