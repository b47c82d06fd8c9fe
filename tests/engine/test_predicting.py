"""Tables that are given a model, and tables that read them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from tests.models import a_stump, add
from tests.runs import NOON
from tests.tier import nightly
from vigie import Pipeline
from vigie.check import checked, problems
from vigie.core.alerts.watch import Watchman
from vigie.core.ledger import Entry, Ledger
from vigie.detectors import Above
from vigie.engine import tables
from vigie.engine.gold import Settled
from vigie.engine.workshop import Workshop
from vigie.errors import BadDeclaration, RequestError, RunFailed
from vigie.lake import Lake, rows
from vigie.models import Models, Trained

from .numbers import numbers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Numbers = Sequence[tuple[str, int | None, float]]  # key, number, seconds after noon
BELOW_10 = a_stump("n", 10, [1.0, 0.0, 0.0], [0.0, 0.6, 0.4])
BELOW_20 = a_stump("n", 20, [0.0, 0.0, 1.0], [0.45, 0.4, 0.15])


def said(rows: DataFrame, model: Trained) -> DataFrame:
    """What each number is taken for."""
    return model.predicted(rows).select("k", "at", "n", "predicted_class", "probability", "model")


def per_minute(rows: DataFrame) -> DataFrame:
    """How many numbers are taken for each, minute by minute."""
    return rows.groupBy(F.window("at", "1 minute"), "predicted_class").agg(F.count(F.lit(1)).alias("count"))


def predicting(function: Callable[..., DataFrame] = said) -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    model = pipeline.model(silver.function, learn=print, kinds=("report",))
    pipeline.gold("said", reads=silver.function, late_by="2 minutes", looks_back="1 minute", model=model)(function)
    pipeline.gold("per_minute", reads=function, late_by="0 seconds", looks_back="1 minute")(per_minute)
    return pipeline


class Followed:
    """A lake of numbers, and the tables that follow."""

    def __init__(self, spark: SparkSession, lake: Path, pipeline: Pipeline) -> None:
        self.spark, self.lake, self.graph = spark, Lake(lake), checked(pipeline)
        self.committed: Callable[[str], None] = lambda _name: None
        self._schema = tables.spark_schema(self.graph.silver[0].schema)
        tables.ensure(self.lake.silver("even"), tables.arrow_schema(self._schema), "silver/even", "numbers")

    def step(self, at: int) -> Settled:
        ledger = Ledger(self.lake.ledger("numbers"), "numbers", "spark")
        return Settled(Workshop(self.spark, self.graph, self.lake, ledger, self.committed), self.graph.gold[at])

    def append(self, rows: Numbers) -> None:
        times = [(k, n, NOON + timedelta(seconds=at)) for k, n, at in rows]
        values = [(k, n, int(at.timestamp()), at) for k, n, at in times]
        frame = self.spark.createDataFrame(values, self._schema)
        frame.write.format("delta").mode("append").save(str(self.lake.silver("even")))

    def follow(self) -> None:
        """Let each table see what is new in the one that it reads, as a run does."""
        for turn in self.graph.gold_in_turn():
            for gold in turn:
                settled = self.step(self.graph.gold.index(gold))
                if settled.waits:
                    continue
                told: list[Entry] = []

                def step(batch: DataFrame, number: int, settled: Settled = settled, told: list[Entry] = told) -> None:
                    told.extend(settled(batch, number))

                writer = settled.stream().writeStream.foreachBatch(step)
                checkpoint = str(settled.checkpoint.folder)
                writer.option("checkpointLocation", checkpoint).trigger(availableNow=True).start().awaitTermination()

    def rows(self, table: str) -> pl.DataFrame:
        return pl.from_arrow(DeltaTable(self.lake.gold(table)).to_pyarrow_table())  # type: ignore[return-value]


FIRST: Numbers = [("a", 4, 0), ("a", 12, 20), ("b", None, 30), ("a", 10, 70), ("b", 30, 300)]
LATER: Numbers = [("a", 8, 310), ("b", 18, 330), ("b", 22, 390), ("c", 2, 1_000)]


def test_before_there_is_a_model_the_tables_are_empty_and_say_what_they_wait_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    followed = Followed(spark, tmp_path, predicting())
    followed.append(FIRST)
    followed.follow()

    assert followed.step(0).waits == "a model: vigie train numbers"
    assert followed.step(1).waits == "a model: vigie train numbers", "as what it reads does"
    assert followed.rows("said").columns == ["k", "at", "n", "predicted_class", "probability", "model"]
    assert followed.rows("per_minute").columns == ["window_start", "window_end", "predicted_class", "count"]
    assert followed.rows("said").height == followed.rows("per_minute").height == 0


@nightly
def test_the_first_model_takes_every_row_from_the_start_and_the_next_one_those_that_follow(
    spark: SparkSession, tmp_path: Path
) -> None:
    followed = Followed(spark, tmp_path, predicting())
    models = Models(Lake(tmp_path), "numbers")
    followed.append(FIRST)
    followed.follow()

    models.use(add(tmp_path, "numbers", BELOW_10).version)
    followed.follow()
    models.use(add(tmp_path, "numbers", BELOW_20).version)
    followed.append(LATER)
    followed.follow()

    found = followed.rows("said").sort("at").select("n", "predicted_class", "probability", "model").rows()
    assert found == [
        (4, "Heavy", 1.0, 1), (12, "Light", 0.6, 1), (None, "Heavy", 1.0, 1), (10, "Heavy", 1.0, 1),
        (30, "Unsure", 0.45, 2), (8, "Other", 1.0, 2), (18, "Other", 1.0, 2), (22, "Unsure", 0.45, 2),
    ]  # fmt: skip


@nightly
def test_a_table_that_reads_another_counts_each_of_its_rows_once_in_however_many_steps(
    spark: SparkSession, tmp_path: Path
) -> None:
    followed = Followed(spark, tmp_path, predicting())
    Models(Lake(tmp_path), "numbers").use(add(tmp_path, "numbers", BELOW_10).version)
    for part in (FIRST[:2], [*FIRST[2:], *LATER], [("a", 6, 2_000), ("a", 6, 2_200)]):
        followed.append(part)
        followed.follow()

    said_rows = followed.rows("said")
    closed = said_rows.filter(pl.col("at") < NOON + timedelta(seconds=1_980))
    wanted = (
        closed.group_by(pl.col("at").dt.truncate("1m").alias("window_start"), "predicted_class")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .sort("window_start", "predicted_class")
    )
    found = followed.rows("per_minute").sort("window_start", "predicted_class")
    assert found.select("window_start", "predicted_class", "count").rows() == wanted.rows()
    assert wanted["count"].sum() == closed.height == 9


def test_a_batch_that_runs_twice_is_predicted_by_the_same_model_though_another_is_in_use_by_then(
    spark: SparkSession, tmp_path: Path
) -> None:
    followed = Followed(spark, tmp_path, predicting())
    models = Models(Lake(tmp_path), "numbers")
    models.use(add(tmp_path, "numbers", BELOW_10).version)
    followed.append(FIRST)

    def dies(name: str) -> None:
        if name == "gold/said plan":
            raise RuntimeError("killed here")

    followed.committed = dies
    with pytest.raises(Exception, match="killed here"):
        followed.follow()
    models.use(add(tmp_path, "numbers", BELOW_20).version)
    followed.committed = lambda _name: None
    followed.follow()

    assert followed.rows("said")["model"].to_list() == [1] * 4


def test_a_model_that_reads_columns_which_are_not_there_is_refused_before_anything_is_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    stranger = add(tmp_path, "numbers", a_stump("wingspan_m", 30, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    Models(Lake(tmp_path), "numbers").use(stranger.version)

    with pytest.raises(RequestError, match=r"model 1 predicts from wingspan_m, which the rows do not have"):
        Followed(spark, tmp_path, predicting()).step(0)


def test_what_a_function_that_is_given_a_model_raises_names_its_line(spark: SparkSession, tmp_path: Path) -> None:
    def broken(rows: DataFrame, model: Trained) -> DataFrame:
        raise LookupError(model.kind)

    with pytest.raises(RunFailed, match=r"gold/said raised LookupError: report \(test_predicting\.py:\d+\)"):
        Followed(spark, tmp_path, predicting(broken)).step(0)


def test_what_is_wrong_with_a_model_or_with_tables_of_tables_is_found_by_check() -> None:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    model = pipeline.model("nowhere", learn=print, kinds=())
    pipeline.gold("one", reads=silver.function, late_by="2 minutes", looks_back="1 minute", model=model)(per_minute)
    pipeline.gold("two", reads=silver.function, late_by="2 minutes", model=model)(said)
    pipeline.gold("three", reads="two", late_by="1 minute", looks_back="1 minute")(lambda rows: rows)
    another = Pipeline("other").model(silver.function, learn=print, kinds=("report",))
    pipeline.gold("four", reads="one", late_by="9 minutes", looks_back="1 minute", model=another)(
        lambda rows, model: model.predicted(rows)
    )

    found = [str(problem) for problem in problems(pipeline)]

    for wanted in (
        "the function of 'one' cannot be called with rows and model",
        "gold table 'two' is given a model, and does not look back",
        "gold table 'three' reads 'gold/two', and one of them does not look back",
        "gold table 'four' is given a model that pipeline 'numbers' does not declare",
        "the model learns from 'nowhere'",
        "the model has no kind",
    ):
        assert any(wanted in problem for problem in found), (wanted, found)


def test_a_watch_over_a_table_of_windows_sees_each_of_them_and_opens_and_closes_as_they_come(
    spark: SparkSession, tmp_path: Path
) -> None:
    def shares(rows: DataFrame) -> DataFrame:
        minute = F.window("at", "1 minute")
        unsure = F.count_if(F.col("predicted_class") == "Unsure") / F.count(F.lit(1))
        return rows.groupBy(minute, "model").agg(F.max("at").alias("at"), unsure.alias("unsure_share"))

    pipeline = predicting()
    pipeline.gold("shares", reads="said", late_by="0 seconds", looks_back="1 minute")(shares)
    pipeline.watch(shares, key="model").alert("UNSURE", Above("unsure_share", 0.5))
    followed = Followed(spark, tmp_path, pipeline)
    Models(Lake(tmp_path), "numbers").use(add(tmp_path, "numbers", BELOW_20).version)
    for at in range(3):
        followed.step(at)
    watchman = Watchman(followed.lake, followed.graph, followed.graph.watches[0])

    # Sure in the first minute, unsure in the second and third, sure again in the fourth, which the last row closes.
    minutes = [(4, 0), (30, 60), (30, 65), (40, 120), (2, 180), (2, 400), (2, 600)]
    for part in (minutes[:3], minutes[3:5], minutes[5:]):
        followed.append([("a", n, second) for n, second in part])
        followed.follow()
        watchman.catch_up(threading.Event())

    [alert] = rows(followed.lake.alerts("numbers"))
    assert (alert["rule"], alert["key"], alert["value"]) == ("UNSURE", "1", 1.0)
    assert alert["opened_at"] == NOON + timedelta(seconds=65)
    assert alert["closed_at"] == NOON + timedelta(seconds=180)


def test_a_watch_over_a_table_without_its_columns_is_refused_by_name(spark: SparkSession, tmp_path: Path) -> None:
    pipeline = predicting()
    pipeline.watch(per_minute, key="model").alert("MANY", Above("count", 5))
    followed = Followed(spark, tmp_path, pipeline)
    for at in range(2):
        followed.step(at)

    with pytest.raises(BadDeclaration, match=r"'gold/per_minute' is watched, and has no model, at"):
        Watchman(followed.lake, followed.graph, followed.graph.watches[0])
