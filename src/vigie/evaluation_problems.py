"""What the functions and rules of a pipeline call that the embedded engine has not, or answers otherwise than Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vigie.engines import offline, plans
from vigie.engines.embedded.allowed import ALLOWED, REFUSED
from vigie.graph import Gold, Graph, Place
from vigie.models import Trained
from vigie.problem import Problem, nearest
from vigie.question import Question

SPARK_HAS_IT = "Say it with other functions; docs/functions.md lists those that both engines answer alike."


def evaluation_problems(graph: Graph, questions: Iterable[Question]) -> Iterator[Problem]:
    """A problem for each function of Spark that a table, a rule or a question calls, and that the embedded engine is
    not known to answer alike."""
    for silver in graph.silver:
        yield from _looked_through(f"silver table '{silver.name}'", silver.place, silver.function, 1)
        for rule, condition in silver.expect.items():
            told = f"the rule '{rule}' of silver table '{silver.name}'"
            yield from _refused(told, silver.place, plans.calls_in_sql(condition))
    for gold in graph.gold:
        yield from _looked_through(f"gold table '{gold.name}'", gold.place, *_called(graph, gold))
    for question in questions:
        tables = len(question.tables)
        yield from _looked_through(f"question '{question.name}'", question.place, _by_place(question), tables)


def _called(graph: Graph, gold: Gold) -> tuple[Callable[..., Any], int]:
    """The function of a gold table, and how many tables it is given."""
    tables = 1 + len(graph.beside(gold))
    if gold.model is None:
        return gold.function, tables
    untrained = Trained.none(gold.model.kinds[0])
    return lambda *rows: gold.function(*rows, untrained), tables


def _by_place(question: Question) -> Callable[..., Any]:
    return lambda *rows: question.function(**dict(zip(question.tables, rows, strict=True)))


def _looked_through(what: str, place: Place, function: Callable[..., Any], tables: int) -> Iterator[Problem]:
    try:
        plan = offline.plan(function, tables)
    except offline.NeedsEngine:
        return  # docs/functions.md says so
    except Exception as problem:
        yield Problem(
            "RaisesWhenCalled", f"the function of {what} raised {type(problem).__name__}: {problem}", place,
            "Mend it: it is called with the rows of its tables, as DataFrames.",
        )  # fmt: skip
    else:
        yield from _refused(what, place, plans.calls(plan))


def _refused(what: str, place: Place, calls: set[str]) -> Iterator[Problem]:
    for name in sorted(calls - ALLOWED):
        if name in REFUSED:
            yield Problem("NotComputedAlike", f"{what} calls '{name}', which {REFUSED[name]}", place, SPARK_HAS_IT)
        else:
            yield Problem(
                "UnknownFunction", f"{what} calls '{name}', which the embedded engine is not known to answer as "
                "Spark does", place, f"{SPARK_HAS_IT}{nearest(name, ALLOWED)}",
            )  # fmt: skip
