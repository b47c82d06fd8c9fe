"""What programs by hand begin and end with: a topic as a stream, and all of a stream in a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MESSAGES_PER_BATCH = 500_000


def topic_of(spark: SparkSession, servers: str, topic: str) -> DataFrame:
    """The topic as a stream, fetched in large pieces."""
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", servers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", MESSAGES_PER_BATCH)
        .option("kafka.max.partition.fetch.bytes", 16 << 20)
        .option("kafka.fetch.max.bytes", 64 << 20)
        .load()
    )


def write(rows: DataFrame, folder: Path, table: str) -> None:
    """Append all that is there to a table, and return when it stands."""
    (
        rows.writeStream.format("delta")
        .option("checkpointLocation", str(checkpoint(folder, table)))
        .trigger(availableNow=True)
        .start(str(folder / table))
        .awaitTermination()
    )


def checkpoint(folder: Path, table: str) -> Path:
    return folder / "checkpoints" / table.replace("/", "-")
