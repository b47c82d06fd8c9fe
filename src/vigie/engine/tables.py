"""Delta tables as Spark reads and writes them; what needs no Spark is in vigie.core.delta.tables."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from py4j.protocol import Py4JJavaError

from vigie.core.delta.tables import (
    Stamp,
    append_again,
    append_arrow,
    committed,
    ensure,
    last_batch,
    merge,
    note_of,
    reader,
    rows_written,
    version,
)
from vigie.disk import written
from vigie.lake import opened

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

__all__ = [
    "Stamp",
    "append",
    "append_again",
    "append_arrow",
    "arrow_schema",
    "committed",
    "ensure",
    "held",
    "last_batch",
    "merge",
    "reader",
    "span",
    "spark_schema",
    "version",
]


def spark_schema(ddl: str) -> StructType:
    """The columns that DDL declares; needs a session."""
    from pyspark.sql.types import StructType

    schema = StructType.fromDDL(ddl)
    assert isinstance(schema, StructType)
    return schema


def arrow_schema(schema: StructType) -> pa.Schema:
    """The columns as Arrow and Delta have them: instants in microseconds, UTC."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema)


def append(rows: DataFrame, path: Path, stamp: Stamp, **counts: int) -> int:
    """Append a batch unless it is there already; how many rows the commit itself says it wrote."""
    writer = rows.write.format("delta").mode("append").option("userMetadata", note_of(stamp, counts))
    with written(path, gettempdir()):
        writer.option("txnAppId", stamp.app).option("txnVersion", stamp.batch).save(str(path))
    return rows_written(opened(path), path, stamp, counts)


def held(rows: DataFrame) -> pa.Table | None:
    """A few rows as Arrow; none when they are so long that Spark does not hand them over."""
    try:
        return rows.toArrow()
    except Py4JJavaError as problem:
        if "maxResultSize" not in str(problem):
            raise
        return None


def span(spark: SparkSession, path: Path, column: str, low: int, high: int) -> DataFrame:
    """The rows whose `column`, a whole number, is between these two, read from the very files that hold them.

    Delta would look for the files with code that Spark compiles anew for every pair of numbers: half a second.
    """
    table = opened(path)
    schema = _spark_schema_of(table.schema().to_arrow())
    files = pa.table(table.get_add_actions(flatten=True))
    least, most = files[f"min.{column}"], files[f"max.{column}"]
    overlap = pc.and_kleene(pc.less_equal(least, high), pc.greater_equal(most, low))
    files = files.filter(pc.fill_null(overlap, True))  # a file without figures may hold anything
    if not files.num_rows:
        return spark.createDataFrame([], schema)
    least, most = files[f"min.{column}"], files[f"max.{column}"]
    rows = (
        spark.read.schema(schema)
        .option("__globPaths__", "false")  # a folder may have a bracket or a star in its name
        .parquet(*(str(path / name) for name in files["path"].to_pylist()))
    )
    inside = pc.and_kleene(pc.greater_equal(least, low), pc.less_equal(most, high))
    return rows if pc.all(pc.fill_null(inside, False)).as_py() else rows.where(rows[column].between(low, high))


def _spark_schema_of(schema: pa.Schema) -> StructType:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(pa.schema(schema))
