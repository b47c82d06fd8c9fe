"""Whether a delivery makes sense: the table, the place it goes to, and what it is sent under."""

from __future__ import annotations

from collections.abc import Iterator

from vigie import ddl
from vigie.contracts import MessageSink, RemoteSink
from vigie.duration import parse_duration
from vigie.extras import install_extra, is_installed
from vigie.graph import BRONZE, Delivery, Gold, Graph, Node, Silver, Source, name_of
from vigie.problem import Problem, bad_sink, listed, nearest, unknown


def delivery_problems(graph: Graph, delivery: Delivery) -> Iterator[Problem]:
    """Everything that is wrong with one delivery."""
    found = graph.find(delivery.table)
    if found is None:
        yield unknown(graph, "deliver() names", delivery.table, delivery.place)
    elif isinstance(found, Gold) and found.latest_by:
        yield Problem(
            "WrongInput", f"deliver() names '{found.table}', whose rows are replaced: it has no new ones to send",
            delivery.place, f"Deliver the table it reads, '{name_of(found.reads)}'.",
        )  # fmt: skip
    wrong = list(bad_sink(delivery.to, "module", delivery.place))
    yield from wrong
    if wrong:
        return
    if isinstance(delivery.to, MessageSink):
        yield from _of_messages(graph, found, delivery, delivery.to)
    elif isinstance(found, Silver | Source):
        yield from _sent_under(found, delivery)
    module, extra = delivery.to.module, delivery.to.extra
    # That of the others is, once they are set up: the run looks.
    is_wanted = not isinstance(delivery.to, RemoteSink | MessageSink)
    if module and is_wanted and not is_installed(module):
        yield Problem(
            "MissingExtra", f"{type(delivery.to).__name__} needs the library '{module}', which is not installed",
            delivery.place, install_extra(extra, module),
        )  # fmt: skip
    try:
        parse_duration(getattr(delivery.to, "every", "1 second") or "1 second")
    except ValueError as problem:
        yield Problem("BadDuration", f"every of a delivery: {problem}", delivery.place, "Mend the span.")


def _of_messages(graph: Graph, found: Node | None, delivery: Delivery, sink: MessageSink) -> Iterator[Problem]:
    """Whether a sink of messages is given a source, and an id that its messages have."""
    kind = type(sink).__name__
    if isinstance(found, Silver | Gold):
        yield Problem(
            "WrongInput", f"{kind} takes messages as they come, and deliver() gives it the table '{found.table}'",
            delivery.place, f"Deliver one of: {listed(source.name for source in graph.sources)}.",
        )  # fmt: skip
    if not isinstance(found, Source):
        return
    try:
        known = ddl.columns(found.schema)
    except ddl.NotSql:
        return  # reported with the source
    if (name := sink.id.partition(".")[0]) not in known:
        yield Problem(
            "UnknownColumn", f"{kind} of deliver() names the id '{sink.id}', which is no field of '{found.name}'",
            delivery.place, f"Name one of: {listed(known)}.{nearest(name, known)}",
        )  # fmt: skip


def _sent_under(table: Silver | Source, delivery: Delivery) -> Iterator[Problem]:
    """Whether the columns that a sink names are the table's; those of a gold table are not known before it runs."""
    try:
        known = ddl.columns(table.schema).keys() if isinstance(table, Silver) else BRONZE
    except ddl.NotSql:
        return  # reported with the silver table
    kind = type(delivery.to).__name__
    try:
        columns = list(dict.fromkeys(map(str, getattr(delivery.to, "columns", ()))))
    except (TypeError, ValueError) as problem:
        yield Problem(
            "BadSink", f"{kind} of deliver() is given something that names no column: {problem}", delivery.place,
            "Name columns as text, or as a tuple of texts.",
        )  # fmt: skip
        return
    for column in columns:
        if column not in known:
            yield Problem(
                "UnknownColumn", f"{kind} of deliver() names '{column}', which is no column of '{table.name}'",
                delivery.place, f"Name one of: {listed(known)}.{nearest(column, known)}",
            )  # fmt: skip
