"""The same three tables in PySpark with a single query: each batch is read and parsed once, and makes all of them.

Windows are worked out from silver, when they are over. A batch that comes again writes nothing twice, by Delta's
transaction ids, and how far it has come is found in the tables, so it can be started again.

Run as `python -m bench.flights.fused SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from bench.began import begin
from bench.classic import start
from bench.flights.handwritten import gold, parsed, reports
from bench.flights.tables import BRONZE, GOLD, LATE_BY_S, SILVER, WINDOW_S, WINDOWS_LATE_BY_S
from bench.streams import checkpoint, topic_of
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEYS = ["icao24", "time_position"]
LONG_AGO = datetime(1970, 1, 1)


class Tables:
    """What the batches fill, and how far they have come: the newest report, and the end of the last window given."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        self.newest, self.given = self._last(SILVER, "event_timestamp"), self._last(GOLD, "window_end")

    def _last(self, table: str, column: str) -> datetime:
        path = str(self.folder / table)
        if not DeltaTable.isDeltaTable(self.spark, path):
            return LONG_AGO
        last = self.spark.read.format("delta").load(path).agg(F.max(column)).first()
        return last[0] if last and last[0] else LONG_AGO

    def take(self, batch: DataFrame, number: int) -> None:
        """All three tables, one batch further."""
        both = batch.withColumn("v", parsed()).persist()
        try:
            raw = both.drop("v", "timestampType").withColumn("received_at", F.current_timestamp())
            self._append(raw, BRONZE, number)
            self._append(self._fresh(reports(both.select("v.*"))), SILVER, number)
            newest = both.agg(F.max(F.col("v.time_position").cast("timestamp"))).first()
            self.newest = max(self.newest, newest[0] if newest and newest[0] else LONG_AGO)
        finally:
            both.unpersist()
        self._give(number)

    def _fresh(self, made: DataFrame) -> DataFrame:
        """Reports that are neither late nor in silver."""
        once = made.dropDuplicates(KEYS)
        if self.newest == LONG_AGO:
            return once
        bound = F.lit(self.newest - timedelta(seconds=LATE_BY_S))
        known = self._silver().where(F.col("event_timestamp") >= bound).select(*KEYS)
        return once.where(F.col("event_timestamp") >= bound).join(F.broadcast(known), KEYS, "left_anti")

    def _give(self, number: int) -> None:
        """Windows that are over by now."""
        over = self.newest - timedelta(seconds=WINDOWS_LATE_BY_S)
        until = over - timedelta(seconds=over.timestamp() % WINDOW_S)
        if until > self.given:
            at = F.col("event_timestamp")
            self._append(gold(self._silver().where((at >= F.lit(self.given)) & (at < F.lit(until)))), GOLD, number)
            self.given = until

    def _silver(self) -> DataFrame:
        return self.spark.read.format("delta").load(str(self.folder / SILVER))

    def _append(self, rows: DataFrame, table: str, number: int) -> None:
        stamped = rows.write.format("delta").option("txnAppId", table).option("txnVersion", number)
        stamped.mode("append").save(str(self.folder / table))


def main(servers: str, topic: str, folder: Path) -> None:
    spark = start(read_settings(), "by hand")
    tables = Tables(spark, folder)
    begin(folder)
    (
        topic_of(spark, servers, topic)
        .writeStream.foreachBatch(tables.take)
        .option("checkpointLocation", str(checkpoint(folder, "all")))
        .trigger(availableNow=True)
        .start()
        .awaitTermination()
    )
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
