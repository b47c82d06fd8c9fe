"""The same three tables as a good engineer writes them without a framework: Kafka's client, Polars and delta-rs.

It keeps its place in the topic, the reports it knows and its open windows in memory: what is ended cannot be taken up
again. A message that is no state vector stays in bronze alone, and late reports are dropped.

Run as `python -m bench.flights.with_polars SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from confluent_kafka import Consumer, Message, TopicPartition
from deltalake import ColumnProperties, WriterProperties, write_deltalake

from bench.began import begin
from bench.flights.tables import (
    BATCH,
    BRONZE,
    GOLD,
    GOLD_COLUMNS,
    LATE_BY_S,
    SILVER,
    SILVER_COLUMNS,
    WINDOW_S,
    WINDOWS_LATE_BY_S,
)

PATIENCE_S = 30.0
KEYS = ("icao24", "time_position")
AT = pl.col("event_timestamp")
LEVEL_MS, TAKEOFF_BELOW_M = 2.5, 1_000.0
VECTOR = pl.Struct(
    {
        "icao24": pl.String, "time_position": pl.Int64, "callsign": pl.String, "origin_country": pl.String,
        "latitude": pl.Float64, "longitude": pl.Float64, "baro_altitude": pl.Float64, "velocity": pl.Float64,
        "vertical_rate": pl.Float64, "true_track": pl.Float64, "on_ground": pl.Boolean, "category": pl.Int32,
        "squawk": pl.String,
    }
)  # fmt: skip
OPEN = {
    "window_start": pl.Datetime("us", "UTC"), "flight_phase": pl.String(), "icao24": pl.String(),
    "altitude_meters": pl.Float64(), "velocity_kmh": pl.Float64(),
}  # fmt: skip
# Messages differ, so a dictionary of them and their bounds cost time and help nobody.
PLAIN = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
AS_USUAL = WriterProperties()
OF_BRONZE = WriterProperties(compression="ZSTD", compression_level=1, column_properties={"value": PLAIN})


class Silver:
    """Reports that are neither late nor known; those of the last minutes are known."""

    def __init__(self) -> None:
        self.newest = datetime.fromtimestamp(0, UTC)
        self._known = pl.DataFrame(schema={"icao24": pl.String(), "time_position": pl.Int64()})

    def of(self, messages: pl.DataFrame) -> pl.DataFrame:
        bound = int(self.newest.timestamp()) - LATE_BY_S
        vectors = decoded(messages["value"]).struct.unnest()
        fresh = (
            vectors.filter(
                pl.all_horizontal(pl.col("latitude", "longitude").is_not_null()) & (pl.col("time_position") >= bound)
            )
            .unique(KEYS, keep="first", maintain_order=True)
            .join(self._known, on=KEYS, how="anti", maintain_order="left")
        )
        made = typed(fresh)
        self.newest = max(self.newest, made.select(AT.max()).item() or self.newest)
        bound = int(self.newest.timestamp()) - LATE_BY_S
        self._known = pl.concat([self._known, fresh.select(KEYS)]).filter(pl.col("time_position") >= bound)
        return made


class Windows:
    """Minutes that are not over yet."""

    def __init__(self) -> None:
        self._open = pl.DataFrame(schema=OPEN)

    def over(self, reports: pl.DataFrame, newest: datetime) -> pl.DataFrame:
        """Those that end two minutes before the newest report, counted once."""
        waiting = pl.concat([self._open, reports.with_columns(window_start=AT.dt.truncate("1m")).select(OPEN.keys())])
        is_over = pl.col("window_start") <= newest - timedelta(seconds=WINDOW_S + WINDOWS_LATE_BY_S)
        self._open = waiting.filter(~is_over)
        return (
            waiting.filter(is_over)
            .group_by("window_start", "flight_phase")
            .agg(
                pl.col("icao24").n_unique().cast(pl.Int64).alias("flight_count"),
                pl.col("altitude_meters").mean().alias("avg_altitude"),
                pl.col("velocity_kmh").mean().alias("avg_velocity"),
            )
            .with_columns(window_end=pl.col("window_start") + timedelta(seconds=WINDOW_S))
            .select(GOLD_COLUMNS)
        )


def decoded(values: pl.Series) -> pl.Series:
    """Each message as a state vector, or null: where one among them is none, they are halved until it stands alone."""
    try:
        found = values.cast(pl.String).str.json_decode(VECTOR)
        if len(found) == len(values):  # an empty text would be left out
            return found
    except pl.exceptions.ComputeError:
        pass
    if len(values) == 1:
        return pl.Series([None], dtype=VECTOR)
    middle = len(values) // 2
    return pl.concat([decoded(values[:middle]), decoded(values[middle:])])


def typed(vectors: pl.DataFrame) -> pl.DataFrame:
    """Position reports, in metres and km/h."""
    rate = pl.col("vertical_rate").fill_null(0.0)
    phase = (
        pl.when(pl.col("on_ground"))
        .then(pl.lit("GROUND"))
        .when((rate > LEVEL_MS) & (pl.col("baro_altitude") < TAKEOFF_BELOW_M))
        .then(pl.lit("TAKEOFF"))
        .when(rate > LEVEL_MS)
        .then(pl.lit("CLIMB"))
        .when(rate < -LEVEL_MS)
        .then(pl.lit("DESCENT"))
        .otherwise(pl.lit("CRUISE"))
    )
    category = pl.col("category")
    kind = (
        pl.when(category.is_between(2, 3))
        .then(pl.lit("Light"))
        .when(category.is_between(4, 6))
        .then(pl.lit("Heavy"))
        .when(category.is_between(7, 20))
        .then(pl.lit("Other"))
    )
    return vectors.with_columns(
        event_timestamp=pl.from_epoch("time_position", "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        callsign=pl.col("callsign").str.strip_chars(),
        altitude_meters=pl.col("baro_altitude"),
        velocity_kmh=pl.col("velocity") * 3.6,
        vertical_rate_ms=pl.col("vertical_rate"),
        heading_deg=pl.col("true_track"),
        flight_phase=phase,
        aircraft_class=kind,
    ).select(SILVER_COLUMNS)


class Topic:
    """All that a topic holds now, in batches that take of each partition in proportion to what is left of it."""

    def __init__(self, servers: str, topic: str) -> None:
        self._readers: dict[Consumer, int] = {}  # a client for each partition, and how many messages are left
        settings = {"bootstrap.servers": servers, "group.id": "by-hand", "enable.auto.commit": False}
        found = Consumer(settings)
        for at in found.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions:
            low, high = found.get_watermark_offsets(TopicPartition(topic, at), timeout=PATIENCE_S)
            reader = Consumer(settings)
            reader.assign([TopicPartition(topic, at, low)])
            self._readers[reader] = high - low
        found.close()

    def batches(self) -> Iterator[list[Message]]:
        while left := sum(self._readers.values()):
            share = min(1.0, BATCH / left)
            yield [message for reader in self._readers for message in self._some(reader, share)]

    def _some(self, reader: Consumer, share: float) -> list[Message]:
        wanted = -int(-self._readers[reader] * share // 1)
        messages: list[Message] = []
        while len(messages) < wanted:
            some = reader.consume(wanted - len(messages), timeout=PATIENCE_S)
            if not some:
                raise SystemExit("Kafka gave nothing for half a minute")
            if problem := next((message.error() for message in some if message.error()), None):
                raise SystemExit(f"Kafka: {problem}")
            messages += some
        self._readers[reader] -= len(messages)
        return messages


def raw(messages: list[Message]) -> pl.DataFrame:
    """Messages as they came."""
    return pl.DataFrame(
        {
            "key": [message.key() for message in messages],
            "value": [message.value() for message in messages],
            "topic": [message.topic() for message in messages],
            "partition": pl.Series([message.partition() for message in messages], dtype=pl.Int32),
            "offset": [message.offset() for message in messages],
            "timestamp": pl.Series([message.timestamp()[1] for message in messages], dtype=pl.Datetime("ms", "UTC")),
        }
    ).with_columns(pl.col("timestamp").dt.cast_time_unit("us"), received_at=pl.lit(datetime.now(UTC)))


def main(servers: str, topic: str, folder: Path) -> None:
    silver, windows = Silver(), Windows()
    begin(folder)
    # The next batch is read, and this one's messages are written, while its reports are made.
    with ThreadPoolExecutor(2) as beside:
        batches = Topic(servers, topic).batches()
        coming = beside.submit(lambda: next(batches, None))
        while messages := coming.result():
            table = raw(messages)
            del messages
            coming = beside.submit(lambda: next(batches, None))
            stands = beside.submit(append, folder / BRONZE, table, OF_BRONZE)
            reports = silver.of(table)
            append(folder / SILVER, reports)
            append(folder / GOLD, windows.over(reports, silver.newest))
            stands.result()


def append(table: Path, rows: pl.DataFrame, properties: WriterProperties = AS_USUAL) -> None:
    written: Any = rows  # its stream of Arrow has another type than the one that is asked for
    write_deltalake(str(table), written, mode="append", writer_properties=properties)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
