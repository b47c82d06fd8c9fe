"""What is no mistake in a pipeline, and worth knowing before it runs on a topic of several partitions."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.graph import Graph, Silver, Source


def remarks(graph: Graph) -> Iterator[str]:
    """Where what is kept or judged may come by two partitions, whose messages have no order between them."""
    for table in graph.silver:
        source = graph.find(table.reads)
        if table.unique and isinstance(source, Source) and (source.key is None or source.key not in table.unique):
            yield (
                f"'{table.name}' is unique by {' and '.join(table.unique)}, {_without(source)}: of two such rows that "
                f"come by two partitions, either may be the one that is kept ({table.place})"
            )
    for watch in graph.watches:
        watched = graph.find(watch.reads)
        if not isinstance(watched, Silver):
            continue
        source = graph.find(watched.reads)
        if isinstance(source, Source) and watch.key != source.key:
            yield (
                f"what watches '{watched.name}' judges each {watch.key}, {_without(source)}: rows of one that "
                f"come by two partitions are judged in the order in which they are read. Watch a table that looks back "
                f"at '{watched.name}' instead, and they are judged in the order of time ({watch.place})"
            )


def _without(source: Source) -> str:
    return "and its source has no key" if source.key is None else f"and its source's key is {source.key}"
