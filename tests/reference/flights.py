"""What a lake of flights ought to hold, computed from its bronze and its batch cuts alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from . import gold, tables
from .judgement import ORIGIN, Judgement, judge

# Space, tab, LF, VT, FF and CR, and what Unicode has in its categories Zs, Zl and Zp.
BLANKS = " \t\n\x0b\x0c\r\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
INSTANT = pl.Datetime("us", "UTC")

SEEN = "seen_until"
BRONZE, SILVER = "bronze/flights_raw", "silver/flights_ml"
LEDGER = "_vigie/flights/ledger"

# What each table's rows are told apart by.
KEYS: Mapping[str, tuple[str, ...]] = {
    SILVER: ("icao24", "time_position"),
    "quarantine/flights": tuple(ORIGIN),
    "late/flights": tuple(ORIGIN),
    LEDGER: ("table", "batch"),
    "gold/streaming_aggregations/flight_phase_counts": ("window_start", "window_end", "flight_phase"),
    "gold/streaming_aggregations/anomaly_alerts": ("window_start", "window_end", "origin_country"),
    "gold/movements": ("icao24", "event_timestamp"),
}
# Tables whose columns are promised to the last one.
EXACT = (SILVER, *(table for table in KEYS if table.startswith("gold/")))

BRONZE_COLUMNS = {
    "value": pl.Binary(),
    "key": pl.Binary(),
    "topic": pl.String(),
    "partition": pl.Int64(),
    "offset": pl.Int64(),
    "file": pl.String(),
    "line": pl.Int64(),
    "timestamp": INSTANT,
    "received_at": INSTANT,
    "batch": pl.Int64(),
}
REPORT_COLUMNS = {
    "icao24": pl.String(),
    "time_position": pl.Int64(),
    "callsign": pl.String(),
    "origin_country": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "baro_altitude": pl.Float64(),
    "velocity": pl.Float64(),
    "vertical_rate": pl.Float64(),
    "true_track": pl.Float64(),
    "on_ground": pl.Boolean(),
    "category": pl.Int64(),
    "squawk": pl.String(),
}


@dataclass(frozen=True)
class Expected:
    """The tables of a lake of flights as they ought to be; of the ledger, bronze's and silver's rows."""

    silver: pl.DataFrame
    quarantine: pl.DataFrame
    late: pl.DataFrame
    ledger: pl.DataFrame
    flight_phase_counts: pl.DataFrame
    anomaly_alerts: pl.DataFrame
    movements: pl.DataFrame

    def tables(self) -> dict[str, pl.DataFrame]:
        """Each frame under the table's place in the lake."""
        frames = [
            self.silver,
            self.quarantine,
            self.late,
            self.ledger,
            self.flight_phase_counts,
            self.anomaly_alerts,
            self.movements,
        ]
        return dict(zip(KEYS, frames, strict=True))


def expected(lake: Path) -> Expected:
    """Every table below bronze, recomputed; only which batches there were is taken from the ledger."""
    bronze = _bronze(lake)
    judgement = judge(bronze)
    judged = judgement.rows()
    kept = [*ORIGIN, "key", "value", "batch"]
    silver = _silver(judgement)
    until = _until(lake, bronze, judgement)
    return Expected(
        silver=silver,
        quarantine=judged.filter(pl.col("verdict") == "broken").select(*kept, "rules"),
        late=judged.filter(pl.col("verdict") == "late").select(kept),
        ledger=_ledger(_batches(lake, bronze), judged),
        flight_phase_counts=gold.flight_phase_counts(silver, until),
        anomaly_alerts=gold.anomaly_alerts(silver, until),
        movements=gold.movements(silver, until),
    )


def _until(lake: Path, bronze: pl.DataFrame, judgement: Judgement) -> int:
    """Up to where windows are given: how far the partitions have come to which a message came within a minute, or else
    the one that came furthest."""
    ledger = tables.rows(lake, LEDGER)
    last = ledger["at"].max() if "at" in ledger.columns else None
    heard = (
        bronze.group_by("partition").agg(pl.col("timestamp").max()).iter_rows() if isinstance(last, datetime) else ()
    )
    alive = {at for at, stamp in heard if stamp is not None and last - stamp <= timedelta(minutes=1)}
    if not alive:
        return max(judgement.come.values(), default=0)
    return min(judgement.come.get(at, 0) for at in alive)  # one that has said nothing credible holds all of them back


