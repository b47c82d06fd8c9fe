"""Tables that look back: the same rows whether silver came at once or bit by bit, and late ones counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import Window
from pyspark.sql import functions as F

from tests.tier import nightly
from vigie import Pipeline
from vigie.check import checked
from vigie.core.gold.windows import flat
from vigie.core.ledger import Entry, Ledger
from vigie.engine import tables
from vigie.engine.gold import Settled
from vigie.engine.workshop import Workshop
from vigie.errors import BadDeclaration
from vigie.lake import Lake

from ..runs import NOON
from .numbers import numbers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Numbers = list[tuple[str, int, float]]  # key, number, seconds after noon


def steps(rows: DataFrame) -> DataFrame:
    """How much each number is more than the one before it, within 5 minutes."""
    in_order = Window.partitionBy("k").orderBy("at")
    before = F.lag("n").over(in_order), F.lag("at").over(in_order)
    near = before[1] >= F.col("at") - F.expr("INTERVAL 5 MINUTES")
    return rows.select("k", "at", F.when(near, F.col("n") - before[0]).alias("more"))


def with_steps(function: Any = steps) -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    pipeline.gold("steps", reads=silver.function, late_by="2 minutes", looks_back="5 minutes")(function)
    return pipeline


def settle(
    spark: SparkSession,
    lake: Path,
    *appended: Numbers,
    pipeline: Pipeline | None = None,
    committed: Callable[[str], None] = lambda _name: None,
) -> list[Entry]:
    """Append each of these to silver, and let the gold table see it; what the ledger was told."""
    graph = checked(pipeline or with_steps())
    place = Lake(lake)
    schema = tables.spark_schema(graph.silver[0].schema)
    tables.ensure(place.silver("even"), tables.arrow_schema(schema), "silver/even", "numbers")
    told: list[Entry] = []
    for rows in appended:
        times = [(k, n, NOON + timedelta(seconds=at)) for k, n, at in rows]
        values = [(k, n, int(at.timestamp()), at) for k, n, at in times]
        spark.createDataFrame(values, schema).write.format("delta").mode("append").save(str(place.silver("even")))
        ledger = Ledger(place.ledger("numbers"), "numbers", "spark")
        settled = Settled(Workshop(spark, graph, place, ledger, committed), graph.gold[0])
        writer = settled.stream().writeStream.foreachBatch(telling(settled, told))
        checkpoint = str(settled.checkpoint.folder)
        writer.option("checkpointLocation", checkpoint).trigger(availableNow=True).start().awaitTermination()
    return told


def telling(settled: Settled, told: list[Entry]) -> Callable[[DataFrame, int], None]:
    return lambda batch, number: told.extend(settled(batch, number))


def sums(rows: DataFrame) -> DataFrame:
    """The sum of each key's numbers in two minutes, every minute."""
    return rows.groupBy(F.window("at", "2 minutes", "1 minute"), "k").agg(F.sum("n").alias("sum"))


def windows(lake: Path) -> list[tuple[str, float, float, int]]:
    """Key, beginning and end in seconds after noon, and sum of each window, in order."""
    found = DeltaTable(lake / "gold" / "steps").to_pyarrow_table().to_pylist()
    return sorted((row["k"], seconds(row["window_start"]), seconds(row["window_end"]), row["sum"]) for row in found)


def beside_itself() -> Pipeline:
    """Each settled row with how many rows lay beside it, in the very table it is of."""
    pipeline = numbers()
    [silver] = pipeline.graph().silver

    def counted(rows: DataFrame, others: DataFrame) -> DataFrame:
        return rows.crossJoin(others.agg(F.count("k").alias("more"))).select("k", "at", "more")

    pipeline.gold("steps", reads=silver.function, late_by="2 minutes", looks_back="5 minutes", beside=silver.function)(
        counted
    )
    return pipeline


def held(lake: Path) -> list[tuple[str, float, int | None]]:
    """Key, seconds after noon and step of each row, in order."""
    found = DeltaTable(lake / "gold" / "steps").to_pyarrow_table().to_pylist()
    return sorted((row["k"], seconds(row["at"]), row["more"]) for row in found)


def seconds(at: datetime) -> float:
    return (at - NOON).total_seconds()


ALL: Numbers = [
    ("a", 1, 0),
    ("a", 5, 60),
    ("a", 6, 61),
    ("b", 7, 30),
    ("b", 9, 400),
    ("a", 10, 300),
    ("a", 20, 361),
    ("a", 30, 662),
    ("b", 4, 780),
]
# Of these, what is older than the newest by two minutes.
SETTLED = [
    ("a", 0, None),
    ("a", 60, 4),
    ("a", 61, 1),
    ("a", 300, 4),
    ("a", 361, 10),
    ("b", 30, None),
    ("b", 400, None),
]


