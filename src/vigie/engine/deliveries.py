"""Deliveries: a query for each, from a table of the lake to its sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vigie.engine.ledger import Entry
from vigie.engine.workshop import Workshop
from vigie.graph import Sink

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Step = Callable[["DataFrame", int], list[Entry]]


def deliveries(shop: Workshop) -> Iterator[tuple[str, DataFrame, Step]]:
    """The name of each delivery's query, the rows it follows, and what it does with a batch of them."""
    for at, delivery in enumerate(shop.graph.deliveries):
        node = shop.graph.find(delivery.table)
        assert node is not None
        rows = shop.spark.readStream.format("delta").load(str(shop.lake.path(node.table)))
        yield f"{node.name}-to-{type(delivery.to).__name__.lower()}-{at}", rows, _step(delivery.to)


def _step(sink: Sink) -> Step:
    def step(batch: DataFrame, number: int) -> list[Entry]:
        sink.write(batch, number)
        return []

    return step
