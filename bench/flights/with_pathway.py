"""The same three tables with Pathway: its own reader of Kafka and JSON, its own windows, tables through delta-rs.

Its own writer of Delta asks for a licence key, so rows go through `subscribe`. The topic is read twice, because a
message that it parses is not handed over as it came. Repeats are told by windows of a second of each aircraft, which it
forgets after six minutes.

Run as `python -m bench.flights.with_pathway SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

os.environ.setdefault("PATHWAY_THREADS", "2")

import pathway as pw
from confluent_kafka import Consumer, TopicPartition

from bench.began import begin
from bench.flights.reports import LEVEL_MS, TAKEOFF_BELOW_M, Appended, Row, now_us
from bench.flights.tables import BRONZE, GOLD, LATE_BY_S, SILVER, SILVER_COLUMNS, WINDOW_S, WINDOWS_LATE_BY_S

UNKNOWN_M = 1e9
BACKLOG, STEP_MS = 40_000, 500  # messages that are read ahead of what has gone through, and how often it does
PATIENCE_S = 30.0
QUIET_S, LOOKS_EVERY_S = 5.0, 0.2


class Vector(pw.Schema):
    """A state vector, as far as a report needs it."""

    icao24: str
    time_position: int
    callsign: str | None
    origin_country: str | None
    longitude: float | None
    latitude: float | None
    baro_altitude: float | None
    on_ground: bool
    velocity: float | None
    true_track: float | None
    vertical_rate: float | None
    squawk: str | None
    category: int | None


def reports_of(vectors: pw.Table) -> pw.Table:
    """Position reports, in metres and km/h, each once."""
    there = vectors.filter(pw.this.latitude.is_not_none() & pw.this.longitude.is_not_none())
    rate, category = pw.coalesce(pw.this.vertical_rate, 0.0), pw.coalesce(pw.this.category, 0)
    is_low = pw.coalesce(pw.this.baro_altitude, UNKNOWN_M) < TAKEOFF_BELOW_M
    level = pw.if_else(rate < -LEVEL_MS, "DESCENT", "CRUISE")
    climb = pw.if_else(is_low, "TAKEOFF", "CLIMB")
    typed = there.select(
        pw.this.icao24,
        pw.this.time_position,
        event_timestamp=pw.this.time_position * 1_000_000,
        callsign=pw.apply_with_type(trimmed, str | None, pw.this.callsign),
        origin_country=pw.this.origin_country,
        latitude=pw.this.latitude,
        longitude=pw.this.longitude,
        altitude_meters=pw.this.baro_altitude,
        velocity_kmh=pw.require(pw.unwrap(pw.this.velocity) * 3.6, pw.this.velocity),
        vertical_rate_ms=pw.this.vertical_rate,
        heading_deg=pw.this.true_track,
        on_ground=pw.this.on_ground,
        category=pw.this.category,
        squawk=pw.this.squawk,
        flight_phase=pw.if_else(pw.this.on_ground, "GROUND", pw.if_else(rate > LEVEL_MS, climb, level)),
        aircraft_class=pw.if_else(
            (category >= 2) & (category <= 20),
            pw.if_else(category <= 3, "Light", pw.if_else(category <= 6, "Heavy", "Other")),
            None,
        ),
    )
    rest = {name: pw.reducers.any(pw.this[name]) for name in SILVER_COLUMNS[2:]}
    return typed.windowby(
        pw.this.time_position,
        window=pw.temporal.tumbling(duration=1),
        instance=pw.this.icao24,
        behavior=pw.temporal.common_behavior(cutoff=LATE_BY_S),
    ).reduce(icao24=pw.this._pw_instance, time_position=pw.this._pw_window_start, **rest)


def trimmed(text: str | None) -> str | None:
    return None if text is None else text.strip(" ")


def minutes_of(reports: pw.Table) -> pw.Table:
    """Aircraft in each phase of flight, minute by minute."""
    altitude, velocity = pw.this.altitude_meters, pw.this.velocity_kmh
    return (
        reports.with_columns(
            altitude=pw.coalesce(altitude, 0.0),
            has_altitude=pw.if_else(altitude.is_none(), 0, 1),
            velocity=pw.coalesce(velocity, 0.0),
            has_velocity=pw.if_else(velocity.is_none(), 0, 1),
        )
        .windowby(
            pw.this.time_position,
            window=pw.temporal.tumbling(duration=WINDOW_S),
            instance=pw.this.flight_phase,
            behavior=pw.temporal.exactly_once_behavior(shift=WINDOWS_LATE_BY_S),
        )
        .reduce(
            start=pw.this._pw_window_start,
            flight_phase=pw.this._pw_instance,
            flight_count=pw.reducers.count_distinct(pw.this.icao24),
            altitude=pw.reducers.sum(pw.this.altitude),
            altitudes=pw.reducers.sum(pw.this.has_altitude),
            velocity=pw.reducers.sum(pw.this.velocity),
            velocities=pw.reducers.sum(pw.this.has_velocity),
        )
    )


def raw(row: dict[str, Any]) -> Row:
    origin = row["_metadata"].value
    stamp = origin["timestamp_millis"] * 1_000
    return row["key"], row["data"], origin["topic"], origin["partition"], origin["offset"], stamp, now_us()


def report(row: dict[str, Any]) -> Row:
    return tuple(row[name] for name in SILVER_COLUMNS)


def minute(row: dict[str, Any]) -> Row:
    bounds = row["start"] * 1_000_000, (row["start"] + WINDOW_S) * 1_000_000
    altitude, velocity = (
        row[name] / row[count] if row[count] else None
        for name, count in (("altitude", "altitudes"), ("velocity", "velocities"))
    )
    return *bounds, row["flight_phase"], row["flight_count"], altitude, velocity


class Lake:
    """The three tables, until so many messages have gone through: a run of Pathway that streams does not end itself."""

    def __init__(self, folder: Path, messages: int) -> None:
        self._messages = messages
        self._tables = {name: Appended(folder, name) for name in (BRONZE, SILVER, GOLD)}
        self._came = {"raw": 0, "parsed": 0}
        self._heard = time.monotonic()

    def append(self, table: pw.Table, name: str, of: Callable[[dict[str, Any]], Row]) -> None:
        """Have all rows of a table appended to one of the lake; one that is taken back is an error."""

        def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:  # noqa: ARG001
            if not is_addition:
                raise RuntimeError(f"{name}: a row was taken back: {row}")
            self._tables[name].add([of(row)])
            self._hear()
            if name == BRONZE:
                self._came["raw"] += 1

        pw.io.subscribe(table, on_change=on_change, on_time_end=lambda _: self._commit(name))

    def count(self, parsed: pw.Table) -> None:
        """Have it known how many messages were parsed."""

        def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:  # noqa: ARG001
            if is_addition:
                self._came["parsed"] = row["messages"]
                self._hear()

        pw.io.subscribe(parsed.reduce(messages=pw.reducers.count()), on_change=on_change)

    def is_full(self) -> bool:
        """Whether all messages came, and nothing has followed from them for a while."""
        return self._have_come() and time.monotonic() - self._heard > QUIET_S

    def close(self) -> None:
        for table in self._tables.values():
            table.commit()

    def _hear(self) -> None:
        self._heard = time.monotonic()

    def _have_come(self) -> bool:
        return all(came == self._messages for came in self._came.values())

    def _commit(self, name: str) -> None:
        if self._have_come():  # until then, rows are committed so many at a time
            self._tables[name].commit()


def held(servers: str, topic: str) -> int:
    """How many messages a topic holds now."""
    client = Consumer({"bootstrap.servers": servers, "group.id": "bench"})
    partitions = client.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
    ends = [client.get_watermark_offsets(TopicPartition(topic, at), timeout=PATIENCE_S) for at in partitions]
    client.close()
    return sum(high - low for low, high in ends)


def reader(servers: str, folder: Path, name: str) -> dict[str, str]:
    """The settings of one that reads all of a topic: in one group two would share it. Nor may it have two workers that
    read: as the second joins, the first is sent back to where it began, and messages come twice."""
    return {
        "bootstrap.servers": servers,
        "group.id": f"bench-{folder.parent.name}-{name}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": "false",
    }


def main(servers: str, topic: str, folder: Path) -> None:
    bounded = {"max_backlog_size": BACKLOG, "autocommit_duration_ms": STEP_MS, "parallel_readers": 1}
    of_raw, of_parsed = reader(servers, folder, "raw"), reader(servers, folder, "parsed")
    messages = pw.io.kafka.read(of_raw, topic, format="raw", with_metadata=True, autogenerate_key=True, **bounded)
    vectors = pw.io.kafka.read(of_parsed, topic, format="json", schema=Vector, **bounded)
    reports = reports_of(vectors)
    lake = Lake(folder, held(servers, topic))
    lake.append(messages.select(pw.this.key, pw.this.data, pw.this._metadata), BRONZE, raw)
    lake.count(vectors)
    lake.append(reports, SILVER, report)
    lake.append(minutes_of(reports), GOLD, minute)
    begin(folder)
    running = Thread(target=lambda: pw.run(monitoring_level=pw.MonitoringLevel.NONE), daemon=True)
    running.start()
    while running.is_alive() and not lake.is_full():
        time.sleep(LOOKS_EVERY_S)
    lake.close()
    os._exit(0 if lake.is_full() else 1)  # it is asked to end by no other means


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
