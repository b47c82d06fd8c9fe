"""A function is given the columns that it needs, and answers as if it had them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql import Window
from pyspark.sql import functions as F

from vigie.engines.embedded.engine import Embedded

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS = pa.table({
    "k": ["a", "b", "a", None], "at": [1, 2, 3, 4], "n": [1.0, None, 3.0, 4.0], "Unused": ["x", "y", "z", "w"],
    "s": [{"x": 1}, None, {"x": 3}, {"x": 4}],
})  # fmt: skip
OTHERS = pa.table({"k": ["a", "b"], "name": ["A", "B"], "more": [1, 2]})
ALL = ROWS.column_names


@pytest.fixture(scope="module")
def engine() -> Iterator[Embedded]:
    started = Embedded()
    yield started
    started.close()


def pairs(rows: DataFrame) -> DataFrame:
    numbered = rows.withColumn("number", F.row_number().over(Window.partitionBy("k").orderBy("at")))
    now, before = numbered.alias("now"), numbered.alias("before")
    joined = now.join(before, (F.col("now.k") == F.col("before.k")) & (F.col("now.number") > F.col("before.number")))
    return joined.where("now.at < 10").select("now.k", (F.col("now.n") - F.col("before.n")).alias("by"))


FUNCTIONS: list[tuple[Callable[..., DataFrame], list[str]]] = [
    (lambda rows: rows.groupBy("k").agg(F.avg("n").alias("m")), ["k", "n"]),
    (lambda rows: rows.groupBy("k").agg(F.count("*").alias("c"), F.count(F.lit(1)).alias("d")), ["k"]),
    (lambda rows: rows.groupBy("k").agg(F.count_distinct("*").alias("c")), ALL),
    (lambda rows: rows.groupBy("k").agg(F.count_distinct("at", "n").alias("c")), ["k", "at", "n"]),
    (lambda rows: rows.groupBy("k").pivot("at", [1, 2]).agg(F.max("n")), ["k", "at", "n"]),
    (lambda rows: rows.where("N > 1 AND `at` < 4").select(F.upper("K").alias("u")), ["k", "at", "n"]),
    (lambda rows: rows.withColumn("m", F.col("n") + 1).select("k", "m"), ["k", "n"]),
    (lambda rows: rows.withColumn("m", F.col("n") + 1), ALL),
    (lambda rows: rows.withColumn("m", F.col("n") + 1).drop("Unused"), ALL),
    (lambda rows: rows.select(F.upper("k").alias("u"), "*"), ALL),
    (lambda rows: rows.selectExpr("k", "n + 1 AS m"), ["k", "n"]),
    (lambda rows: rows.selectExpr("*"), ALL),
    (lambda rows: rows.select(F.struct("*").alias("all")), ALL),
    (lambda rows: rows.select(F.col("s.x"), F.col("s")["x"].alias("y")), ["s"]),
    (lambda rows: rows.dropDuplicates(["k"]).select("k"), ["k"]),
    (lambda rows: rows.distinct().groupBy("k").count(), ALL),
    (lambda rows: rows.na.drop().select("k"), ALL),
    (lambda rows: rows.select(*[name for name in rows.columns if name != "Unused"]), ["k", "at", "n", "s"]),
    (lambda rows: rows.toDF("a", "b", "c", "d", "e").select("a"), ALL),
    (lambda rows: rows.mapInArrow(lambda each: (b.select(["k"]) for b in each), "k STRING"), ALL),
    (lambda rows: rows.select("k").mapInArrow(lambda each: each, "k STRING"), ["k"]),
    (lambda rows: rows.union(rows).select("k"), ALL),
    (lambda rows: rows.select("k").union(rows.select("Unused")), ["k", "Unused"]),
    (lambda rows: rows.sparkSession.sql("SELECT k FROM {rows}", rows=rows), ALL),
    (pairs, ["k", "at", "n"]),
]  # fmt: skip


def answers(table: pa.Table) -> list[str]:
    return sorted(map(str, table.to_pylist()))


@pytest.mark.parametrize(("function", "needs"), FUNCTIONS)
def test_the_columns_that_a_function_needs_are_enough_for_its_answer(
    engine: Embedded, function: Callable[..., Any], needs: list[str]
) -> None:
    [found] = engine.columns(function, ROWS.schema)

    assert found == needs
    assert answers(engine.evaluate(function, ROWS.select(found))) == answers(engine.evaluate(function, ROWS))


def test_each_of_two_tables_is_asked_for_what_is_needed_of_it(engine: Embedded) -> None:
    def beside(rows: DataFrame, others: DataFrame) -> DataFrame:
        return rows.join(others.select("k", "name"), "k", "left").groupBy("name").agg(F.sum("n").alias("n"))

    found = engine.columns(beside, ROWS.schema, OTHERS.schema)

    assert found == [["k", "n"], ["k", "name"]]
    met = engine.columns(
        lambda one, two: one.join(two, F.col("at") == F.col("more")).select("name"), ROWS.schema, OTHERS.schema
    )
    assert met == [["at"], ["name", "more"]]
    few = [table.select(names) for table, names in zip((ROWS, OTHERS), found, strict=True)]
    assert answers(engine.evaluate(beside, *few)) == answers(engine.evaluate(beside, ROWS, OTHERS))
