"""Whether what a pipeline declares makes sense: every problem at once, without Spark."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from sqlglot import exp

from vigie import ddl
from vigie.avro_problems import avro_problems
from vigie.delivery_problems import delivery_problems
from vigie.duration import parse_duration
from vigie.errors import BadDeclaration
from vigie.graph import Gold, Graph, Node, Silver, Source, name_of
from vigie.pipeline import Pipeline
from vigie.problem import Problem, listed, nearest, unknown
from vigie.question import Question
from vigie.watch_problems import watch_problems

LONGEST_NAME = 200  # of a folder: most disks take 255 bytes, and notes beside a table have longer names
NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*")
ENGINE_COLUMNS = ("received_at",)


def problems(pipeline: Pipeline) -> list[Problem]:
    """Everything that is wrong with a pipeline, in the order of its file."""
    graph = pipeline.graph()
    found = [
        *_names(pipeline, graph),
        *_inputs(graph),
        *_cycles(graph),
        *(problem for source in graph.sources for problem in _source(source)),
        *(problem for source in graph.sources for problem in avro_problems(source)),
        *(problem for table in graph.silver for problem in _silver(graph, table)),
        *(problem for table in graph.gold for problem in _gold(graph, table)),
        *(problem for delivery in graph.deliveries for problem in delivery_problems(graph, delivery)),
        *watch_problems(graph),
        *(problem for question in pipeline.questions.values() for problem in _question(graph, question)),
    ]
    return sorted(found, key=lambda problem: (problem.place.file, problem.place.line))


def checked(pipeline: Pipeline) -> Graph:
    """The pipeline's graph, or BadDeclaration with every problem."""
    found = problems(pipeline)
    if found:
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        listing = "\n\n".join(str(problem) for problem in found)
        raise BadDeclaration(f"pipeline '{pipeline.name}' has {count}", do=f"\n{listing}")
    return pipeline.graph()


def _names(pipeline: Pipeline, graph: Graph) -> Iterator[Problem]:
    if not NAME.fullmatch(pipeline.name) or "/" in pipeline.name:
        yield Problem(
            "BadName", f"'{pipeline.name}' cannot be a pipeline's name", pipeline.place,
            "Use small letters, digits and '_', beginning with a letter.",
        )  # fmt: skip
    if not graph.sources:
        yield Problem(
            "NoSource", f"pipeline '{graph.name}' declares no source", pipeline.place,
            f'Say what comes in: {graph.name}.source("NAME", schema="...").',
        )  # fmt: skip
    elif not graph.main_sources:
        yield Problem(
            "NoSource", f"every source of pipeline '{graph.name}' is context", pipeline.place,
            "Take context=True from the one that the pipeline is about.",
        )  # fmt: skip
    seen: dict[str, Node] = {}
    for node in graph.nodes():
        if not NAME.fullmatch(node.name):
            yield Problem(
                "BadName", f"'{node.name}' cannot be a table's name", node.place,
                "Use small letters, digits and '_', with '/' for folders: it becomes a path in the lake.",
            )  # fmt: skip
        if len(node.name.rpartition("/")[2]) > LONGEST_NAME:
            yield Problem(
                "BadName", f"a table's name of {len(node.name)} letters is longer than a folder's may be", node.place,
                "Find a shorter one.",
            )  # fmt: skip
        if node.table in seen:
            yield Problem(
                "DuplicateName", f"'{node.table}' is declared twice, first at {seen[node.table].place}",
                node.place, "Give one of them another name.",
            )  # fmt: skip
        seen.setdefault(node.table, node)
    for node in seen.values():
        outer = next((other for other in seen if node.table.startswith(f"{other}/")), None)
        if outer is not None:
            yield Problem(
                "BadName", f"'{node.table}' would lie within the folder of '{outer}', and be tidied away with "
                "its files", node.place, "Give one of them another name.",
            )  # fmt: skip
    # A source and a gold table are a query each, and a query's checkpoint has its name.
    sources = {source.name: source for source in graph.sources}
    for table in graph.gold:
        if table.name in sources:
            yield Problem(
                "DuplicateName", f"gold table '{table.name}' has the name of a source, at {sources[table.name].place}",
                table.place, "Give one of them another name.",
            )  # fmt: skip


