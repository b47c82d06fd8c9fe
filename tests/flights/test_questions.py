"""The batch questions of flights against Polars and DuckDB, on reports that set right answers apart from wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from vigie.flights.pipeline import FLIGHTS_ML, flights
from vigie.flights.questions import busiest_countries, fastest_by_phase, traffic_by_minute

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
PHASES = ("CRUISE", "CLIMB", "DESCENT", "GROUND")
COUNTRIES = ("France", "Spain", "Italy", "Malta", "Chad", "Peru", "Oman", "Iran")


def a_report(number: int) -> dict[str, Any]:
    """One of many: aircraft, phases, speeds and callsigns change in different steps, and some are null."""
    phase = PHASES[number % 4]
    return {
        "icao24": f"a{number % 13:02d}",
        "event_timestamp": NOON + timedelta(seconds=7 * number),
        # Later flights come earlier in the alphabet, so the greatest callsign is seldom the fastest's.
        "callsign": None if number % 11 == 0 else f"AFR{999 - number}",
        "origin_country": COUNTRIES[number % 13 % 8],
        "altitude_meters": None if number % 5 == 0 else 100.0 * number,
        "velocity_kmh": None if number % 17 == 0 else 1.37131 * (number * 37 % 800),
        "on_ground": None if number % 19 == 0 else phase == "GROUND",
        "flight_phase": phase,
        "latitude": 43.7 + number % 7 / 3,
        "longitude": -1.4 + number % 5 / 2,
        "vertical_rate_ms": None if number % 23 == 0 else 0.37 * (number % 31) - 4,
        "heading_deg": None if number % 6 == 0 else 90.0,
        "category": None if number % 9 == 0 else number % 7,
        "aircraft_class": (None, "Light", "Heavy", "Other")[number % 13 % 4],
        "squawk": (None, "7000", "7500", "7600", "7700", "1000")[number % 11 % 6],
    }


EDGES = [
    {**a_report(1), "icao24": f"b{number}", "flight_phase": "TAKEOFF", "velocity_kmh": kmh}
    for number, kmh in enumerate((-0.26, 0.0, 0.46, 123.456, 1_000.0, 1_000.26))
]
# No aircraft climbs so; it is in the air all the same.
IMPOSSIBLE = [
    {**a_report(2), "icao24": f"c{number}", "flight_phase": "CLIMB", "vertical_rate_ms": rate}
    for number, rate in enumerate((150.0, 150.1, 12_000.0, 1e308, -1e308))
]
# Of two that are far apart, any other share than a half is another number.
TWO_RATES = [
    {
        **a_report(3),
        "icao24": f"e{rate:.0f}",
        "flight_phase": "CLIMB",
        "aircraft_class": "Two",
        "vertical_rate_ms": rate,
    }
    for rate in (-140.0, 140.0)
]
# Every tenth is sent again a second later.
TWICE = [
    {**report, "event_timestamp": report["event_timestamp"] + timedelta(seconds=1)}
    for report in map(a_report, range(3, 300, 10))
]
# The last is heard again on the other side of the ground: after a quarter of an hour, and after a little more.
HEARD_AGAIN = [
    {
        **a_report(number),
        "icao24": f"d{number}",
        "event_timestamp": NOON + timedelta(seconds=at),
        "on_ground": is_down,
        "velocity_kmh": None,
    }
    for number, gap in ((1, 900.0), (2, 900.5))
    for at, is_down in ((0.0, False), (gap, True))
]
REPORTS = [*map(a_report, range(300)), *EDGES, *IMPOSSIBLE, *TWO_RATES, *TWICE, *HEARD_AGAIN]


def silver(sail: SparkSession) -> tuple[DataFrame, pl.DataFrame]:
    return sail.createDataFrame(REPORTS, FLIGHTS_ML), pl.DataFrame(REPORTS, infer_schema_length=None)


def test_the_busiest_countries_are_those_with_most_aircraft_in_the_sky(sail: SparkSession) -> None:
    ours, reports = silver(sail)

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


def test_traffic_counts_each_aircraft_once_a_minute_and_phase(sail: SparkSession) -> None:
    ours, reports = silver(sail)

    rows = [(row.minute.astimezone(UTC), *row[1:]) for row in traffic_by_minute(ours).collect()]

    def aircraft_in(phase: str) -> pl.Expr:
        return pl.col("icao24").filter(pl.col("flight_phase") == phase).n_unique()

    wanted = (
        reports.group_by(pl.col("event_timestamp").dt.truncate("1m").alias("minute"))
        .agg(pl.col("icao24").n_unique(), aircraft_in("CLIMB").alias("up"), aircraft_in("DESCENT").alias("down"))
        .sort("minute")
    )
    assert rows == wanted.rows()


def test_the_fastest_has_the_callsign_of_its_fastest_report(sail: SparkSession) -> None:
    ours, reports = silver(sail)

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


IN_SQL = {
    "busiest_airspace": """
        SELECT floor(latitude)::BIGINT AS south, floor(longitude)::BIGINT AS west, count(DISTINCT icao24) AS aircraft,
            count(*) AS reports, round(avg(altitude_meters), 1) AS avg_altitude_meters
        FROM reports WHERE on_ground = false GROUP BY ALL ORDER BY aircraft DESC, reports DESC, south, west""",
    "speed_by_altitude": """
        SELECT (floor(altitude_meters / 1000) * 1000)::BIGINT AS from_meters, count(DISTINCT icao24) AS aircraft,
            round(avg(velocity_kmh), 1) AS avg_velocity_kmh, round(stddev_samp(velocity_kmh), 1) AS stddev_velocity_kmh
        FROM reports WHERE on_ground = false AND altitude_meters >= -100 AND altitude_meters <= 12000
            AND velocity_kmh >= 0 AND velocity_kmh <= 1000
        GROUP BY ALL ORDER BY from_meters""",
    "climb_by_class": """
        SELECT aircraft_class, count(DISTINCT icao24) AS aircraft,
            round(quantile_cont(vertical_rate_ms, 0.5) FILTER (abs(vertical_rate_ms) <= 150), 1) AS median_climb_ms,
            round(quantile_cont(vertical_rate_ms, 0.95) FILTER (abs(vertical_rate_ms) <= 150), 1) AS p95_climb_ms
        FROM reports WHERE flight_phase = 'CLIMB' OR flight_phase = 'TAKEOFF'
        GROUP BY ALL ORDER BY median_climb_ms DESC, aircraft_class NULLS FIRST""",
    "movements_by_hour": """
        WITH numbered AS (
            SELECT *, row_number() OVER (PARTITION BY icao24 ORDER BY event_timestamp) AS number
            FROM reports WHERE on_ground IS NOT NULL
        )
        SELECT date_trunc('hour', now.event_timestamp) AS hour,
            count(*) FILTER (before.on_ground AND NOT now.on_ground) AS take_offs,
            count(*) FILTER (now.on_ground AND NOT before.on_ground) AS landings
        FROM numbered AS now JOIN numbered AS before ON now.icao24 = before.icao24 AND now.number = before.number + 1
        WHERE now.event_timestamp - before.event_timestamp <= INTERVAL 15 MINUTES
        GROUP BY ALL ORDER BY hour""",
    "emergencies": """
        SELECT icao24, squawk, ['hijacking', 'no radio', 'emergency'][squawk[2]::INTEGER - 4] AS meaning,
            min(event_timestamp) AS first_at, max(event_timestamp) AS last_at, count(*) AS reports
        FROM reports WHERE squawk[:2] IN ('75', '76', '77') AND squawk LIKE '%00'
        GROUP BY ALL ORDER BY first_at, icao24, squawk""",
    "missing_values": """
        SELECT field, missing, round(missing * 100.0 / (SELECT count(*) FROM reports), 2) AS percent
        FROM (UNPIVOT (SELECT count(*) - count(callsign) AS callsign,
                count(*) - count(altitude_meters) AS altitude_meters, count(*) - count(velocity_kmh) AS velocity_kmh,
                count(*) - count(vertical_rate_ms) AS vertical_rate_ms, count(*) - count(heading_deg) AS heading_deg,
                count(*) - count(category) AS category, count(*) - count(squawk) AS squawk FROM reports)
            ON * INTO NAME field VALUE missing)
        ORDER BY percent DESC, field""",
}
# More than a quarter of an hour before the next one of the same aircraft, and just that long.
APART = [
    {
        **a_report(1),
        "icao24": f"c{span}",
        "event_timestamp": NOON + timedelta(hours=2, seconds=at),
        "on_ground": there,
    }
    for span in (900, 901)
    for at, there in ((0, True), (span, False), (2 * span, True))
]


def test_each_question_is_held_to_another_computation() -> None:
    assert set(IN_SQL) == {*flights.questions} - {"busiest_countries", "traffic_by_minute", "fastest_by_phase"}


@pytest.mark.parametrize("name", IN_SQL)
def test_a_question_is_answered_as_duckdb_answers_it(sail: SparkSession, name: str) -> None:
    reports = pl.DataFrame([*REPORTS, *APART], infer_schema_length=None)
    asked = flights.questions[name].function(sail.createDataFrame([*REPORTS, *APART], FLIGHTS_ML))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("reports", reports)
        wanted = database.sql(IN_SQL[name])
        columns, rows = wanted.columns, wanted.fetchall()

    found = [tuple(row) for row in asked.collect()]

    assert asked.columns == columns
    assert len(rows) > 1
    assert [instants(row) for row in found] == [instants(row) for row in rows]


def instants(row: tuple[Any, ...]) -> list[Any]:
    return [value.timestamp() if isinstance(value, datetime) else value for value in row]
