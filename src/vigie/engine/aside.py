"""What is set aside on the way to silver: broken rows with the rules they broke, and late ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F

from vigie.graph import Silver, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

INSTANT = pa.timestamp("us", tz="UTC")
MESSAGE = [
    ("table", pa.string()),
    ("source", pa.string()),
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("file", pa.string()),
    ("line", pa.int64()),
    ("key", pa.binary()),
    ("value", pa.binary()),
    ("received_at", INSTANT),
]
TAIL = [("batch", pa.int64()), ("requeued_at", INSTANT)]
QUARANTINE = pa.schema([*MESSAGE, ("rules", pa.list_(pa.string())), *TAIL])
LATE = pa.schema([*MESSAGE, *TAIL])
SPARK_TYPES = {"topic": "string", "partition": "int", "offset": "bigint", "file": "string", "line": "bigint"}


def quarantined(
    rows: DataFrame, bronze: DataFrame, table: Silver, source: Source, origin: tuple[str, ...]
) -> DataFrame:
    """The messages of broken rows, byte for byte, each with all the rules that it broke."""
    return _messages(rows.select("_origin", F.col("_rules").alias("rules")), bronze, table, source, origin).select(
        QUARANTINE.names
    )


def late(rows: DataFrame, bronze: DataFrame, table: Silver, source: Source, origin: tuple[str, ...]) -> DataFrame:
    """The messages of rows that came too late."""
    return _messages(rows.select("_origin"), bronze, table, source, origin).select(LATE.names)


def _messages(rows: DataFrame, bronze: DataFrame, table: Silver, source: Source, origin: tuple[str, ...]) -> DataFrame:
    """Messages are few here and long, so they are fetched from bronze by their origin, not carried along."""
    spread = rows.select("*", *(F.col(f"_origin.{name}").alias(name) for name in origin)).drop("_origin")
    found = bronze.join(F.broadcast(spread), list(origin))
    missing = {name: F.lit(None).cast(kind) for name, kind in SPARK_TYPES.items() if name not in found.columns}
    return found.withColumns(
        missing
        | {
            "table": F.lit(table.table),
            "source": F.lit(source.name),
            "requeued_at": F.lit(None).cast("timestamp"),
        }
    ).coalesce(1)
