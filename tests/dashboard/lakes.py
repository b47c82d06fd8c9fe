"""Lakes for the dashboard's tests: tables as the engine writes them, made by deltalake alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from vigie.lake import Lake

INSTANT = pa.timestamp("us", "UTC")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PHASES = ("GROUND", "TAKEOFF", "CLIMB", "CRUISE", "DESCENT")
COUNTRIES = ("France", "Spain", "Germany", "Italy", "Ireland")

POSITIONS = pa.schema(
    [
        ("icao24", pa.string()), ("time_position", pa.int64()), ("event_timestamp", INSTANT), ("callsign", pa.string()),
        ("origin_country", pa.string()), ("latitude", pa.float64()), ("longitude", pa.float64()),
        ("altitude_meters", pa.float64()), ("velocity_kmh", pa.float64()), ("vertical_rate_ms", pa.float64()),
        ("heading_deg", pa.float64()), ("on_ground", pa.bool_()), ("category", pa.int32()),
        ("flight_phase", pa.string()), ("aircraft_class", pa.string()),
    ]
)  # fmt: skip
PHASE_COUNTS = pa.schema(
    [("window_start", INSTANT), ("window_end", INSTANT), ("flight_phase", pa.string()), ("flight_count", pa.int64())]
)
ANOMALIES = pa.schema(
    [
        ("window_start", INSTANT), ("window_end", INSTANT), ("origin_country", pa.string()),
        ("total_observations", pa.int64()), ("altitude_anomalies", pa.int64()), ("velocity_anomalies", pa.int64()),
        ("anomaly_rate", pa.float64()),
    ]
)  # fmt: skip
LEDGER = pa.schema(
    [
        ("query", pa.string()), ("table", pa.string()), ("batch", pa.int64()), ("read", pa.int64()),
        ("accepted", pa.int64()), ("quarantined", pa.int64()), ("duplicate", pa.int64()), ("late", pa.int64()),
        ("late_before", INSTANT), ("offsets", pa.string()), ("at", INSTANT),
    ]
)  # fmt: skip
QUARANTINE = pa.schema(
    [
        ("table", pa.string()), ("source", pa.string()), ("topic", pa.string()), ("partition", pa.int32()),
        ("offset", pa.int64()), ("file", pa.string()), ("line", pa.int64()), ("key", pa.binary()),
        ("value", pa.binary()), ("received_at", INSTANT), ("rules", pa.list_(pa.string())), ("batch", pa.int64()),
    ]
)  # fmt: skip


def a_position(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "icao24": "3944ef", "event_timestamp": NOON, "callsign": "AFR12", "origin_country": "France", "latitude": 46.6,
        "longitude": 2.4, "altitude_meters": 10_000.0, "velocity_kmh": 800.0, "vertical_rate_ms": 0.0,
        "heading_deg": 90.0, "on_ground": False, "category": 4, "flight_phase": "CRUISE", "aircraft_class": "Heavy",
    }  # fmt: skip
    row |= changes
    return {"time_position": int(row["event_timestamp"].timestamp()), **row}


def positions(aircraft: int, minutes: float, until: datetime = NOON, seed: int = 6) -> list[dict[str, Any]]:
    """A report of each aircraft every ten seconds, some of what is in them missing or impossible."""
    made = random.Random(seed)
    rows = []
    for number in range(aircraft):
        heading = made.uniform(0, 360)
        for step in range(int(minutes * 6)):
            altitude = made.choice([None, 20_000.0, *[made.uniform(0, 11_000)] * 18])
            rows.append(
                a_position(
                    icao24=f"{number:06x}",
                    event_timestamp=until - timedelta(seconds=10 * step + made.uniform(0, 5)),
                    callsign=made.choice([None, f"VIG{number}"]),
                    origin_country=COUNTRIES[number % len(COUNTRIES)],
                    latitude=43 + number % 7 + step / 100,
                    longitude=-3 + number % 11 + step / 100,
                    altitude_meters=altitude,
                    velocity_kmh=made.choice([None, 1_800.0, *[made.uniform(0, 950)] * 18]),
                    heading_deg=heading,
                    on_ground=made.random() < 0.2,
                    flight_phase=made.choice(PHASES),
                    aircraft_class=made.choice(["Light", "Heavy", "Other", None]),
                )
            )
    return rows


def phase_counts(minutes: int, until: datetime = NOON, seed: int = 6) -> list[dict[str, Any]]:
    made = random.Random(seed)
    starts = [until - timedelta(minutes=number + 1) for number in range(minutes)]
    return [
        {
            "window_start": start,
            "window_end": start + timedelta(minutes=1),
            "flight_phase": phase,
            "flight_count": made.randrange(1, 50),
        }
        for start in starts
        for phase in PHASES
    ]


def anomalies(minutes: int, until: datetime = NOON, seed: int = 6) -> list[dict[str, Any]]:
    """Windows of five minutes, one each minute, for each country; in some too many reports are impossible."""
    made = random.Random(seed)
    rows = []
    for number in range(minutes):
        end = until - timedelta(minutes=number)
        for country in COUNTRIES:
            total = made.randrange(20, 400)
            wrong = made.choice([0, made.randrange(total // 4 + 1)])
            rows.append(
                {
                    "window_start": end - timedelta(minutes=5),
                    "window_end": end,
                    "origin_country": country,
                    "total_observations": total,
                    "altitude_anomalies": wrong,
                    "velocity_anomalies": wrong // 2,
                    "anomaly_rate": wrong / total,
                }
            )
    return rows


def ledger(batches: int, until: datetime = NOON) -> list[dict[str, Any]]:
    """Batches of flights that add up: 100 messages each, of which 90 are accepted."""
    rows = []
    for number in range(batches):
        at = until - timedelta(seconds=batches - number)
        shared = {"query": "flights_raw", "batch": number, "read": 100, "at": at, "offsets": "{}"}
        rows.append({**shared, "table": "bronze/flights_raw", "accepted": 100} | dict.fromkeys(PARTS, 0))
        rows.append(
            {**shared, "table": "silver/flights_ml", "accepted": 90, "quarantined": 4, "duplicate": 5, "late": 1}
        )
    return rows


PARTS = ("quarantined", "duplicate", "late")


def broken(count: int, until: datetime = NOON) -> list[dict[str, Any]]:
    rules = (["is valid JSON"], ["has a position"], ["has a position", "is not from the future"])
    return [
        {
            "table": "silver/flights_ml",
            "source": "flights_raw",
            "file": "part-1.jsonl",
            "line": number,
            "value": b'{"icao24": "3944ef", "number": %d}' % number,
            "received_at": until - timedelta(seconds=count - number),
            "rules": rules[number % 3],
            "batch": 0,
        }
        for number in range(count)
    ]


def write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    write_deltalake(str(path), pa.Table.from_pylist(rows, schema), mode="append")


def a_lake(folder: Path, until: datetime = NOON, aircraft: int = 40) -> Lake:
    """A lake as a run of flights leaves it: positions, windows, the ledger and quarantine."""
    lake = Lake.at(folder)
    write(lake.silver("flights_ml"), positions(aircraft, 12, until), POSITIONS)
    write(lake.gold("streaming_aggregations/flight_phase_counts"), phase_counts(20, until), PHASE_COUNTS)
    write(lake.gold("streaming_aggregations/anomaly_alerts"), anomalies(90, until), ANOMALIES)
    write(lake.ledger("flights"), ledger(30, until), LEDGER)
    write(lake.quarantine("flights"), broken(12, until), QUARANTINE)
    return lake