def _inputs(graph: Graph) -> Iterator[Problem]:
    for table in graph.tables():
        found = graph.find(table.reads)
        if found is None:
            yield unknown(graph, f"table '{table.name}' reads", table.reads, table.place)
        elif isinstance(table, Silver) and not isinstance(found, Source):
            yield Problem(
                "WrongInput", f"silver table '{table.name}' reads '{found.table}', which is not a source",
                table.place, f"Read one of: {listed(source.name for source in graph.sources)}.",
            )  # fmt: skip
        elif isinstance(table, Gold) and not isinstance(found, Silver):
            yield Problem(
                "WrongInput", f"gold table '{table.name}' reads '{found.table}', which is not a silver table",
                table.place, f"Read one of: {listed(silver.name for silver in graph.silver)}.",
            )  # fmt: skip


def _cycles(graph: Graph) -> Iterator[Problem]:
    reported: set[str] = set()
    for start in graph.tables():
        path: list[str] = []
        node: Node | None = start
        while isinstance(node, Silver | Gold) and node.table not in path:
            path.append(node.table)
            node = graph.find(node.reads)
        if isinstance(node, Silver | Gold) and node is start and start.table not in reported:
            reported.update(path)
            yield Problem(
                "Cycle", f"'{start.name}' reads itself: {' <- '.join([*path, start.table])}", start.place,
                "Let one of them read a source or a table outside the circle.",
            )  # fmt: skip


def _source(source: Source) -> Iterator[Problem]:
    try:
        known = ddl.columns(source.schema)
    except ddl.NotSql as problem:
        yield _bad_schema(source, problem)
        return
    for column, kind in known.items():
        if (part := ddl.unreadable(kind)) is not None:
            yield Problem(
                "BadSchema", f"the field '{column}' of '{source.name}' is a {part}, which JSON has no form for",
                source.place, "Take it as a STRING, and make of it what you need in a silver function.",
            )  # fmt: skip
    for column in known.keys() & set(ENGINE_COLUMNS):
        yield Problem(
            "BadSchema", f"the field '{column}' of '{source.name}' has the name of a column that every row is given",
            source.place, "Have the feed name it otherwise.",
        )  # fmt: skip
    if source.key is not None and source.key not in known:
        yield _no_column(source, "the key", source.key, known)


def _silver(graph: Graph, table: Silver) -> Iterator[Problem]:
    yield from _takes_rows(table)
    yield from _spans(table, late_by=table.late_by)
    yield from _event_time_and_late_by(table)
    if table.unique and table.event_time is None:
        yield Problem(
            "NoEventTime", f"silver table '{table.name}' is unique within a time that it does not declare",
            table.place, 'Add event_time="COLUMN" and late_by="6 minutes": they bound what must be remembered.',
        )  # fmt: skip
    try:
        known = ddl.columns(table.schema)
    except ddl.NotSql as problem:
        yield _bad_schema(table, problem)
        return
    for column in table.unique:
        if column not in known:
            yield _no_column(table, "the unique key", column, known)
    if table.event_time is not None and table.event_time not in known:
        yield _no_column(table, "the event time", table.event_time, known)
    elif table.event_time is not None and known[table.event_time].sql(dialect="spark") != "TIMESTAMP":
        yield Problem(
            "BadEventTime", f"the event time '{table.event_time}' of '{table.name}' is not a TIMESTAMP",
            table.place, "Make it one in the function and in the schema, for example with F.timestamp_seconds.",
        )  # fmt: skip
    yield from _expectations(graph, table, known)


def _event_time_and_late_by(table: Silver) -> Iterator[Problem]:
    if table.event_time is not None and table.late_by is None:
        yield Problem(
            "NoWatermark", f"silver table '{table.name}' has an event time but no late_by", table.place,
            'Say how late a row may come: late_by="6 minutes".',
        )  # fmt: skip
    if table.late_by is not None and table.event_time is None:
        yield Problem(
            "NoEventTime", f"silver table '{table.name}' has a late_by but no event time", table.place,
            'Say which column tells when it happened: event_time="COLUMN".',
        )  # fmt: skip


