"""Thermometers in rooms: readings to ten-minute means and to jumps, as a pipeline of one's own.

From the repository's folder:

    vigie check examples/temperatures/pipeline.py
    vigie run examples/temperatures/pipeline.py --from inbox:examples/temperatures/inbox --once
    vigie query "SELECT * FROM gold.room_means ORDER BY ALL"

The few lines of data have one of each: accepted, broken in four ways, and a repeat.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from vigie import Pipeline
from vigie.arrow_json import objects

READING = "room STRING, measured_at TIMESTAMP, celsius DOUBLE"


@dataclass(frozen=True)
class JsonFiles:
    """A sink: a file for each batch. A batch that comes again replaces its file, so a repeat does no harm."""

    folder: Path
    module: str = ""
    extra: str = ""

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{batch}.partial"
        unfinished.write_text("".join(f"{line}\n" for part in rows for line in objects(part).to_pylist()))
        unfinished.replace(self.folder / f"{batch:08}.jsonl")


temperatures = Pipeline("temperatures")
readings_raw = temperatures.source("readings_raw", schema=READING, key="room")


@temperatures.silver(
    "readings",
    reads=readings_raw,
    schema=f"{READING}, fahrenheit DOUBLE",
    event_time="measured_at",
    late_by="10 minutes",
    unique=("room", "measured_at"),
    expect={
        "is a temperature of a room": "celsius BETWEEN -20 AND 50",
        "is not from the future": "measured_at <= received_at + INTERVAL 1 MINUTE",
    },
)
def readings(rows: DataFrame) -> DataFrame:
    """One reading of one room's thermometer."""
    return rows.withColumn("fahrenheit", F.col("celsius") * 9 / 5 + 32)


@temperatures.gold("room_means", reads=readings, late_by="5 minutes")
def room_means(rows: DataFrame) -> DataFrame:
    """Mean temperature of each room, every ten minutes."""
    ten_minutes = F.window("measured_at", "10 minutes")
    return rows.groupBy(ten_minutes, "room").agg(
        F.count(F.lit(1)).alias("readings"),
        F.avg("celsius").alias("mean_celsius"),
    )


@temperatures.gold("room_changes", reads=readings, late_by="5 minutes", looks_back="30 minutes")
def room_changes(rows: DataFrame) -> DataFrame:
    """Each reading with the change since the one before it in the same room, at most 30 minutes earlier."""
    in_order = Window.partitionBy("room").orderBy("measured_at")
    return rows.select(
        "room",
        "measured_at",
        "celsius",
        (F.col("celsius") - F.lag("celsius").over(in_order)).alias("change_celsius"),
    )


temperatures.deliver(readings, to=JsonFiles(Path("readings_out")))


@temperatures.question
def warmest_rooms(readings: DataFrame) -> DataFrame:
    """Which rooms are the warmest on average?"""
    mean = F.round(F.avg("celsius"), 1).alias("mean_celsius")
    return readings.groupBy("room").agg(mean).orderBy(F.desc("mean_celsius"), "room")
