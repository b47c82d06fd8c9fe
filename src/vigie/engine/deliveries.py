"""Deliveries: a query for each, from a table of the lake to its sink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vigie.graph import Graph
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming import DataStreamWriter


def deliver(spark: SparkSession, graph: Graph, lake: Lake) -> Iterator[tuple[str, DataStreamWriter]]:
    """The name of each delivery's query, and how it is written."""
    for at, delivery in enumerate(graph.deliveries):
        node = graph.find(delivery.table)
        assert node is not None
        rows = spark.readStream.format("delta").load(str(lake.path(node.table)))
        name = f"{node.name}-to-{type(delivery.to).__name__.lower()}-{at}"
        yield name, rows.writeStream.foreachBatch(delivery.to.write)
