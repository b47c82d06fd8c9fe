"""What is measured with sensors, and what both programs must make of the messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
from confluent_kafka import Consumer, TopicPartition

from bench.comparison import holds, must_hold, same_rows, same_windows
from bench.programs import Limit, Program
from bench.sensors.handwritten import BRONZE, BY_TYPE, EVENTS, EXTREMES, LAST_VALUES, READINGS_5M, READINGS_10M, SILVER
from bench.sensors.messages import SENSORS, messages
from bench.topics import PATIENCE_S
from bench.workload import Ages, LiveWorkload, Seen, Workload, bronze_of, spread
from vigie.alerts import OPENED
from vigie.lake import Lake

EXACT = ("HIGH_TEMP", "LOW_TEMP", "HIGH_HUMIDITY", "SUDDEN_CHANGE", "THREE_IN_A_ROW", "STUCK", "SILENT")
STATISTICAL = ("DYNAMIC_THRESHOLD", "OUTLIER", "UNUSUALLY_WARM", "FAR_FROM_MEDIAN", "RISING", "WARMING")
STATISTICS_AGREE = 0.02  # a mean or a deviation in another order may fall on the other side of a limit
LIVE_SENSORS, LIVE_INTERVAL_S = 30_000, 30
LIVE_BUILDINGS = 375
PROGRAMS = (
    Program("pyspark", "PySpark by hand", "bench.sensors.handwritten"),
    Program("vigie", "Vigie", "bench.sensors.pipeline"),
)
ALERTS = "iot-alerts"


def workload(sensors: int = SENSORS) -> Workload:
    """Readings of so many sensors."""
    topic = f"readings-of-{sensors}-sensors-{{}}".format
    made = partial(messages, sensors=sensors)
    return Workload("sensors", 1_000_000, topic, made, PROGRAMS, (Limit(("pyspark",), 3.0),), compare)


def compare(lakes: Sequence[Path], rows: int) -> None:
    """SystemExit unless both made the same tables and opened the same alerts; of the first alone nothing is asked."""
    if len(lakes) < 2:
        return
    by_hand, ours = lakes
    for lake in lakes:
        must_hold(lake, BRONZE, rows)
        must_hold(lake, SILVER, holds(by_hand, SILVER))
    for table in (SILVER, LAST_VALUES):
        same_rows(lakes, table)
    for table, by in ((READINGS_5M, "sensor_id"), (READINGS_10M, "sensor_id"), (EXTREMES, "location")):
        same_windows(lakes, table, by=[by])
    same_windows(lakes, BY_TYPE, by=["alert_type"])
    same_alerts(opened_by_hand(by_hand), opened_by_vigie(ours))


def same_alerts(by_hand: pl.DataFrame, ours: pl.DataFrame) -> None:
    """SystemExit unless both opened the same: to the last one where a rule is exact, nearly where it reckons with
    means and deviations."""
    for rule in EXACT + STATISTICAL:
        hand, own = (set(alerts.filter(rule=rule).rows()) for alerts in (by_hand, ours))
        different = len(hand ^ own)
        allowed = STATISTICS_AGREE * max(len(hand), len(own)) if rule in STATISTICAL else 0
        if different > allowed:
            raise SystemExit(
                f"{rule}: {len(hand):,} alerts by hand and {len(own):,} by Vigie, {different:,} not in both"
            )


def opened_by_hand(folder: Path) -> pl.DataFrame:
    events = pl.read_delta(str(folder / EVENTS)).filter(event=OPENED)
    return events.select("rule", pl.col("sensor_id").alias("key"), pl.col("at").dt.epoch("us").alias("opened_at"))


def opened_by_vigie(folder: Path) -> pl.DataFrame:
    """Without the silences that nothing ended: they follow from a clock, which is not turned by hand."""
    alerts = pl.read_delta(str(Lake(folder).alerts("bench")))
    ended = (pl.col("rule") != "SILENT") | pl.col("closed_at").is_not_null()
    return alerts.filter(ended).select("rule", "key", pl.col("opened_at").dt.epoch("us"))


def ages(seen: Seen) -> list[Ages]:
    """How old a reading is when its alert is in Kafka: the broker stamps both, and the alert names its reading.

    A silence has no reading that began it, and is left out.
    """
    with duckdb.connect() as database:
        database.register("bronze", bronze_of(seen.lake, "iot_sensors"))
        database.execute("CREATE TABLE told (key VARCHAR, opened_at TIMESTAMPTZ, told_at DOUBLE)")
        database.executemany("INSERT INTO told VALUES (?, ?, ?)", _told(seen.servers))
        database.execute(
            f"""CREATE TABLE found AS SELECT told_at, sent_at, epoch(opened_at) AS read_at FROM told JOIN (
                SELECT v ->> 'sensor_id' AS key, TRY_CAST(v ->> 'timestamp' AS TIMESTAMPTZ) AS opened_at,
                    min(epoch_ms(timestamp)) / 1000.0 AS sent_at
                FROM (SELECT TRY_CAST(TRY(decode(value)) AS JSON) AS v, timestamp FROM bronze)
                GROUP BY ALL) USING (key, opened_at) WHERE sent_at > {seen.began}"""
        )
        return [
            spread(database, "Kafka's timestamp of the reading", "SELECT told_at - sent_at FROM found"),
            spread(database, "the reading's own timestamp", "SELECT told_at - read_at FROM found"),
        ]


def _told(servers: str) -> list[tuple[str, str, float]]:
    """Whom each alert in the topic that opened is about, since when, and when the broker took it."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False})
    told = []
    try:
        partitions = consumer.list_topics(ALERTS, timeout=PATIENCE_S).topics[ALERTS].partitions
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(ALERTS, partition), timeout=PATIENCE_S)
            consumer.assign([TopicPartition(ALERTS, partition, low)])
            left = high - low
            while left:
                message = consumer.poll(PATIENCE_S)
                if message is None or message.error():
                    raise SystemExit(f"{ALERTS} cannot be read: {message and message.error()}")
                left -= 1
                said = json.loads(message.value() or b"{}")
                if said["event"] == OPENED and said["rule"] != "SILENT":
                    told.append((said["key"], said["opened_at"], message.timestamp()[1] / 1_000))
    finally:
        consumer.close()
    return told


SENSORS_LIVE = LiveWorkload(
    "sensors",
    "iot-sensors",
    ("--keys", str(LIVE_SENSORS), "--interval", f"{LIVE_INTERVAL_S}s", "--faults", "0.02"),
    f"an alert in Kafka's {ALERTS}",
    ages,
    p95_limit_s=1.0,
    cores_limit=0.7,
    topics=((ALERTS, {"message.timestamp.type": "LogAppendTime"}),),
    before=tuple(
        (source, "--keys", str(LIVE_SENSORS), "--rows", str(rows))
        for source, rows in (("weather", LIVE_BUILDINGS), ("maintenance", LIVE_BUILDINGS // 3))
    ),
)
