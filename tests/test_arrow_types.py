"""DDL as Arrow has it is what Spark makes of the same DDL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from vigie.arrow_types import arrow_schema, spark_name
from vigie.ddl import NotSql
from vigie.graph import Silver, Source
from vigie.pipeline import SHIPPED, load

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def of_spark(ddl: str) -> StructType:
    """The columns as Spark reads them; it needs a session."""
    schema = StructType.fromDDL(ddl)
    assert isinstance(schema, StructType)
    return schema


@pytest.mark.parametrize(
    "ddl",
    [
        "a STRING, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h BOOLEAN, i DATE, j TIMESTAMP",
        "a DECIMAL, b DECIMAL(5), c DECIMAL(38, 6), d BINARY",
        "a ARRAY<INT>, b MAP<STRING, DOUBLE>, c STRUCT<x: INT, y: ARRAY<STRUCT<z: TIMESTAMP>>>, `d e` INT",
    ],
)
def test_a_schema_is_what_spark_makes_of_it(ddl: str, spark: SparkSession) -> None:  # noqa: ARG001
    assert arrow_schema(ddl) == to_arrow_schema(of_spark(ddl))


@pytest.mark.parametrize(
    "name",
    ["boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal(10,2)", "string", "binary", "date",
     "timestamp", "timestamp_ntz", "array<string>", "map<string,array<double>>", "struct<a:int,b c:struct<d:date>>"],
)  # fmt: skip
def test_a_type_has_the_name_that_spark_gives_it(name: str, spark: SparkSession) -> None:  # noqa: ARG001
    ddl = f"x {name}".replace("b c", "`b c`")

    assert spark_name(arrow_schema(ddl).field("x").type) == name == of_spark(ddl)["x"].dataType.simpleString()


@pytest.mark.parametrize("kind", [pa.duration("us"), pa.time64("us"), pa.uint8()])
def test_what_no_table_holds_has_no_name(kind: pa.DataType) -> None:
    with pytest.raises(NotSql, match="is no type that a table can have"):
        spark_name(kind)


@pytest.mark.parametrize("pipeline", SHIPPED)
def test_so_are_those_of_the_shipped_pipelines(pipeline: str, spark: SparkSession) -> None:  # noqa: ARG001
    graph = load(pipeline).graph()

    nodes: list[Source | Silver] = [*graph.sources, *graph.silver]
    for node in nodes:
        assert arrow_schema(node.schema) == to_arrow_schema(of_spark(node.schema)), node.name
