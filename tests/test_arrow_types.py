"""DDL as Arrow has it is what Spark makes of the same DDL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vigie.arrow_types import arrow_schema
from vigie.engine.tables import arrow_schema as of_spark
from vigie.engine.tables import spark_schema
from vigie.graph import Silver, Source
from vigie.pipeline import SHIPPED, load

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.parametrize(
    "ddl",
    [
        "a STRING, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h BOOLEAN, i DATE, j TIMESTAMP",
        "a DECIMAL, b DECIMAL(5), c DECIMAL(38, 6), d BINARY",
        "a ARRAY<INT>, b MAP<STRING, DOUBLE>, c STRUCT<x: INT, y: ARRAY<STRUCT<z: TIMESTAMP>>>, `d e` INT",
    ],
)
def test_a_schema_is_what_spark_makes_of_it(ddl: str, spark: SparkSession) -> None:  # noqa: ARG001
    assert arrow_schema(ddl) == of_spark(spark_schema(ddl))


@pytest.mark.parametrize("pipeline", SHIPPED)
def test_so_are_those_of_the_shipped_pipelines(pipeline: str, spark: SparkSession) -> None:  # noqa: ARG001
    graph = load(pipeline).graph()

    nodes: list[Source | Silver] = [*graph.sources, *graph.silver]
    for node in nodes:
        assert arrow_schema(node.schema) == of_spark(spark_schema(node.schema)), node.name
