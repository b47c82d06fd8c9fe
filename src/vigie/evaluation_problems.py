"""What the functions and rules of a pipeline call that the embedded engine has not, or answers otherwise than Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vigie import ddl
from vigie.arrow_types import INSTANT, arrow_schema
from vigie.engines import names, offline, plans
from vigie.engines.embedded.allowed import ALLOWED, REFUSED
from vigie.graph import Gold, Graph, Node, Place, Silver, Source
from vigie.models import Trained
from vigie.problem import Problem, listed, nearest
from vigie.question import Question

if TYPE_CHECKING:
    from google.protobuf.message import Message

SPARK_HAS_IT = "Say it with other functions; docs/functions.md lists those that both engines answer alike."


def evaluation_problems(graph: Graph, questions: Iterable[Question]) -> Iterator[Problem]:
    """A problem for each function of Spark that a table, a rule or a question calls, and that the embedded engine is
    not known to answer alike."""
    for silver in graph.silver:
        yield from _looked_through(
            f"silver table '{silver.name}'", silver.place, silver.function, [_read(graph, silver)]
        )
        for rule, condition in silver.expect.items():
            told = f"the rule '{rule}' of silver table '{silver.name}'"
            yield from _refused(told, silver.place, plans.calls_in_sql(condition))
    for gold in graph.gold:
        yield from _looked_through(
            f"gold table '{gold.name}'", gold.place, *_called(graph, gold), graph.find(gold.reads)
        )
    known = {node.name.rpartition("/")[2]: node for node in graph.nodes()}
    for question in questions:
        asked = [known.get(name) for name in question.tables]
        tables = [_columns(node) if isinstance(node, Silver) else None for node in asked]  # of a source bronze is asked
        yield from _looked_through(f"question '{question.name}'", question.place, _by_place(question), tables)


def _read(graph: Graph, silver: Silver) -> pa.Schema | None:
    """What the function of a silver table is given, but for the engine's own columns."""
    source = graph.find(silver.reads)
    columns = _columns(source)
    return None if columns is None else columns.append(pa.field("received_at", INSTANT))


def _columns(node: Node | None) -> pa.Schema | None:
    """The columns that are declared; none of a gold table, and none where what is declared is wrong."""
    if not isinstance(node, Source | Silver):
        return None
    try:
        return arrow_schema(node.schema)
    except ddl.NotSql:
        return None


def _called(graph: Graph, gold: Gold) -> tuple[Callable[..., Any], list[pa.Schema | None]]:
    """The function of a gold table, and the tables that it is given."""
    tables = [_columns(table) for table in (graph.find(gold.reads), *graph.beside(gold))]
    if gold.model is None:
        return gold.function, tables
    untrained = Trained.none(gold.model.kinds[0])
    return lambda *rows: gold.function(*rows, untrained), tables


def _by_place(question: Question) -> Callable[..., Any]:
    return lambda *rows: question.function(**dict(zip(question.tables, rows, strict=True)))


def _looked_through(
    what: str,
    place: Place,
    function: Callable[..., Any],
    tables: Sequence[pa.Schema | None],
    read: Node | None = None,
) -> Iterator[Problem]:
    try:
        plan = offline.plan(function, tables)
    except offline.NeedsEngine:
        return  # docs/functions.md says so
    except offline.NotRows as problem:
        yield Problem(
            "GivesNoRows", f"the function of {what} gives back {problem}, and not rows", place,
            "Did you forget to `return` the DataFrame?",
        )  # fmt: skip
    except Exception as problem:
        yield Problem(
            "RaisesWhenCalled", f"the function of {what} raised {type(problem).__name__}: {problem}", place,
            "Mend it: it is called with the rows of its tables, as DataFrames.",
        )  # fmt: skip
    else:
        yield from _refused(what, place, plans.calls(plan))
        for unknown in names.unknown(plan, offline.known(tables)):
            yield Problem(
                "UnknownColumn", f"the function of {what} names '{unknown.name}', and there is no such column at that "
                "step", place, f"There are: {listed(sorted(unknown.there))}.{nearest(unknown.name, unknown.there)}",
            )  # fmt: skip
        yield from _wrong_windows(what, place, plan, read)


def _wrong_windows(what: str, place: Place, plan: Message, read: Node | None) -> Iterator[Problem]:
    """Windows over a silver table that are cut by another column than its event time, which they close by."""
    columns = _columns(read)
    if not isinstance(read, Silver) or read.event_time is None or columns is None:
        return
    others = {name.lower() for name in columns.names} - {read.event_time.lower()}
    for column in sorted(plans.cut_by(plan)):
        if column.lower() in others:
            yield Problem(
                "BadWindow", f"{what} cuts '{column}' into windows, and they would close by '{read.event_time}'", place,
                f"Cut '{read.event_time}', the event time of '{read.name}', or make '{column}' that.",
            )  # fmt: skip


def _refused(what: str, place: Place, calls: set[str]) -> Iterator[Problem]:
    for name in sorted(calls - ALLOWED):
        if name in REFUSED:
            yield Problem("NotComputedAlike", f"{what} calls '{name}', which {REFUSED[name]}", place, SPARK_HAS_IT)
        else:
            yield Problem(
                "UnknownFunction", f"{what} calls '{name}', which the embedded engine is not known to answer as "
                "Spark does", place, f"{SPARK_HAS_IT}{nearest(name, ALLOWED)}",
            )  # fmt: skip
