"""Whether what watches a table makes sense: the table, the key, and each rule with its detector."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vigie import ddl
from vigie.graph import SEVERITIES, AlertDelivery, Gold, Graph, Input, Place, Quiet, Rule, Silver, Watch, name_of
from vigie.problem import Problem, bad_sink, listed, nearest

NAME = re.compile(r"[A-Z][A-Z0-9_]*")
NUMBERS = frozenset({"TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL"})
NO_KEYS = frozenset({"ARRAY", "MAP", "STRUCT"})


def watch_problems(graph: Graph) -> Iterator[Problem]:
    """Everything that is wrong with the watches of a pipeline and their rules."""
    yield from _names(graph)
    seen: dict[tuple[str, str], Watch] = {}
    for watch in graph.watches:
        yield from _rules(watch)
        yield from _deliveries(watch)
        found = graph.find(watch.reads)
        if not isinstance(found, Silver) and not (isinstance(found, Gold) and found.looks_back):
            yield _no_silver(graph, "watch()", watch.reads, watch.place)
            continue
        first = seen.setdefault((found.table, watch.key), watch)
        if first is not watch:
            yield Problem(
                "DuplicateName", f"'{found.name}' is watched by '{watch.key}' twice, first at {first.place}",
                watch.place, "Declare all rules of it on one watch.",
            )  # fmt: skip
        if isinstance(found, Silver):  # what a gold table has is known once its function is run
            yield from _table(watch, found)
        if watch.quiet is not None:
            yield from _quiet(graph, watch.quiet, found)


def _names(graph: Graph) -> Iterator[Problem]:
    seen: dict[str, Rule] = {}
    for rule in (rule for watch in graph.watches for rule in watch.rules):
        if not isinstance(rule.name, str) or not NAME.fullmatch(rule.name):
            yield Problem(
                "BadName", f"{rule.name!r} cannot be a rule's name", rule.place,
                "Use capital letters, digits and '_', beginning with a letter: HIGH_TEMP.",
            )  # fmt: skip
        first = seen.setdefault(rule.name, rule)
        if first is not rule:
            yield Problem(
                "DuplicateName", f"the rule '{rule.name}' is declared twice, first at {first.place}", rule.place,
                "Give one of them another name: an alert is known by its rule and its key.",
            )  # fmt: skip


def _rules(watch: Watch) -> Iterator[Problem]:
    if not watch.rules:
        yield Problem(
            "NoRule", f"the watch over '{name_of(watch.reads)}' has no rule", watch.place,
            'Say what raises an alert: watched.alert("TOO_WARM", Above("temperature_c", 30)).',
        )  # fmt: skip
    for rule in watch.rules:
        yield from _severity(f"the severity of '{rule.name}'", rule.severity, rule.place)
        for problem in _settings(rule):
            yield Problem(
                "BadDetector", f"{type(rule.detector).__name__} of the rule '{rule.name}': {problem}", rule.place,
                "Mend its settings.",
            )  # fmt: skip


def _settings(rule: Rule) -> list[str]:
    """What is wrong with a detector's settings; one that cannot even be asked was given something of another kind."""
    try:
        return list(rule.detector.problems())
    except (TypeError, AttributeError) as problem:
        return [f"it cannot be used as {rule.detector!r}: {problem}"]


def _deliveries(watch: Watch) -> Iterator[Problem]:
    seen: dict[str, AlertDelivery] = {}
    for delivery in watch.deliveries:
        wrong = list(bad_sink(delivery.to, "name", delivery.place))
        yield from wrong
        yield from _severity("at_least of the delivery", delivery.at_least, delivery.place)
        if wrong:
            continue
        first = seen.setdefault(delivery.to.name, delivery)
        if first is not delivery:
            yield Problem(
                "DuplicateName", f"alerts are delivered to '{delivery.to.name}' twice, first at {first.place}",
                delivery.place, "Give one of them another name: how far each was told is kept under it.",
            )  # fmt: skip


def _severity(what: str, severity: str, place: Place) -> Iterator[Problem]:
    if severity not in SEVERITIES:
        yield Problem(
            "BadSeverity", f"{what} is {severity!r}", place,
            f"Say one of: {listed(SEVERITIES)}.{nearest(str(severity), SEVERITIES)}",
        )  # fmt: skip


