"""The batch questions of flights against Polars, on reports that set right answers apart from likely wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from vigie.flights.pipeline import FLIGHTS_ML
from vigie.flights.questions import busiest_countries, fastest_by_phase, traffic_by_minute

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
PHASES = ("CRUISE", "CLIMB", "DESCENT", "GROUND")


def a_report(number: int) -> dict[str, Any]:
    """One of many: aircraft, phases, speeds and callsigns change in different steps, and some are null."""
    phase = PHASES[number % 4]
    return {
        "icao24": f"a{number % 13:02d}",
        "event_timestamp": NOON + timedelta(seconds=7 * number),
        # Later flights come earlier in the alphabet, so the greatest callsign is seldom the fastest's.
        "callsign": None if number % 11 == 0 else f"AFR{999 - number}",
        "origin_country": ("France", "Spain", "Italy")[number % 13 % 3],
        "altitude_meters": None if number % 5 == 0 else 100.0 * number,
        "velocity_kmh": None if number % 17 == 0 else 1.5 * (number * 37 % 800),
        "on_ground": None if number % 19 == 0 else phase == "GROUND",
        "flight_phase": phase,
    }


EDGES = [
    {**a_report(1), "icao24": f"b{number}", "flight_phase": "TAKEOFF", "velocity_kmh": kmh}
    for number, kmh in enumerate((-0.26, 0.0, 0.46, 123.456, 1_000.0, 1_000.26))
]
# Every tenth is sent again a second later.
TWICE = [
    {**report, "event_timestamp": report["event_timestamp"] + timedelta(seconds=1)}
    for report in map(a_report, range(0, 300, 10))
]
REPORTS = [*map(a_report, range(300)), *EDGES, *TWICE]


def silver(spark: SparkSession) -> tuple[DataFrame, pl.DataFrame]:
    return spark.createDataFrame(REPORTS, FLIGHTS_ML), pl.DataFrame(REPORTS, infer_schema_length=None)


def test_the_busiest_countries_are_those_with_most_aircraft_in_the_sky(spark: SparkSession) -> None:
    ours, reports = silver(spark)

    found = busiest_countries(ours)
    rows = [tuple(row) for row in found.collect()]

    wanted = (
        reports.filter(~pl.col("on_ground"))
        .group_by("origin_country")
        .agg(
            pl.col("icao24").n_unique().alias("aircraft"),
            pl.len().alias("reports"),
            pl.col("altitude_meters").mean().round(1),
            pl.col("velocity_kmh").mean().round(1),
        )
        .sort("aircraft", "origin_country", descending=[True, False])
    )
    assert rows == wanted.rows()
    assert found.columns == ["origin_country", "aircraft", "reports", "avg_altitude_meters", "avg_velocity_kmh"]


def test_traffic_counts_each_aircraft_once_a_minute_and_phase(spark: SparkSession) -> None:
    ours, reports = silver(spark)

    rows = [(row.minute.astimezone(UTC), *row[1:]) for row in traffic_by_minute(ours).collect()]

    def aircraft_in(phase: str) -> pl.Expr:
        return pl.col("icao24").filter(pl.col("flight_phase") == phase).n_unique()

    wanted = (
        reports.group_by(pl.col("event_timestamp").dt.truncate("1m").alias("minute"))
        .agg(pl.col("icao24").n_unique(), aircraft_in("CLIMB").alias("up"), aircraft_in("DESCENT").alias("down"))
        .sort("minute")
    )
    assert rows == wanted.rows()


def test_the_fastest_has_the_callsign_of_its_fastest_report(spark: SparkSession) -> None:
    ours, reports = silver(spark)

    rows = [tuple(row) for row in fastest_by_phase(ours).collect()]

    possible = reports.filter(pl.col("velocity_kmh").is_between(0, 1_000))
    wanted = (
        possible.sort("velocity_kmh", "event_timestamp")
        .group_by("flight_phase", "icao24", maintain_order=True)
        .last()
        .sort("flight_phase", "velocity_kmh", "icao24", descending=[False, True, False])
        .with_columns(pl.int_range(1, pl.len() + 1).over("flight_phase").alias("place"))
        .filter(pl.col("place") <= 5)
        .select("flight_phase", "place", "icao24", "callsign", pl.col("velocity_kmh").round(1))
    )
    assert rows == wanted.rows()
