"""Answering a pipeline's batch questions, by the lake's tables as they are now."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from vigie.core.engine import NotComputed
from vigie.engines.embedded.engine import Embedded
from vigie.errors import RequestError, RunFailed
from vigie.lake import Lake, is_table
from vigie.pipeline import Pipeline
from vigie.question import Question
from vigie.sql import Answer


def answer(pipeline: Pipeline, question: Question, lake: Lake) -> Answer:
    """What the question's function gives for the lake's tables; RunFailed, with its name, when it gives nothing."""
    paths = {name: _path(pipeline, question, name, lake) for name in question.tables}
    engine = Embedded()
    try:
        found = engine.answer(partial(asked, question), **paths)
    except NotComputed as problem:
        raise _failed(question, str(problem)) from problem
    finally:
        engine.close()
    return Answer(tuple(found.column_names), zip(*(column.to_pylist() for column in found.columns), strict=True))


def asked(question: Question, **tables: DataFrame) -> DataFrame:
    """What the question's own function makes of these tables."""
    try:
        made = question.function(**tables)
    except PySparkException:  # the engine says which
        raise
    except Exception as problem:
        raise _failed(question, f"{type(problem).__name__}: {problem}") from problem
    if not isinstance(made, DataFrame):
        raise _failed(question, f"it gave back {type(made).__name__}, and not rows")
    return made


def _failed(question: Question, why: str) -> RunFailed:
    return RunFailed(
        f"question '{question.name}' has no answer: {why}",
        where=str(question.place),
        do="Mend its function and ask again. `--debug` shows the whole trace.",
    )


def _path(pipeline: Pipeline, question: Question, name: str, lake: Lake) -> Path:
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
    return path
