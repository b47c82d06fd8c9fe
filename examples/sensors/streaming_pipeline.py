"""Sensors in Spark Structured Streaming: read, validate, windows, alerts; console, Parquet, Kafka, PostgreSQL.

    spark-submit streaming_pipeline.py                              # the topic of config/kafka_config.properties
    spark-submit streaming_pipeline.py --from tcp://localhost:9999  # beside `nc -lk 9999`
    spark-submit streaming_pipeline.py --from inbox:inbox --once    # a folder of files with a message a line

Which readings are good, what each window counts and which rules raise an alert is declared in
src/vigie/sensors/pipeline.py: these are the functions that `vigie run sensors` runs, too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from data_generator import TOPIC
from pyspark.sql import functions as F

from vigie import VigieError
from vigie.address import Address, Inbox, Kafka, Tcp, parse_address
from vigie.sensors import pipeline as sensors
from vigie.settings import Settings, read_settings
from vigie.sinks.parquet import Parquet
from vigie.sinks.postgres import Postgres
from vigie.spark_job import delivered, flat, goes_on, judged, keep_to, session
from vigie.spark_job_alerts import alerts
from vigie.terminal import stop_when_asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

    Windowed = Callable[[DataFrame], DataFrame]

HERE = Path(__file__).parent
EVERY = "10 seconds"
LATE_BY = "10 minutes"
WINDOWS = (sensors.readings_5m, sensors.readings_10m, sensors.location_extremes, sensors.alerts_by_type)
RULES = (
    "HIGH_TEMP", "LOW_TEMP", "HIGH_HUMIDITY", "SUDDEN_CHANGE",  # limits
    "DYNAMIC_THRESHOLD", "THREE_IN_A_ROW", "RISING", "OUTLIER",  # patterns and anomalies
)  # fmt: skip
BY_THE_CLOCK = ("SILENT",)


@dataclass(frozen=True)
class Job:
    """Where messages come from, where results and checkpoints go, and whether it ends with what is there."""

    spark: SparkSession
    address: Address
    into: Path
    once: bool
    settings: Settings

    def run(self) -> None:
        """Archive good readings, and follow the archive: it is read by many, and a socket only by one."""
        keep_to(str(self.address), self.into / "checkpoint")
        archiving = self.started("iot", self.archive())
        if self.once:
            archiving.awaitTermination()
        following = [self.started(function.__name__, self.window(function)) for function in WINDOWS]
        following += [self.started("alerts", self.alerts()), self.started("limits", self.limits())]
        following += [self.started("last_values", self.last_values())]
        if self.settings.postgres:
            following += [self.started("postgres", self.postgres())]
        if self.once:
            for query in following:
                query.awaitTermination()
        else:
            goes_on(self.spark, stop_when_asked())

    def messages(self) -> DataFrame:
        """Messages as they come in, and when they did."""
        read = self.spark.readStream
        now = F.current_timestamp()
        match self.address:
            case Kafka(servers, topic):
                source = read.format("kafka").option("kafka.bootstrap.servers", servers).option("subscribe", topic)
                return source.option("startingOffsets", "earliest").load().withColumn("received_at", F.col("timestamp"))
            case Tcp(host, port):
                lines = read.format("socket").option("host", host).option("port", port).load()
            case Inbox(folder):
                text = read.format("text").option("lineSep", "\n").option("pathGlobFilter", "*.{jsonl,json}")
                lines = text.load(str(folder))
        return lines.select(F.col("value").cast("binary").alias("value"), now.alias("received_at"))

    def archive(self) -> DataStreamWriter:
        """Readings that keep every rule, once each, as Parquet."""
        good = judged(self.messages(), sensors.sensors, sensors.sensor_readings).where(F.size("_rules") == 0)
        once = good.drop("_rules", "_origin").withWatermark("event_timestamp", LATE_BY)
        once = once.dropDuplicatesWithinWatermark(["sensor_id", "event_timestamp"])
        return once.writeStream.format("parquet").outputMode("append").option("path", str(self.output("iot-data")))

    def readings(self) -> DataFrame:
        """The archive as a stream."""
        files = self.spark.readStream.schema(sensors.SENSOR_READINGS).parquet(str(self.output("iot-data")))
        return files.withWatermark("event_timestamp", LATE_BY)

    def window(self, function: Windowed) -> DataStreamWriter:
        """A window of event time, written once, when the watermark has passed its end."""
        rows = flat(function(self.readings()))
        path = self.output(f"aggregates/{function.__name__}")
        return rows.writeStream.format("parquet").outputMode("append").option("path", str(path))

    def alerts(self) -> DataStreamWriter:
        """What opens and closes: as Parquet, and to the topic iot-alerts where there is a Kafka."""
        names = RULES if self.once else RULES + BY_THE_CLOCK
        rows = alerts(self.readings(), sensors.watched.declared(), "event_timestamp", names)
        archived = delivered(Parquet(self.output("alerts")), self.settings, self.checkpoint("alerts"))
        servers = self.address.servers if isinstance(self.address, Kafka) else self.settings.kafka

        def tell(batch: DataFrame, number: int) -> None:
            told = batch.persist()
            if not told.isEmpty():
                archived(told, number)
            if servers:
                message = told.select(F.col("key"), F.to_json(F.struct("*")).alias("value"))
                kafka = message.write.format("kafka").option("kafka.bootstrap.servers", servers)
                kafka.option("topic", "iot-alerts").save()
            told.unpersist()

        return rows.writeStream.foreachBatch(tell)

    def limits(self) -> DataStreamWriter:
        """On the console, windows that are still open: readings beyond each limit, as they are counted."""
        rows = flat(sensors.alerts_by_type(self.readings()))
        return rows.writeStream.format("console").outputMode("update").option("truncate", "false")

    def last_values(self) -> DataStreamWriter:
        """On the console, the ten warmest sensors by their newest reading, which is kept as state."""
        shown = F.struct("temperature_c", "humidity_pct", "pressure_hpa", "location", "event_timestamp")
        last = self.readings().groupBy("sensor_id").agg(F.max_by(shown, "event_timestamp").alias("last"))
        rows = last.select("sensor_id", "last.*").orderBy(F.desc("temperature_c"))
        console = rows.writeStream.format("console").outputMode("complete")
        return console.option("numRows", 10).option("truncate", "false")

    def postgres(self) -> DataStreamWriter:
        """Windows of five minutes to the database of VIGIE_POSTGRES: a batch that comes again changes nothing."""
        table = Postgres("readings_5m", id=("sensor_id", "window_start"))
        rows = flat(sensors.readings_5m(self.readings())).writeStream.outputMode("append")
        return rows.foreachBatch(delivered(table, self.settings, self.checkpoint("postgres")))

    def started(self, name: str, writer: DataStreamWriter) -> StreamingQuery:
        writer = writer.queryName(name).option("checkpointLocation", str(self.checkpoint(name)))
        return (writer.trigger(availableNow=True) if self.once else writer.trigger(processingTime=EVERY)).start()

    def checkpoint(self, name: str) -> Path:
        return self.into / "checkpoint" / name

    def output(self, name: str) -> Path:
        folder = self.into / "output" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Sensors in Structured Streaming; Ctrl-C ends it.")
    parser.add_argument("--from", dest="address", default=TOPIC, help=f"{TOPIC}, tcp://host:port or inbox:FOLDER")
    parser.add_argument("--into", type=Path, help="where output/ and checkpoint/ are; this file's folder")
    parser.add_argument("--once", action="store_true", help="end with what is there now")
    asked = parser.parse_args()
    try:
        address = parse_address(asked.address)
        # Nobody can read a socket again: each run begins anew.
        own = HERE / f"socket/{datetime.now(UTC):%Y%m%dT%H%M%S}" if isinstance(address, Tcp) else HERE
        Job(session("sensors"), address, asked.into or own, asked.once, read_settings()).run()
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
