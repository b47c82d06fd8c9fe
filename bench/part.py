"""A pipeline that ships, less what has nothing to do with the one source that is measured."""

from __future__ import annotations

from vigie import Pipeline
from vigie.graph import Gold, Silver


def part_of(shipped: Pipeline, source: str) -> Pipeline:
    """A pipeline of one source, its silver table, and the gold tables that need no other beside it."""
    graph = shipped.graph()
    [found] = [each for each in graph.sources if each.name == source]
    [silver] = [table for table in graph.reading(found) if isinstance(table, Silver)]
    part = Pipeline("bench")
    read = part.source(
        found.name,
        schema=found.schema,
        key=found.key,
        future=found.future,
        format=found.format,
        registry=found.registry,
        avro=found.avro,
    )
    part.silver(
        silver.name,
        reads=read,
        schema=silver.schema,
        event_time=silver.event_time,
        late_by=silver.late_by,
        unique=silver.unique,
        expect=silver.expect,
    )(silver.function)
    for gold in graph.reading(silver):
        if isinstance(gold, Gold) and not gold.beside:
            part.gold(
                gold.name,
                reads=silver.function,
                late_by=gold.late_by,
                looks_back=gold.looks_back,
                latest_by=gold.latest_by,
            )(gold.function)
    return part
