"""User activity and wiki edits in Spark Structured Streaming, minute by minute: console, Parquet, BigQuery.

    spark-submit src/streaming/jobs/process_user_activity.py
    spark-submit src/streaming/jobs/process_user_activity.py --events inbox:users --changes inbox:wikis --once

Events come from the topics user-activity and recent-changes, as Avro by the Schema Registry of VIGIE_REGISTRY
(http://localhost:8081 unless set). The watermark is ten minutes, a window is one. Which rows are good and what a window
counts is declared in src/vigie/activity/pipeline.py: these are the functions that `vigie run activity` runs, too.
BigQuery is off until VIGIE_BIGQUERY_PROJECT names a project.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from vigie import VigieError
from vigie.activity import pipeline as activity
from vigie.address import Inbox, Kafka, parse_address
from vigie.avro.registry import registry_of
from vigie.errors import BadAddress
from vigie.settings import Settings, read_settings
from vigie.sinks.bigquery import BigQuery
from vigie.spark_job import delivered, flat, goes_on, judged, keep_to, session
from vigie.terminal import stop_when_asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

    from vigie.graph import Source

    Rows = Callable[[DataFrame], DataFrame]

HERE = Path(__file__).parents[3]
EVERY, SELDOM = "10 seconds", "2 minutes"
LATE_BY = "10 minutes"
SERVERS, REGISTRY = "localhost:9092", "http://localhost:8081"


@dataclass(frozen=True)
class Table:
    """A silver table, what it is made of, and the windows over it."""

    source: Source
    silver: Rows
    schema: str
    windows: Rows
    id: tuple[str, ...]  # of a row of the windows


EVENTS = Table(
    activity.user_events, activity.user_activity, activity.USER_ACTIVITY, activity.activity_per_minute,
    ("window_start", "action", "page"),
)  # fmt: skip
CHANGES = Table(
    activity.changes, activity.recent_changes, activity.RECENT_CHANGES, activity.edits_per_minute,
    ("window_start", "wiki"),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """Where messages come from, where results and checkpoints go, and whether it ends with what is there."""

    spark: SparkSession
    addresses: dict[str, Inbox | Kafka]
    into: Path
    once: bool
    settings: Settings

    def run(self) -> None:
        """Archive good rows, and follow the archives."""
        keep_to(" and ".join(map(str, self.addresses.values())), self.into / "checkpoint")
        archiving = [self.started(f"{table.source.name}", self.archive(table)) for table in (EVENTS, CHANGES)]
        if self.once:
            for query in archiving:
                query.awaitTermination()
        following = [query for table in (EVENTS, CHANGES) for query in self.follow(table)]
        if self.once:
            for query in following:
                query.awaitTermination()
        else:
            goes_on(self.spark, stop_when_asked())

    def messages(self, address: Inbox | Kafka) -> DataFrame:
        """Messages as they come in, and when they did."""
        if isinstance(address, Kafka):
            # By its pattern, because nobody need have written to a topic yet.
            kafka = self.spark.readStream.format("kafka").option("subscribePattern", re.escape(address.topic))
            kafka = kafka.option("kafka.bootstrap.servers", address.servers).option("startingOffsets", "earliest")
            return kafka.load().withColumn("received_at", F.col("timestamp"))
        text = self.spark.readStream.format("text").option("lineSep", "\n").option("pathGlobFilter", "*.{jsonl,json}")
        lines = text.load(str(address.folder))
        return lines.select(F.col("value").cast("binary").alias("value"), F.current_timestamp().alias("received_at"))

    def archive(self, table: Table) -> DataStreamWriter:
        """Rows that keep every rule, once each, as Parquet."""
        address = self.addresses[table.source.name]
        registry = registry_of(table.source, self.settings) if isinstance(address, Kafka) else None
        rows = judged(self.messages(address), activity.activity, table.silver, registry)
        good = rows.where(F.size("_rules") == 0).drop("_rules", "_origin").withWatermark("event_timestamp", LATE_BY)
        once = good.dropDuplicatesWithinWatermark(["event_id"])
        return once.writeStream.format("parquet").option("path", str(self.output(table.source.name)))

    def follow(self, table: Table) -> list[StreamingQuery]:
        """Minutes that are still open on the console; those that are closed as Parquet and in BigQuery."""
        name = table.windows.__name__
        console = self.windows(table).writeStream.format("console").outputMode("update").option("truncate", "false")
        files = self.windows(table).writeStream.format("parquet").outputMode("append")
        queries = [
            self.started(f"{name}_console", console),
            self.started(name, files.option("path", str(self.output(name)))),
        ]
        if self.settings.bigquery_project:
            query, to = f"{name}_bigquery", BigQuery(name, id=table.id, partition_by="window_start")
            sent = delivered(to, self.settings, self.checkpoint(query))
            warehouse = self.windows(table).writeStream.outputMode("append").foreachBatch(sent)
            queries.append(self.started(query, warehouse, SELDOM))
        return queries

    def windows(self, table: Table) -> DataFrame:
        """The declared windows over the archive as a stream."""
        rows = self.spark.readStream.schema(table.schema).parquet(str(self.output(table.source.name)))
        return flat(table.windows(rows.withWatermark("event_timestamp", LATE_BY)))

    def checkpoint(self, name: str) -> Path:
        return self.into / "checkpoint" / name

    def started(self, name: str, writer: DataStreamWriter, every: str = EVERY) -> StreamingQuery:
        writer = writer.queryName(name).option("checkpointLocation", str(self.checkpoint(name)))
        return (writer.trigger(availableNow=True) if self.once else writer.trigger(processingTime=every)).start()

    def output(self, name: str) -> Path:
        folder = self.into / "output" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Activity in Structured Streaming; Ctrl-C ends it.")
    parser.add_argument("--events", help=f"kafka://{SERVERS}/user-activity or inbox:FOLDER")
    parser.add_argument("--changes", help=f"kafka://{SERVERS}/recent-changes or inbox:FOLDER")
    parser.add_argument(
        "--into", type=Path, default=HERE, help="where output/ and checkpoint/ are; the example's folder"
    )
    parser.add_argument("--once", action="store_true", help="end with what is there now")
    asked = parser.parse_args()
    try:
        settings = read_settings()
        settings = settings if settings.registry else settings.model_copy(update={"registry": REGISTRY})
        servers = settings.kafka or SERVERS
        addresses = {
            activity.user_events.name: readable(asked.events or f"kafka://{servers}/user-activity"),
            activity.changes.name: readable(asked.changes or f"kafka://{servers}/recent-changes"),
        }
        Job(session("activity"), addresses, asked.into, asked.once, settings).run()
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)


def readable(text: str) -> Inbox | Kafka:
    address = parse_address(text)
    if not isinstance(address, Inbox | Kafka):
        raise BadAddress("activity is read from Kafka or a folder", where=text, do="Write kafka://... or inbox:FOLDER.")
    return address


if __name__ == "__main__":
    main()
