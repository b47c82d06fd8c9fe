"""The same tables as a good engineer writes them in PySpark: one query each, one after the other.

Run as `python -m bench.activity.handwritten SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from bench.activity.messages import SCHEMA
from bench.began import begin
from bench.classic import start
from bench.streams import checkpoint, topic_of, write
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

BRONZE, SILVER = "bronze/user_activity", "silver/user_activity"
PER_MINUTE, DEVICES = "gold/activity/activity_per_minute", "gold/activity/devices_per_minute"
TOP_PAGES, SESSIONS = "gold/activity/top_pages", "gold/activity/sessions"
FRAME_BYTES = 5
SILVER_COLUMNS = (
    "event_id", "user_id", "session_id", "event_timestamp", "action", "page", "device", "is_bot", "schema_version"
)  # fmt: skip
IS_VALID = """event_id <> '' AND user_id IS NOT NULL AND session_id <> '' AND action <> '' AND page <> ''
    AND event_timestamp <= current_timestamp() + INTERVAL 1 MINUTE"""


def silver(messages: DataFrame) -> DataFrame:
    """One valid event, once."""
    body = F.substring("value", FRAME_BYTES + 1, 1 << 30)
    events = messages.select(from_avro(body, SCHEMA, {"mode": "PERMISSIVE"}).alias("e")).select("e.*")
    return (
        events.withColumn("event_timestamp", F.col("timestamp"))
        .select(*SILVER_COLUMNS)
        .where(IS_VALID)
        .withWatermark("event_timestamp", "10 minutes")
        .dropDuplicatesWithinWatermark(["event_id"])
    )


def per_minute(events: DataFrame) -> DataFrame:
    """Events and users of each action on each page, minute by minute."""
    return _flat(events.groupBy(_minute(), "action", "page").agg(_events(), _distinct("user_id", "distinct_users")))


def devices(events: DataFrame) -> DataFrame:
    """Events, those of bots, and users on each kind of device, minute by minute."""
    bots = F.count_if("is_bot").alias("bot_events")
    return _flat(events.groupBy(_minute(), "device").agg(_events(), bots, _distinct("user_id", "distinct_users")))


def pages(events: DataFrame) -> DataFrame:
    """Events and users of each page, every five minutes."""
    counted = events.groupBy(F.window("event_timestamp", "5 minutes"), "page")
    return _flat(counted.agg(_events(), _distinct("user_id", "distinct_users")))


def keep_top_pages(counted: DataFrame, folder: Path) -> None:
    """The ten first of each window: Spark ranks no stream, but a window comes out whole."""
    (
        counted.writeStream.foreachBatch(partial(_rank, str(folder / TOP_PAGES)))
        .option("checkpointLocation", str(checkpoint(folder, TOP_PAGES)))
        .trigger(availableNow=True)
        .start()
        .awaitTermination()
    )


def _rank(path: str, batch: DataFrame, _number: int) -> None:
    first = Window.partitionBy("window_start").orderBy(F.desc("events"), "page")
    ranked = batch.withColumn("rank", F.row_number().over(first)).where("rank <= 10")
    ranked.write.format("delta").mode("append").save(path)


def sessions(events: DataFrame) -> DataFrame:
    """Each session, once nothing came of it for ten minutes."""
    found = events.groupBy(F.session_window("event_timestamp", "10 minutes").alias("window"), "session_id").agg(
        F.min("user_id").alias("user_id"),
        F.min("device").alias("device"),
        F.bool_or("is_bot").alias("is_bot"),
        F.min("event_timestamp").alias("started_at"),
        F.max("event_timestamp").alias("ended_at"),
        _events(),
        _distinct("page", "pages"),
    )
    return found.withColumn("event_timestamp", F.col("window.end")).drop("window")


def _minute() -> Column:
    return F.window("event_timestamp", "1 minute")


def _events() -> Column:
    return F.count(F.lit(1)).alias("events")


def _distinct(column: str, name: str) -> Column:
    return F.size(F.collect_set(column)).cast("bigint").alias(name)


def _flat(windows: DataFrame) -> DataFrame:
    bounds = F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")
    return windows.select(*bounds, *(name for name in windows.columns if name != "window"))


def main(servers: str, topic: str, folder: Path) -> None:
    spark = start(read_settings(), "by hand")
    begin(folder)
    raw = topic_of(spark, servers, topic).drop("timestampType")
    write(raw.withColumn("received_at", F.current_timestamp()), folder, BRONZE)
    write(silver(topic_of(spark, servers, topic)), folder, SILVER)
    write(per_minute(_in_order(spark, folder)), folder, PER_MINUTE)
    write(devices(_in_order(spark, folder)), folder, DEVICES)
    keep_top_pages(pages(_in_order(spark, folder)), folder)
    write(sessions(_in_order(spark, folder)), folder, SESSIONS)
    spark.stop()


def _in_order(spark: SparkSession, folder: Path) -> DataFrame:
    rows = spark.readStream.format("delta").option("withEventTimeOrder", "true").load(str(folder / SILVER))
    return rows.withWatermark("event_timestamp", "10 minutes")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
