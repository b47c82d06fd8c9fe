"""Whether what a pipeline declares makes sense: every problem at once, without Spark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sqlglot import exp

from vigie import ddl
from vigie.avro_problems import avro_problems
from vigie.delivery_problems import delivery_problems
from vigie.errors import BadDeclaration
from vigie.gold_problems import gold_problems, learning_problems, spans, takes_rows
from vigie.graph import Gold, Graph, Node, Silver, Source
from vigie.pipeline import Pipeline
from vigie.problem import Problem, listed, nearest, unknown
from vigie.question import Question
from vigie.watch_problems import watch_problems

LONGEST_NAME = 200  # of a folder: most disks take 255 bytes, and notes beside a table have longer names
NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*")
ENGINE_COLUMNS = ("received_at",)


def problems(pipeline: Pipeline, *, functions_too: bool = False) -> list[Problem]:
    """Everything that is wrong with a pipeline, in the order of its file; on demand also what its functions call."""
    graph = pipeline.graph()
    found = [
        *_names(pipeline, graph),
        *_inputs(graph),
        *_cycles(graph),
        *(problem for source in graph.sources for problem in _source(source)),
        *(problem for source in graph.sources for problem in avro_problems(source)),
        *(problem for table in graph.silver for problem in _silver(graph, table)),
        *(problem for table in graph.gold for problem in gold_problems(graph, table)),
        *(learning_problems(graph, graph.learning) if graph.learning else ()),
        *(problem for delivery in graph.deliveries for problem in delivery_problems(graph, delivery)),
        *watch_problems(graph),
        *(problem for question in pipeline.questions.values() for problem in _question(graph, question)),
    ]
    if functions_too:
        from vigie.evaluation_problems import evaluation_problems

        found += evaluation_problems(graph, pipeline.questions.values())
    return sorted(found, key=lambda problem: (problem.place.file, problem.place.line))


def checked(pipeline: Pipeline, *, functions_too: bool = False) -> Graph:
    """The pipeline's graph, or BadDeclaration with every problem."""
    found = problems(pipeline, functions_too=functions_too)
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
        elif isinstance(table, Gold) and isinstance(found, Source):
            yield Problem(
                "WrongInput", f"gold table '{table.name}' reads '{found.table}', which is not a silver table",
                table.place, f"Read one of: {listed(silver.name for silver in graph.silver)}.",
            )  # fmt: skip
        elif isinstance(table, Gold) and isinstance(found, Gold) and not (table.looks_back and found.looks_back):
            yield Problem(
                "WrongInput", f"gold table '{table.name}' reads '{found.table}', and one of them does not look back",
                table.place, "Give both a looks_back, or read a silver table.",
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
    feeds: dict[str, object] = {"simulated": source.simulated, "live": source.live}
    for name, feed in feeds.items():
        if feed is not None and not callable(feed):
            yield Problem(
                "BadFunction", f"{name}={feed!r} of '{source.name}' is no function", source.place,
                "Give the function itself: the one that makes the messages of `vigie feed`.",
            )  # fmt: skip
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
    yield from spans(source, future=source.future)
    if source.key is not None and source.key not in known:
        yield _no_column(source, "the key", source.key, known)


def _silver(graph: Graph, table: Silver) -> Iterator[Problem]:
    yield from takes_rows(table)
    yield from spans(table, late_by=table.late_by)
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
                    f"{nearest(column, usable)} Mend: {text}".lstrip(),
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