def compare(lake: Path) -> list[str]:
    """Each difference between what a lake holds and what it ought to hold, as a sentence."""
    if not tables.exists(lake, BRONZE):
        return [f"{BRONZE}: there is no such table in {lake}"]
    found = []
    for table, wanted in expected(lake).tables().items():
        held = tables.rows(lake, table)
        if table == LEDGER and held.columns:
            held = held.filter(pl.col("table").is_in([BRONZE, SILVER]))
        if table in EXACT and held.columns and held.columns != wanted.columns:
            found.append(f"{table}: its columns are {held.columns}, expected {wanted.columns}")
        found += tables.differences(table, held, wanted, KEYS[table])
    return found


def _bronze(lake: Path) -> pl.DataFrame:
    held = tables.rows(lake, BRONZE)
    return held.select(
        (pl.col(name) if name in held.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in BRONZE_COLUMNS.items()
    )


def _batches(lake: Path, bronze: pl.DataFrame) -> list[int]:
    """The ledger's batches, and any that bronze has beside them, whose ledger rows are then missed."""
    held = tables.rows(lake, LEDGER)
    if not held.columns:
        return sorted({*bronze["batch"]})
    return sorted({*bronze["batch"], *held.filter(pl.col("table").is_in([BRONZE, SILVER]))["batch"]})


def _ledger(batches: list[int], judged: pl.DataFrame) -> pl.DataFrame:
    def entry(table: str, batch: int) -> dict[str, object]:
        counts = counted.get(batch, {})
        read = sum(counts.values())
        silver = table == SILVER
        return {
            "table": table,
            "batch": batch,
            "read": read,
            "accepted": counts.get("accepted", 0) if silver else read,
            "quarantined": counts.get("broken", 0) if silver else 0,
            "duplicate": counts.get("repeat", 0) if silver else 0,
            "late": counts.get("late", 0) if silver else 0,
        }

    counted: dict[int, dict[str, int]] = {}
    for batch, verdict, count in judged.group_by("batch", "verdict").len().iter_rows():
        counted.setdefault(batch, {})[verdict] = count
    numbers = ["batch", "read", "accepted", "quarantined", "duplicate", "late"]
    return pl.DataFrame(
        [entry(table, batch) for batch in batches for table in (BRONZE, SILVER)],
        schema={"table": pl.String(), **dict.fromkeys(numbers, pl.Int64())},
    )


def _silver(judgement: Judgement) -> pl.DataFrame:
    columns = {
        name: pl.Series(name, [_number(report.get(name), dtype) for report in judgement.accepted], dtype)
        for name, dtype in REPORT_COLUMNS.items()
    }
    altitude = pl.col("baro_altitude")
    rate = pl.col("vertical_rate").fill_null(0.0)
    category = pl.col("category")
    return pl.DataFrame(columns).select(
        "icao24",
        "time_position",
        (pl.col("time_position") * 1_000_000).cast(INSTANT).alias("event_timestamp"),
        pl.col("callsign").str.strip_chars(BLANKS).replace("", None),
        "origin_country",
        "latitude",
        "longitude",
        altitude.alias("altitude_meters"),
        (pl.col("velocity") * 3.6).alias("velocity_kmh"),
        pl.col("vertical_rate").alias("vertical_rate_ms"),
        pl.col("true_track").alias("heading_deg"),
        "on_ground",
        "category",
        "squawk",
        pl.when(pl.col("on_ground"))
        .then(pl.lit("GROUND"))
        .when((rate > 2.5) & (altitude < 1_000))
        .then(pl.lit("TAKEOFF"))
        .when(rate > 2.5)
        .then(pl.lit("CLIMB"))
        .when(rate < -2.5)
        .then(pl.lit("DESCENT"))
        .otherwise(pl.lit("CRUISE"))
        .alias("flight_phase"),
        pl.when(category.is_between(2, 3))
        .then(pl.lit("Light"))
        .when(category.is_between(4, 6))
        .then(pl.lit("Heavy"))
        .when(category.is_between(7, 20))
        .then(pl.lit("Other"))
        .alias("aircraft_class"),
        pl.Series(SEEN, judgement.seen_until, pl.Int64).cast(INSTANT),
    )


def _number(value: object, dtype: pl.DataType) -> object:
    return float(value) if isinstance(value, int) and dtype == pl.Float64 else value
