"""Answering a pipeline's batch questions in Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vigie.engine import failures, session
from vigie.errors import RequestError
from vigie.lake import Lake, is_table
from vigie.pipeline import Pipeline
from vigie.question import Question
from vigie.settings import Settings
from vigie.sql import Answer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def answer(pipeline: Pipeline, question: Question, lake: Lake, settings: Settings) -> Answer:
    """What the question's function gives for the lake's tables as they are now."""
    paths = {name: _path(pipeline, question, name, lake) for name in question.tables}
    with failures.explained(lake), brief_session(settings, pipeline.name) as spark:
        tables = {name: spark.read.format("delta").load(path) for name, path in paths.items()}
        asked = question.function(**tables)
        # Answers are for reading, and the session ends with this call.
        rows = [tuple(row) for row in asked.collect()]
        return Answer(tuple(asked.columns), iter(rows))


@contextmanager
def brief_session(settings: Settings, name: str) -> Iterator[SparkSession]:
    """A Spark for the time of one answer."""
    spark = session.start(settings, name)
    try:
        yield spark
    finally:
        spark.stop()


def _path(pipeline: Pipeline, question: Question, name: str, lake: Lake) -> str:
    """Where the table lives that a question's parameter is named after."""
    nodes = {node.name.rpartition("/")[2]: node for node in pipeline.graph().nodes()}
    if name not in nodes:
        raise RequestError(
            f"question '{question.name}' reads '{name}', which pipeline '{pipeline.name}' does not declare",
            do=f"Name its parameters after tables: {', '.join(nodes)}.",
        )
    path = lake.path(nodes[name].table)
    if not is_table(path):
        raise RequestError(f"there is no table '{name}' yet", where=str(path), do=f"Make it: vigie run {pipeline.name}")
    return str(path)
