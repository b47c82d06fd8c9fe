"""The same three tables as a good engineer writes them in PySpark: one query a table, one after the other.

Run as `python -m bench.flights.handwritten SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from bench.streams import topic_of, write
from vigie.engine.session import start
from vigie.flights.classes import aircraft_class
from vigie.flights.opensky import STATE_VECTOR
from vigie.flights.phases import flight_phase
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SILVER_COLUMNS = (
    "icao24", "time_position", "event_timestamp", "callsign", "origin_country", "latitude", "longitude",
    "altitude_meters", "velocity_kmh", "vertical_rate_ms", "heading_deg", "on_ground", "category",
    "squawk", "flight_phase", "aircraft_class",
)  # fmt: skip


def silver(messages: DataFrame) -> DataFrame:
    """One position report of one aircraft, once."""
    vectors = messages.select(F.from_json(F.col("value").cast("string"), STATE_VECTOR).alias("v")).select("v.*")
    typed = vectors.withColumns(
        {
            "event_timestamp": F.col("time_position").cast("timestamp"),
            "callsign": F.trim("callsign"),
            "altitude_meters": F.col("baro_altitude"),
            "velocity_kmh": F.col("velocity") * 3.6,
            "vertical_rate_ms": F.col("vertical_rate"),
            "heading_deg": F.col("true_track"),
            "flight_phase": flight_phase(),
            "aircraft_class": aircraft_class(),
        }
    )
    return (
        typed.select(*SILVER_COLUMNS)
        .where("latitude IS NOT NULL AND longitude IS NOT NULL")
        .withWatermark("event_timestamp", "6 minutes")
        .dropDuplicatesWithinWatermark(["icao24", "time_position"])
    )


def gold(reports: DataFrame) -> DataFrame:
    """Aircraft in each phase of flight, minute by minute."""
    counted = (
        reports.withWatermark("event_timestamp", "2 minutes")
        .groupBy(F.window("event_timestamp", "1 minute"), "flight_phase")
        .agg(
            F.size(F.collect_set("icao24")).cast("bigint").alias("flight_count"),
            F.avg("altitude_meters").alias("avg_altitude"),
            F.avg("velocity_kmh").alias("avg_velocity"),
        )
    )
    bounds = F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")
    return counted.select(*bounds, "flight_phase", "flight_count", "avg_altitude", "avg_velocity")


def main(servers: str, topic: str, folder: Path) -> None:
    spark = start(read_settings(), "by hand")
    raw = topic_of(spark, servers, topic).drop("timestampType")
    write(raw.withColumn("received_at", F.current_timestamp()), folder, BRONZE)
    write(silver(topic_of(spark, servers, topic)), folder, SILVER)
    reports = spark.readStream.format("delta").option("withEventTimeOrder", "true").load(str(folder / SILVER))
    write(gold(reports), folder, GOLD)
    spark.stop()


BRONZE, SILVER = "bronze/flights_raw", "silver/flights_ml"
GOLD = "gold/streaming_aggregations/flight_phase_counts"

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
