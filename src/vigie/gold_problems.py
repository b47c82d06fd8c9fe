"""What `check` finds wrong with gold tables and the model that some are given, and with any table's function."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta

from vigie import ddl
from vigie.duration import parse_duration
from vigie.graph import Gold, Graph, Learning, Node, Silver, name_of
from vigie.problem import Problem, listed, nearest, unknown

LONGEST = timedelta(days=36_525)


def gold_problems(graph: Graph, table: Gold) -> Iterator[Problem]:
    yield from takes_rows(table)
    yield from spans(table, late_by=table.late_by, looks_back=table.looks_back)
    yield from _beside(graph, table)
    yield from _latest(graph, table)
    yield from _last(graph, table)
    yield from _given_a_model(graph, table)
    silver = graph.find(table.reads)
    if not isinstance(silver, Silver):
        return
    if table.late_by is None and not table.latest_by:
        yield Problem(
            "NoWatermark", f"gold table '{table.name}' has no late_by, so none of its windows could close",
            table.place, 'Say how long to wait for late rows: late_by="2 minutes".',
        )  # fmt: skip
    if silver.event_time is None:
        yield Problem(
            "NoEventTime", f"gold table '{table.name}' reads '{silver.name}', which has no event time",
            table.place, f"Give '{silver.name}' an event_time and a late_by.",
        )  # fmt: skip
    mine, its = _span(table.late_by), _span(silver.late_by)
    if mine is not None and its is not None and mine > its:
        yield Problem(
            "LateBy", f"gold table '{table.name}' waits {table.late_by} for late rows, but '{silver.name}' "
            f"takes none later than {silver.late_by}", table.place,
            f"Lower this late_by to {silver.late_by} or less, or raise that of '{silver.name}'.",
        )  # fmt: skip


def _beside(graph: Graph, table: Gold) -> Iterator[Problem]:
    if table.beside and table.looks_back is None:
        yield Problem(
            "WrongInput", f"gold table '{table.name}' is given tables beside its rows, and does not look back",
            table.place, 'Add looks_back="10 minutes": only rows that are settled can be joined to a table.',
        )  # fmt: skip
    for wanted in table.beside:
        found = graph.find(wanted)
        if found is None:
            yield unknown(graph, f"gold table '{table.name}' is given, beside its rows,", wanted, table.place)
        elif not isinstance(found, Silver):
            yield Problem(
                "WrongInput", f"gold table '{table.name}' is given '{found.table}' beside its rows, which is not a "
                "silver table", table.place, f"Name some of: {listed(silver.name for silver in graph.silver)}.",
            )  # fmt: skip


def _given_a_model(graph: Graph, table: Gold) -> Iterator[Problem]:
    if table.model is None:
        return
    if table.model is not graph.learning:
        yield Problem(
            "WrongInput", f"gold table '{table.name}' is given a model that pipeline '{graph.name}' does not declare",
            table.place, "Give it what the pipeline's own `model(...)` gave back, the last time it was called.",
        )  # fmt: skip
    if table.looks_back is None:
        yield Problem(
            "WrongInput", f"gold table '{table.name}' is given a model, and does not look back",
            table.place, 'Add looks_back="1 minute": a model is given rows that are settled.',
        )  # fmt: skip


def learning_problems(graph: Graph, learning: Learning) -> Iterator[Problem]:
    found = graph.find(learning.reads)
    if found is None:
        yield unknown(graph, "the model learns from", learning.reads, learning.place)
    elif not isinstance(found, Silver):
        yield Problem(
            "WrongInput", f"the model learns from '{found.table}', which is not a silver table", learning.place,
            f"Name one of: {listed(silver.name for silver in graph.silver)}.",
        )  # fmt: skip
    if not learning.kinds:
        yield Problem("BadModel", "the model has no kind", learning.place, 'Name one at least: kinds=("simple",).')


def _latest(graph: Graph, table: Gold) -> Iterator[Problem]:
    if not table.latest_by:
        return
    for name in ("late_by", "looks_back"):
        if getattr(table, name) is not None:
            yield Problem(
                "LatestBy", f"gold table '{table.name}' keeps the last row of each {', '.join(table.latest_by)}, and "
                f"cannot have a {name} too", table.place,
                f"Take out {name}: a row counts when it comes, however late, unless a newer one is there.",
            )  # fmt: skip
    yield from _unknown_columns(graph, table, "latest_by", table.latest_by)


def _last(graph: Graph, table: Gold) -> Iterator[Problem]:
    last = table.last
    if last is None:
        return
    if isinstance(last.rows, bool) or not isinstance(last.rows, int) or last.rows < 1:
        yield Problem(
            "BadLast", f"gold table '{table.name}' looks back at the last {last.rows!r} rows of each key", table.place,
            'Say how many there are at most: Last(1, of="key", within="1 hour").',
        )  # fmt: skip
    if not last.key:
        yield Problem(
            "BadLast", f"gold table '{table.name}' looks back at the last rows of nobody", table.place,
            "Name the columns of their key: of=...",
        )  # fmt: skip
    within: object = last.within  # whatever was written there
    if within is None:
        yield Problem(
            "BadLast", f"gold table '{table.name}' looks back at the last rows of each key without end", table.place,
            'Say how far back they are at most: within="1 hour".',
        )  # fmt: skip
    yield from _unknown_columns(graph, table, "looks_back", last.key)


def _unknown_columns(graph: Graph, table: Gold, where: str, named: tuple[str, ...]) -> Iterator[Problem]:
    silver = graph.find(table.reads)
    if not isinstance(silver, Silver):
        return
    try:
        known = ddl.columns(silver.schema)
    except ddl.NotSql:
        return  # reported with the silver table
    for column in named:
        if column not in known:
            yield Problem(
                "UnknownColumn", f"{where} of '{table.name}' names '{column}', which '{silver.name}' does not have",
                table.place, f"Name one of: {listed(known)}.{nearest(str(column), known)}",
            )  # fmt: skip


def takes_rows(table: Silver | Gold) -> Iterator[Problem]:
    """A table's function is called with one DataFrame, and one for each table beside its rows."""
    if inspect.iscoroutinefunction(table.function):
        yield Problem(
            "BadFunction", f"the function of '{table.name}' is `async`, and nobody would await it", table.place,
            "Write def, without async.",
        )  # fmt: skip
    beside = [name_of(wanted).rpartition("/")[2] for wanted in table.beside] if isinstance(table, Gold) else []
    beside += ["model"] if isinstance(table, Gold) and table.model else []
    try:
        inspect.signature(table.function).bind(None, *beside)
    except TypeError:
        what = f"rows and {', '.join(beside)}" if beside else "rows alone"
        yield Problem(
            "BadFunction", f"the function of '{table.name}' cannot be called with {what}", table.place,
            f"Let these be its parameters: def {table.name.rpartition('/')[2]}({', '.join(['rows', *beside])}).",
        )  # fmt: skip


def spans(table: Node, **given: str | None) -> Iterator[Problem]:
    for name, text in given.items():
        if text is None:
            continue
        try:
            span = parse_duration(text)
        except ValueError as problem:
            yield Problem("BadDuration", f"{name} of '{table.name}': {problem}", table.place, "Mend the span.")
        else:
            if name == "looks_back" and not span:
                yield Problem("BadDuration", f"{name} of '{table.name}' is nothing", table.place, "Give it a span.")
            elif span > LONGEST:
                yield Problem(
                    "BadDuration", f"{name} of '{table.name}' is {text}: a hundred years are the most", table.place,
                    "Give it a shorter span.",
                )  # fmt: skip


def _span(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError:
        return None