def test_rows_are_given_when_they_are_settled_in_whatever_order_they_came(spark: SparkSession, tmp_path: Path) -> None:
    settle(spark, tmp_path, list(reversed(ALL)))

    assert held(tmp_path) == SETTLED


@nightly
def test_silver_in_several_batches_gives_what_it_gives_in_one(spark: SparkSession, tmp_path: Path) -> None:
    out_of_order = [ALL[2:4], ALL[:2], [ALL[5]], [ALL[4], ALL[6]], ALL[7:]]

    settle(spark, tmp_path / "many", *out_of_order)
    settle(spark, tmp_path / "one", ALL)

    assert held(tmp_path / "many") == held(tmp_path / "one") != []


def test_a_row_that_comes_after_its_time_was_settled_is_counted_and_not_given(
    spark: SparkSession, tmp_path: Path
) -> None:
    first: Numbers = [("a", 1, 0), ("a", 2, 200)]
    second: Numbers = [("b", 1, 79), ("b", 1, 80), ("b", 1, 81), ("a", 3, 400)]

    told = settle(spark, tmp_path, first, second)

    assert [(entry.read, entry.late) for entry in told] == [(2, 0), (4, 2)]
    assert told[1].late_before == NOON + timedelta(seconds=80)
    assert [(key, at) for key, at, _ in held(tmp_path)] == [("a", 0), ("a", 200), ("b", 81)]


def test_a_table_that_loses_its_event_time_is_refused_by_name(spark: SparkSession, tmp_path: Path) -> None:
    timeless = with_steps(lambda rows: rows.select("k", "n"))

    with pytest.raises(BadDeclaration, match="gold table 'steps' gives back rows without their event time, 'at'"):
        settle(spark, tmp_path, ALL, pipeline=timeless)


@nightly
def test_windows_over_settled_rows_are_those_of_the_stream_and_each_appears_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    pipeline.gold("steps", reads=silver.function, late_by="2 minutes", looks_back="2 minutes")(sums)
    out_of_order = [ALL[2:4], ALL[:2], [ALL[5]], [ALL[4], ALL[6]], ALL[7:]]

    settle(spark, tmp_path / "many", *out_of_order, pipeline=pipeline)
    settle(spark, tmp_path / "one", ALL, pipeline=pipeline)

    assert windows(tmp_path / "many") == windows(tmp_path / "one")
    assert windows(tmp_path / "one") == [
        ("a", -60, 60, 1),
        ("a", 0, 120, 12),
        ("a", 60, 180, 11),
        ("a", 240, 360, 10),
        ("a", 300, 420, 30),
        ("a", 360, 480, 20),
        ("b", -60, 60, 7),
        ("b", 0, 120, 7),
        ("b", 300, 420, 9),
        ("b", 360, 480, 9),
    ], "but for those that end within two minutes of the newest row"


def test_windows_longer_than_the_table_looks_back_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    pipeline.gold("steps", reads=silver.function, late_by="2 minutes", looks_back="1 minute")(sums)

    with pytest.raises(Exception, match=r"gold table 'steps' .* gives windows that are longer than it looks back"):
        settle(spark, tmp_path, ALL, pipeline=pipeline)


def test_tables_beside_the_rows_are_given_as_the_plan_of_the_batch_has_them(
    spark: SparkSession, tmp_path: Path
) -> None:
    settle(spark, tmp_path, ALL[:6], pipeline=beside_itself())
    first = held(tmp_path)

    settle(spark, tmp_path, ALL[6:], pipeline=beside_itself())

    assert {more for _, _, more in first} == {6}, "as many rows as silver had"
    assert {more for _, _, more in held(tmp_path) if more != 6} == {9}
    assert [row for row in held(tmp_path) if row[2] == 6] == first, "what was given stays as it was given"


def test_a_batch_that_runs_again_is_given_what_lay_beside_its_rows_the_first_time(
    spark: SparkSession, tmp_path: Path
) -> None:
    class Died(Exception):
        pass

    def die(name: str) -> None:
        if name == "gold/steps plan":
            raise Died

    with pytest.raises(Exception, match="Died"):
        settle(spark, tmp_path, ALL[:6], pipeline=beside_itself(), committed=die)
    settle(spark, tmp_path, [("b", 2, -1.0)], pipeline=beside_itself())

    assert {more for _, _, more in held(tmp_path)} == {6}, "and not the row that came between"


def test_a_window_becomes_two_columns_and_a_table_without_one_stays_as_it_is(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 1, NOON)], "k STRING, n BIGINT, at TIMESTAMP")

    counted = flat(rows.groupBy(F.window("at", "1 minute"), "k").count())

    assert counted.columns == ["window_start", "window_end", "k", "count"]
    assert flat(rows).columns == ["k", "n", "at"]
