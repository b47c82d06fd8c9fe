"""Training a pipeline's model on a table of the lake, and keeping it there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie import choosing
from vigie.core.delta import tables
from vigie.core.user_function import reason
from vigie.errors import RequestError, RunFailed
from vigie.lake import Lake, is_table
from vigie.models import Card, Learnt, Models, Pupil, Training
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql.connect.session import SparkSession

    from vigie.graph import Graph, Learning


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants trained; `say` is told what is going on."""

    kinds: tuple[str, ...]
    seed: int
    most_rows: int
    say: Callable[[str], None]


def train(graph: Graph, learning: Learning, lake: Lake, settings: Settings, wish: Wish) -> Iterator[Card]:
    """Learn each kind from the table as it is now; its card once the lake has it."""
    silver, models = graph.silver_of(learning), Models(lake, graph.name)
    path = lake.silver(silver.name)
    if not is_table(path):
        raise RequestError(
            f"there is no table '{silver.name}' to learn from yet",
            where=str(path),
            do=f"Make it: vigie feed {graph.name} --rows 500000, then vigie run {graph.name} --once",
        )
    version = tables.version(path)
    with _spark(settings) as spark:
        rows = spark.read.format("delta").option("versionAsOf", version).load(str(path))
        for kind in wish.kinds:
            began = time.monotonic()
            learnt: Learnt = learning.learn(rows, Pupil(kind, wish.seed, wish.most_rows, wish.say))
            seconds = round(time.monotonic() - began, 1)
            yield models.add(learnt, Training(kind, silver.table, version, wish.seed, seconds, spark.version))


@contextmanager
def _spark(settings: Settings) -> Iterator[SparkSession]:
    """A Spark for as long as it takes."""
    evaluator = choosing.engine("spark", None, settings)()
    from pyspark.errors import PySparkException

    from vigie.engines.connected import connected, is_of_the_connection

    try:
        with connected(evaluator.own_session()) as session:
            yield session
    except Exception as problem:
        if is_of_the_connection(problem) or "OutOfMemoryError" in str(problem):
            raise RunFailed(
                "Spark ran out of memory, or was ended", do="Give it more with VIGIE_DRIVER_MEMORY=3g, and train again."
            ) from problem
        if isinstance(problem, PySparkException):
            why = reason(str(problem))
            raise RunFailed(f"Spark could not learn from it: {why}", do="`--debug` shows all of it.") from problem
        raise
    finally:
        evaluator.close()
