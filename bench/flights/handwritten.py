"""The same three tables as a good engineer writes them in PySpark: one query a table, one after the other.

Run as `python -m bench.flights.handwritten SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from bench.began import begin
from bench.classic import start
from bench.flights.tables import BRONZE, GOLD, SILVER, SILVER_COLUMNS
from bench.streams import topic_of, write
from vigie.flights.classes import aircraft_class
from vigie.flights.opensky import STATE_VECTOR
from vigie.flights.phases import flight_phase
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def parsed() -> Column:
    """A message as a state vector; null where it is no JSON object."""
    return F.from_json(F.col("value").cast("string"), STATE_VECTOR)


def reports(vectors: DataFrame) -> DataFrame:
    """Position reports, in metres and km/h."""
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
    return typed.select(*SILVER_COLUMNS).where("latitude IS NOT NULL AND longitude IS NOT NULL")


def silver(messages: DataFrame) -> DataFrame:
    """One position report of one aircraft, once."""
    return (
        reports(messages.select(parsed().alias("v")).select("v.*"))
        .withWatermark("event_timestamp", "6 minutes")
        .dropDuplicatesWithinWatermark(["icao24", "time_position"])
    )


def gold(rows: DataFrame) -> DataFrame:
    """Aircraft in each phase of flight, minute by minute."""
    counted = rows.groupBy(F.window("event_timestamp", "1 minute"), "flight_phase").agg(
        F.size(F.collect_set("icao24")).cast("bigint").alias("flight_count"),
        F.avg("altitude_meters").alias("avg_altitude"),
        F.avg("velocity_kmh").alias("avg_velocity"),
    )
    bounds = F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")
    return counted.select(*bounds, "flight_phase", "flight_count", "avg_altitude", "avg_velocity")


def main(servers: str, topic: str, folder: Path) -> None:
    spark = start(read_settings(), "by hand")
    begin(folder)
    raw = topic_of(spark, servers, topic).drop("timestampType")
    write(raw.withColumn("received_at", F.current_timestamp()), folder, BRONZE)
    write(silver(topic_of(spark, servers, topic)), folder, SILVER)
    made = spark.readStream.format("delta").option("withEventTimeOrder", "true").load(str(folder / SILVER))
    write(gold(made.withWatermark("event_timestamp", "2 minutes")), folder, GOLD)
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
