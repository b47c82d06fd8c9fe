"""A column that a function names where it is not is found before anything starts, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.conformance.generated import drawn
from vigie.check import problems
from vigie.engines import names, offline

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SCHEMA = pa.schema(
    [("a", pa.int64()), ("b", pa.string()), ("t", pa.timestamp("us", "UTC")), ("xs", pa.list_(pa.int64()))]
    + [("r", pa.struct([("p", pa.int64())])), ("with.dot", pa.int64())]
)
Function = Callable[[], "DataFrame"]  # of what is here while it is called
rows: Any = None
F: Any = None
W: Any = None


def found(function: Function) -> list[str]:
    def with_functions(given: DataFrame) -> DataFrame:
        from pyspark.sql import Window, functions

        globals().update(rows=given, F=functions, W=Window)
        return function()

    return [each.name for each in names.unknown(offline.plan(with_functions, [SCHEMA]), offline.known([SCHEMA]))]


MISTAKEN: dict[str, Function] = {
    "select": lambda: rows.select("a", "nope"),
    "where": lambda: rows.where(F.col("nope") > 1),
    "where in SQL": lambda: rows.where("nope > 1 AND a < 5"),
    "group": lambda: rows.groupBy("nope").count(),
    "aggregate": lambda: rows.groupBy("b").agg(F.avg("nope")),
    "in a condition": lambda: rows.agg(F.sum(F.when(F.col("nope"), 1))),
    "withColumn": lambda: rows.withColumn("x", F.col("nope") + 1),
    "in SQL": lambda: rows.withColumn("x", F.expr("coalesce(nope, a)")),
    "order": lambda: rows.orderBy(F.desc("nope")),
    "over": lambda: rows.withColumn("x", F.row_number().over(W.partitionBy("nope").orderBy("t"))),
    "window": lambda: rows.groupBy(F.window("nope", "1 minute")).count(),
    "join": lambda: rows.alias("x").join(rows.alias("y"), F.col("x.nope") == F.col("y.a")),
    "gone": lambda: rows.select(F.col("a").alias("x")).withColumn("nope", F.lit(1)).select("x", "a"),
    "in a lambda": lambda: rows.withColumn("x", F.transform("xs", lambda one: one + F.col("nope"))),
    "after a union": lambda: rows.union(rows).where("nope"),
    "renamed": lambda: rows.withColumnRenamed("a", "x").select("a"),
    "dropped": lambda: rows.drop("a").select("a"),
}

RIGHT: dict[str, Function] = {
    "large letters": lambda: rows.select("A", F.col("B")),
    "fields": lambda: rows.select("r.p", F.col("r")["p"].alias("q")).where("p > q"),
    "a dot in a name": lambda: rows.select("`with.dot`"),
    "made before": lambda: rows.withColumn("x", F.lit(1)).withColumn("y", F.col("x") + F.col("a")),
    "named in the same select": lambda: rows.select(F.col("a").alias("x"), (F.col("x") + 1).alias("y")),
    "an order by what is gone": lambda: rows.select("a").orderBy("b").where("t IS NOT NULL"),
    "aliases": lambda: (
        rows.alias("x").join(rows.alias("y"), F.col("x.a") == F.col("y.a")).select("x.a", "y.*").where("b = ''")
    ),
    "of a frame": lambda: rows.select(rows.a, rows["b"]).where(rows["t"].isNotNull()),
    "a window": lambda: (
        rows.groupBy(F.window("t", "1 minute"), "b").agg(F.count("*").alias("n")).select("window.start", "n", "b")
    ),
    "counted": lambda: rows.groupBy("b").count().where("count > 1"),
    "without a name": lambda: rows.groupBy("b").agg(F.max("a")).where(F.col("max(a)") > 1),
    "pivoted": lambda: rows.groupBy("b").pivot("b", ["x"]).agg(F.max("a")).select("b", "x"),
    "exploded": lambda: rows.select("a", F.explode("xs").alias("one")).where("one > 1"),
    "placed": lambda: rows.select("a", F.posexplode("xs").alias("at", "one")).where("at > one"),
    "a lambda": lambda: rows.withColumn("x", F.filter("xs", lambda one: one > F.col("a"))),
    "a lambda in SQL": lambda: rows.withColumn("x", F.expr("transform(xs, one -> one + a)")),
    "named in SQL": lambda: rows.selectExpr("a AS x", "upper(b) y", "r.p").where("x > p AND y = ''"),
    "a span in SQL": lambda: rows.where(F.expr("t > timestamp'2026-01-01' + INTERVAL 5 MINUTES")),
    "the engine's own": lambda: rows.select("a", "_origin", "_has_key"),
    "Python": lambda: rows.mapInArrow(lambda batches: batches, "z INT").where("z > 1"),
    "renamed": lambda: rows.withColumnsRenamed({"a": "x", "b": "y"}).select("x", "y", "t"),
    "semi": lambda: rows.join(rows.select(F.col("a").alias("k")), F.col("k") == F.col("a"), "left_semi"),
    "using": lambda: rows.join(rows.groupBy("b").agg(F.max("a").alias("m")), "b").where("m > a"),
    "joined, and the other side's key dropped": lambda: (
        rows.join(rows.alias("o"), rows["a"] == F.col("o.a")).drop(rows["b"]).groupBy("b").count()
    ),
    "all of one side in SQL": lambda: (
        rows.alias("x").join(rows.alias("y"), F.col("x.a") == F.col("y.a")).selectExpr("x.*", "y.b AS c").where("c = b")
    ),
    "a star of a field": lambda: rows.selectExpr("r.*").where("p = 1"),
    "what one side lacks": lambda: (
        rows.select("a").unionByName(rows.select("a", "b"), True).groupBy("a").agg(F.max("b"))
    ),
    "another query": lambda: rows.where("a > (SELECT max(x) FROM (VALUES (1)) t(x))"),
    "a backtick in a name": lambda: rows.withColumn("a`b", F.lit(1)).select("`a``b`"),
    "no brackets": lambda: rows.where("t < localtimestamp"),
    "filled": lambda: rows.fillna(0).dropna().distinct().limit(5).select("a"),
}


@pytest.mark.parametrize("function", MISTAKEN.values(), ids=MISTAKEN)
def test_a_column_that_is_named_where_it_is_not_is_found(function: Function) -> None:
    assert [name.rpartition(".")[2] for name in found(function)] in (["nope"], ["a"])


@pytest.mark.parametrize("function", RIGHT.values(), ids=RIGHT)
def test_a_column_that_is_there_is_not_taken_for_a_mistake(function: Function) -> None:
    assert found(function) == []


@pytest.mark.parametrize("seed", range(60))
def test_a_pipeline_that_is_right_has_no_problem(seed: int) -> None:
    assert problems(drawn(seed).pipeline(), functions_too=True) == []
