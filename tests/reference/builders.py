"""Reports and lakes for the tests of the reference."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import write_deltalake

from .flights import LEDGER, expected

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNTS = "gold/streaming_aggregations/flight_phase_counts"
INSTANT = pl.Datetime("us", "UTC")


def a_report(at: float = 0, **fields: object) -> bytes:
    """A report `at` seconds after noon."""
    report = {
        "icao24": "air",
        "time_position": int(NOON.timestamp() + at),
        "latitude": 48.0,
        "longitude": 2.0,
        "baro_altitude": 11_000.0,
        "velocity": 250.0,
        "vertical_rate": 0.0,
        "on_ground": False,
        "origin_country": "France",
    }
    return json.dumps({**report, **fields}).encode()


def a_lake(place: Path, *batches: list[bytes], received_at: datetime = NOON + timedelta(days=1)) -> Path:
    """A lake that holds bronze, and nothing yet of what follows from it."""
    rows = [
        {"value": value, "key": b"k", "topic": "flights", "partition": 0, "batch": batch}
        for batch, values in enumerate(batches)
        for value in values
    ]
    schema = {
        "value": pl.Binary,
        "key": pl.Binary,
        "topic": pl.String,
        "partition": pl.Int32,
        "batch": pl.Int64,
    }
    bronze = pl.DataFrame(rows, schema=schema).with_columns(
        pl.int_range(pl.len()).alias("offset"), pl.lit(received_at).cast(INSTANT).alias("received_at")
    )
    write(place, "bronze/flights_raw", bronze)
    return place


def a_whole_lake(place: Path, *batches: list[bytes]) -> Path:
    """A lake that holds what the reference expects, gold's own row in the ledger included."""
    lake = a_lake(place, *batches)
    for table, frame in expected(lake).tables().items():
        write(lake, table, frame)
    gold = {
        "table": COUNTS,
        "batch": 0,
        "read": 3,
        "accepted": 0,
        "quarantined": 0,
        "duplicate": 0,
        "late": 1,
    }
    ledger = expected(lake).ledger
    write(
        lake,
        LEDGER,
        pl.concat([ledger, pl.DataFrame([gold], schema_overrides=ledger.schema)], how="diagonal"),
    )
    return lake


def write(lake: Path, table: str, frame: pl.DataFrame) -> None:
    write_deltalake(lake / table, frame.to_arrow(), mode="overwrite")