def _no_silver(graph: Graph, what: str, wanted: Input, place: Place) -> Problem:
    name, found, silver = name_of(wanted), graph.find(wanted), [table.name for table in graph.silver]
    if found is None:
        return Problem(
            "UnknownInput", f"{what} names '{name}', which pipeline '{graph.name}' does not declare", place,
            f"Name one of: {listed(silver)}.{nearest(name, silver)}",
        )  # fmt: skip
    return Problem(
        "WrongInput", f"{what} names '{found.table}', which is not a silver table", place,
        f"Name one of: {listed(silver)}.",
    )  # fmt: skip


def _quiet(graph: Graph, quiet: Quiet, watched: Silver | Gold) -> Iterator[Problem]:
    spans = graph.find(quiet.reads)
    if not isinstance(spans, Silver):
        yield _no_silver(graph, "quiet_during()", quiet.reads, quiet.place)
        return
    for table, columns in ((spans, (quiet.on, quiet.starts, quiet.ends, quiet.what)), (watched, (quiet.on,))):
        known = _known(table) if isinstance(table, Silver) else {}
        for column in columns if known else ():
            if column not in known:
                yield Problem(
                    "UnknownColumn", f"quiet_during() names '{column}', which is no column of '{table.name}'",
                    quiet.place, f"Name one of: {listed(known)}.{nearest(column, known)}",
                )  # fmt: skip
            elif column in {quiet.starts, quiet.ends} and known[column].sql(dialect="spark") != "TIMESTAMP":
                yield Problem(
                    "BadType", f"'{column}' of '{table.name}' is no TIMESTAMP, and bounds a span of time", quiet.place,
                    "Make it one in the silver function and in the schema.",
                )  # fmt: skip


def _known(table: Silver) -> dict[str, ddl.Type]:
    """The columns of a table; none when its schema cannot be read, which is reported with the table."""
    try:
        return ddl.columns(table.schema)
    except ddl.NotSql:
        return {}


def _table(watch: Watch, table: Silver) -> Iterator[Problem]:
    if table.event_time is None:
        yield Problem(
            "NoEventTime", f"'{table.name}' is watched, and has no event time in whose order its rows are judged",
            watch.place, f"Give '{table.name}' an event_time and a late_by.",
        )  # fmt: skip
    known = _known(table)
    if not known:
        return
    if watch.key not in known:
        yield Problem(
            "UnknownColumn", f"the watch over '{table.name}' has the key '{watch.key}', which is no column of it",
            watch.place, f"Name one of: {listed(known)}.{nearest(str(watch.key), known)}",
        )  # fmt: skip
    elif known[watch.key].this.name in NO_KEYS:
        yield Problem(
            "BadKey", f"the key '{watch.key}' of the watch over '{table.name}' is of the type "
            f"{known[watch.key].sql(dialect='spark')}", watch.place, "Name a column that holds one value.",
        )  # fmt: skip
    for rule in watch.rules:
        if not _settings(rule):
            strange = list(_columns(rule, table, known))
            yield from strange or _conditions(rule, known)


def _conditions(rule: Rule, known: dict[str, ddl.Type]) -> Iterator[Problem]:
    """Whether DuckDB, which is asked, knows what a condition in SQL says."""
    judgement = rule.detector.judgement
    if judgement is None or not judgement.conditions:
        return
    import duckdb

    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE there ({ddl.columns_in_duckdb(known)})")
        for condition in judgement.conditions:
            try:
                [kind] = database.sql(f"SELECT {condition} FROM there").types
                reason = "" if kind == "BOOLEAN" else f"it gives a value of the type {kind}, and not whether it holds"
            except duckdb.Error as problem:
                reason = str(problem).splitlines()[0]
            if reason:
                yield Problem(
                    "BadDetector", f"the condition of the rule '{rule.name}' cannot be asked: {reason}", rule.place,
                    "Conditions are worked out by DuckDB: write what both it and Spark know.",
                )  # fmt: skip


def _columns(rule: Rule, table: Silver, known: dict[str, ddl.Type]) -> Iterator[Problem]:
    measured = getattr(rule.detector, "column", None)  # a condition in SQL may name columns of any type
    for column in rule.detector.columns:
        if column not in known:
            yield Problem(
                "UnknownColumn", f"the rule '{rule.name}' looks at '{column}', which is no column of '{table.name}'",
                rule.place, f"Name one of: {listed(known)}.{nearest(str(column), known)}",
            )  # fmt: skip
        elif column == measured and known[column].this.name not in NUMBERS:
            yield Problem(
                "BadType", f"the rule '{rule.name}' measures '{column}', which is of the type "
                f"{known[column].sql(dialect='spark')}", rule.place,
                "Name a column of numbers, or make it one in the silver function.",
            )  # fmt: skip
