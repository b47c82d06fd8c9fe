"""The same tables and alerts as a good engineer writes them in PySpark: one query each, one after the other.

Run as `python -m bench.sensors.handwritten SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from bench.began import begin
from bench.classic import start
from bench.sensors.operator import alerts
from bench.streams import checkpoint, topic_of, write
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

BRONZE, SILVER = "bronze/iot_sensors", "silver/sensor_readings"
READINGS_5M, READINGS_10M = "gold/sensors/readings_5m", "gold/sensors/readings_10m"
EXTREMES, BY_TYPE = "gold/sensors/location_extremes", "gold/sensors/alerts_by_type"
LAST_VALUES, EVENTS = "gold/sensors/last_values", "alert_events"
READING = """sensor_id STRING, timestamp TIMESTAMP, temperature DOUBLE, humidity DOUBLE, pressure DOUBLE,
    location STRING"""
SILVER_COLUMNS = (
    "sensor_id", "event_timestamp", "temperature_c", "humidity_pct", "pressure_hpa", "location", "building", "floor",
    "is_alert", "severity",
)  # fmt: skip
IS_WARNING = "temperature_c > 30 OR temperature_c < 10 OR humidity_pct > 80"
IS_CRITICAL = "temperature_c > 35 OR temperature_c < 5 OR humidity_pct > 90"
IS_VALID = """sensor_id IS NOT NULL AND event_timestamp <= current_timestamp() + INTERVAL 1 MINUTE
    AND temperature_c BETWEEN -50 AND 50 AND humidity_pct BETWEEN 0 AND 100 AND pressure_hpa BETWEEN 870 AND 1085"""


def silver(messages: DataFrame) -> DataFrame:
    """One valid reading of one sensor, once."""
    readings = messages.select(F.from_json(F.col("value").cast("string"), READING).alias("r")).select("r.*")
    typed = readings.withColumns(
        {
            "event_timestamp": F.col("timestamp"),
            "temperature_c": F.col("temperature"),
            "humidity_pct": F.col("humidity"),
            "pressure_hpa": F.col("pressure"),
            "building": F.nullif(F.regexp_extract("location", r"(?i)building\s+(\w+)", 1), F.lit("")),
            "floor": F.regexp_extract("location", r"(?i)floor\s+(-?\d+)", 1).try_cast("int"),
        }
    )
    judged = typed.withColumn("is_alert", F.expr(IS_WARNING)).withColumn(
        "severity", F.expr(f"CASE WHEN {IS_CRITICAL} THEN 'critical' WHEN is_alert THEN 'warning' ELSE 'normal' END")
    )
    return (
        judged.select(*SILVER_COLUMNS)
        .where(IS_VALID)
        .withWatermark("event_timestamp", "10 minutes")
        .dropDuplicatesWithinWatermark(["sensor_id", "event_timestamp"])
    )


def temperatures(readings: DataFrame, window: Column) -> DataFrame:
    """How the temperatures of each sensor are spread within a window."""
    value = F.col("temperature_c")
    spread = readings.groupBy(window, "sensor_id").agg(
        F.count(F.lit(1)).alias("readings"),
        F.avg(value).alias("mean_c"),
        F.min(value).alias("min_c"),
        F.max(value).alias("max_c"),
        F.stddev_samp(value).alias("stddev_c"),
        F.percentile(value, F.lit(0.5)).alias("p50_c"),
        F.percentile(value, F.lit(0.95)).alias("p95_c"),
        F.percentile(value, F.lit(0.99)).alias("p99_c"),
    )
    return _flat(spread)


def extremes(readings: DataFrame) -> DataFrame:
    """The lowest and highest values at each location, every five minutes."""
    found = readings.groupBy(F.window("event_timestamp", "5 minutes"), "location").agg(
        F.count(F.lit(1)).alias("readings"),
        F.min("temperature_c").alias("min_c"),
        F.max("temperature_c").alias("max_c"),
        F.min("humidity_pct").alias("min_humidity_pct"),
        F.max("humidity_pct").alias("max_humidity_pct"),
        F.min("pressure_hpa").alias("min_pressure_hpa"),
        F.max("pressure_hpa").alias("max_pressure_hpa"),
    )
    return _flat(found)


def by_type(readings: DataFrame) -> DataFrame:
    """Readings beyond each limit, and how many sensors had them, every five minutes."""
    kinds = F.array_compact(
        F.array(
            F.when(F.col("temperature_c") > 30, "HIGH_TEMP"),
            F.when(F.col("temperature_c") < 10, "LOW_TEMP"),
            F.when(F.col("humidity_pct") > 80, "HIGH_HUMIDITY"),
        )
    )
    beyond = readings.select("event_timestamp", "sensor_id", F.explode(kinds).alias("alert_type"))
    counted = beyond.groupBy(F.window("event_timestamp", "5 minutes"), "alert_type").agg(
        F.count(F.lit(1)).alias("alerts"),
        F.size(F.collect_set("sensor_id")).cast("bigint").alias("sensors"),
    )
    return _flat(counted)


def _flat(windows: DataFrame) -> DataFrame:
    bounds = F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")
    return windows.select(*bounds, *(name for name in windows.columns if name != "window"))


def keep_last_values(readings: DataFrame, folder: Path) -> None:
    """The newest reading of each sensor."""
    spark, path = readings.sparkSession, str(folder / LAST_VALUES)
    spark.createDataFrame([], readings.schema).write.format("delta").save(path)
    (
        readings.writeStream.foreachBatch(partial(_merge, path))
        .option("checkpointLocation", str(checkpoint(folder, LAST_VALUES)))
        .trigger(availableNow=True)
        .start()
        .awaitTermination()
    )


def _merge(path: str, batch: DataFrame, _number: int) -> None:
    newest = F.max_by(F.struct("*"), "event_timestamp").alias("row")
    rows = batch.groupBy("sensor_id").agg(newest).select("row.*").alias("new")
    held = DeltaTable.forPath(batch.sparkSession, path).alias("held")
    (
        held.merge(rows, "held.sensor_id = new.sensor_id")
        .whenMatchedUpdateAll("new.event_timestamp > held.event_timestamp")
        .whenNotMatchedInsertAll()
        .execute()
    )


def main(servers: str, topic: str, folder: Path) -> None:
    spark = start(read_settings(), "by hand")
    begin(folder)
    raw = topic_of(spark, servers, topic).drop("timestampType")
    write(raw.withColumn("received_at", F.current_timestamp()), folder, BRONZE)
    write(silver(topic_of(spark, servers, topic)), folder, SILVER)
    write(temperatures(_in_order(spark, folder), F.window("event_timestamp", "5 minutes")), folder, READINGS_5M)
    sliding = F.window("event_timestamp", "10 minutes", "5 minutes")
    write(temperatures(_in_order(spark, folder), sliding), folder, READINGS_10M)
    write(extremes(_in_order(spark, folder)), folder, EXTREMES)
    write(by_type(_in_order(spark, folder)), folder, BY_TYPE)
    keep_last_values(spark.readStream.format("delta").load(str(folder / SILVER)), folder)
    write(alerts(spark.readStream.format("delta").load(str(folder / SILVER))), folder, EVENTS)
    spark.stop()


def _in_order(spark: SparkSession, folder: Path) -> DataFrame:
    rows = spark.readStream.format("delta").option("withEventTimeOrder", "true").load(str(folder / SILVER))
    return rows.withWatermark("event_timestamp", "10 minutes")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
