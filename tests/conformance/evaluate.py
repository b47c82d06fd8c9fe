"""What one engine answers to every trial. A session of Spark and one of Spark Connect exclude each other in a process,
so each engine has one of its own: `python -m tests.conformance.evaluate spark|embedded FOLDER`."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conformance.expressions import Kind, Trial, evaluated, trials
from tests.conformance.operators import FRAMES
from tests.conformance.plain import plain

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS = "rows.parquet"
AT_ONCE = 80
ANSI = "spark.sql.ansi.enabled"
# Expressions that are used once are not worth compiling, which takes minutes.
INTERPRETED = {
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
}

Make = Callable[["DataFrame"], "DataFrame"]
Answers = dict[Trial, pa.Table | str]
Collect = Callable[[Make], pa.Table]


def main(engine: str, folder: Path) -> None:
    answers = {"spark": by_spark, "embedded": by_embedded}[engine](folder / ROWS)
    (folder / f"{engine}.pickle").write_bytes(pickle.dumps(answers))


def by_embedded(rows: Path) -> Answers:
    from vigie.engines.connected import SETTINGS
    from vigie.engines.embedded.engine import Embedded

    table = pq.read_table(rows)
    engine = Embedded()

    def collect(make: Make) -> pa.Table:
        def as_set(frame: DataFrame) -> DataFrame:
            frame.sparkSession.conf.set(ANSI, SETTINGS[ANSI])
            return make(frame)

        return engine.evaluate(as_set, table)

    try:
        return answered(collect, trials())
    finally:
        engine.close()


def by_spark(rows: Path) -> Answers:
    from pyspark.sql import SparkSession

    from bench.classic import BRIEF, OURS
    from vigie.engines.spark.java import java_home, spark_home
    from vigie.settings import Settings

    cache = Settings().cache
    java = java_home(cache)
    os.environ["JAVA_HOME"] = str(spark_home(java / "bin" / "java", cache))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.master("local[1]").config("spark.driver.extraJavaOptions", BRIEF)
    for name, value in OURS.items():
        if "delta" not in value + name and "scheduler" not in name:
            builder = builder.config(name, value)
    for name, value in INTERPRETED.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    for chatter in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(chatter).setLevel(logging.CRITICAL + 1)
    frame = session.read.parquet(str(rows))
    try:
        return answered(lambda make: make(frame).toArrow(), [trial for trial in trials() if trial.sql is None])
    finally:
        session.stop()


def answered(collect: Collect, tried: list[Trial]) -> Answers:
    """For each trial the rows that it gives, in order, or why it gives none."""
    answers: Answers = {}
    for kind, is_python in product((Kind.SCALAR, Kind.AGGREGATE), (False, True)):
        of_kind = [trial for trial in tried if trial.kind is kind and trial.is_python is is_python]
        for start in range(0, len(of_kind), AT_ONCE):
            answers |= _together(collect, of_kind[start : start + AT_ONCE])
    for trial in tried:
        if trial.kind in {Kind.GENERATOR, Kind.FRAME}:
            answers |= _together(collect, [trial])
    return answers


def _together(collect: Collect, batch: Sequence[Trial]) -> Answers:
    """The answers to a batch in one query, or to each of its halves where one of them fails."""
    try:
        table = plain(collect(lambda rows: _selected(rows, batch)))
    except Exception as problem:
        if len(batch) == 1:
            return {batch[0]: _first_line(problem)}
        half = len(batch) // 2
        return _together(collect, batch[:half]) | _together(collect, batch[half:])
    if batch[0].kind in {Kind.GENERATOR, Kind.FRAME}:
        return {batch[0]: table}
    table = table.sort_by("key")
    return {trial: table.select([f"e{at}"]) for at, trial in enumerate(batch)}


def _selected(rows: DataFrame, batch: Sequence[Trial]) -> DataFrame:
    first = batch[0]
    if first.kind is Kind.FRAME:
        return FRAMES[first.text](rows)
    if first.is_python:
        return _by_functions(rows, batch)
    # One text for all of them: handing over column after column takes longer than to evaluate them.
    rows.createOrReplaceTempView("rows")
    columns = ", ".join(f"{trial.text} AS e{at}" for at, trial in enumerate(batch))
    if first.kind is Kind.GENERATOR:
        return rows.sparkSession.sql(f"SELECT id, {first.text} FROM rows")
    if first.kind is Kind.AGGREGATE:
        return rows.sparkSession.sql(f"SELECT g AS key, {columns} FROM rows GROUP BY g")
    return rows.sparkSession.sql(f"SELECT id AS key, {columns} FROM rows")


def _by_functions(rows: DataFrame, batch: Sequence[Trial]) -> DataFrame:
    from pyspark.sql import functions as F

    if batch[0].kind is Kind.GENERATOR:
        return rows.select("id", evaluated(batch[0].text, F))
    columns = [evaluated(trial.text, F).alias(f"e{at}") for at, trial in enumerate(batch)]
    if batch[0].kind is Kind.AGGREGATE:
        return rows.groupBy(F.col("g").alias("key")).agg(*columns)
    return rows.select(F.col("id").alias("key"), *columns)


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {lines[0] if lines else ''}"[:300]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