def _expectations(graph: Graph, table: Silver, known: dict[str, ddl.Type]) -> Iterator[Problem]:
    source = graph.find(table.reads)
    own_rules = source.own_rules if isinstance(source, Source) else ()
    usable = set(known) | set(ENGINE_COLUMNS)
    if isinstance(source, Source):
        try:
            usable |= set(ddl.columns(source.schema))
        except ddl.NotSql:
            return  # reported with the source
    for rule, text in table.expect.items():
        if rule in own_rules:
            yield Problem(
                "DuplicateName", f"the rule '{rule}' of '{table.name}' has the name of a rule that every row is "
                "held to", table.place, "Give it another name.",
            )  # fmt: skip
        try:
            parsed = ddl.condition(text)
        except ddl.NotSql as problem:
            yield Problem(
                "BadExpectation", f"the rule '{rule}' of '{table.name}' is not a condition in SQL: {problem}",
                table.place, f"Mend: {text}",
            )  # fmt: skip
            continue
        named = known.get(parsed.name) if isinstance(parsed, exp.Column) and not parsed.table else None
        if named is not None and named.this.name != "BOOLEAN":
            yield Problem(
                "BadExpectation", f"the rule '{rule}' of '{table.name}' is the column '{parsed.name}', which says not "
                "whether something holds", table.place, f"Compare it with something: {text} > 0",
            )  # fmt: skip
        folded = {name.lower() for name in usable}
        for column in ddl.named_columns(parsed):
            if column.lower() not in folded:
                yield Problem(
                    "UnknownColumn", f"the rule '{rule}' of '{table.name}' names '{column}', which is a column "
                    "neither of the table nor of its source", table.place,
                    f"Mend: {text}{nearest(column, usable)}",
                )  # fmt: skip


def _gold(graph: Graph, table: Gold) -> Iterator[Problem]:
    yield from _takes_rows(table)
    yield from _spans(table, late_by=table.late_by, looks_back=table.looks_back)
    yield from _beside(graph, table)
    yield from _latest(graph, table)
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
    silver = graph.find(table.reads)
    if isinstance(silver, Silver):
        try:
            known = ddl.columns(silver.schema)
        except ddl.NotSql:
            return  # reported with the silver table
        for column in table.latest_by:
            if column not in known:
                yield Problem(
                    "UnknownColumn", f"latest_by of '{table.name}' names '{column}', which '{silver.name}' does not "
                    "have", table.place, f"Name one of: {listed(known)}.{nearest(column, known)}",
                )  # fmt: skip


def _takes_rows(table: Silver | Gold) -> Iterator[Problem]:
    """A table's function is called with one DataFrame, and one for each table beside its rows."""
    if inspect.iscoroutinefunction(table.function):
        yield Problem(
            "BadFunction", f"the function of '{table.name}' is `async`, and nobody would await it", table.place,
            "Write def, without async.",
        )  # fmt: skip
    beside = [name_of(wanted).rpartition("/")[2] for wanted in table.beside] if isinstance(table, Gold) else []
    try:
        inspect.signature(table.function).bind(None, *beside)
    except TypeError:
        what = f"rows and {', '.join(beside)}" if beside else "rows alone"
        yield Problem(
            "BadFunction", f"the function of '{table.name}' cannot be called with {what}", table.place,
            f"Let these be its parameters: def {table.name.rpartition('/')[2]}({', '.join(['rows', *beside])}).",
        )  # fmt: skip


def _question(graph: Graph, question: Question) -> Iterator[Problem]:
    known = {node.name.rpartition("/")[2] for node in graph.nodes()}
    for name in question.tables:
        if name not in known:
            yield Problem(
                "UnknownTable", f"the question '{question.name}' asks for '{name}', which is no table of "
                f"pipeline '{graph.name}'", question.place,
                f"Name its parameters after tables: {listed(sorted(known))}.{nearest(name, known)}",
            )  # fmt: skip


def _spans(table: Silver | Gold, **spans: str | None) -> Iterator[Problem]:
    for name, text in spans.items():
        if text is None:
            continue
        try:
            span = parse_duration(text)
        except ValueError as problem:
            yield Problem("BadDuration", f"{name} of '{table.name}': {problem}", table.place, "Mend the span.")
        else:
            if name == "looks_back" and not span:
                yield Problem("BadDuration", f"{name} of '{table.name}' is nothing", table.place, "Give it a span.")


def _span(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError:
        return None


def _bad_schema(node: Source | Silver, problem: ddl.NotSql) -> Problem:
    return Problem(
        "BadSchema", f"the schema of '{node.name}' cannot be read: {problem}", node.place,
        "Write DDL: name TYPE, name TYPE ...",
    )  # fmt: skip


def _no_column(node: Source | Silver, what: str, column: str, known: Iterable[str]) -> Problem:
    known = list(known)
    return Problem(
        "UnknownColumn", f"{what} of '{node.name}' names '{column}', which its schema does not have", node.place,
        f"Name one of: {listed(known)}.{nearest(column, known)}",
    )  # fmt: skip
