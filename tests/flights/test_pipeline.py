"""The tables of flights as plain functions, on a few rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import Row
from pyspark.sql import functions as F

from vigie.flights import opensky
from vigie.flights.pipeline import (
    FLIGHTS_ML,
    anomaly_alerts,
    flight_phase_counts,
    flights_ml,
    great_circle_m,
    movements,
)
from vigie.instants import LAST_SECOND

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
STATE = {
    "icao24": "39ac47",
    "callsign": "AFR123  ",
    "origin_country": "France",
    "time_position": int(NOON.timestamp()),
    "longitude": 2.0,
    "latitude": 48.0,
    "baro_altitude": 11_000.0,
    "on_ground": False,
    "velocity": 250.0,
    "true_track": 90.0,
    "vertical_rate": 0.0,
    "category": 4,
}
REPORT = {
    "icao24": "39ac47",
    "event_timestamp": NOON,
    "origin_country": "France",
    "latitude": 48.0,
    "longitude": 2.0,
    "altitude_meters": 11_000.0,
    "velocity_kmh": 900.0,
    "flight_phase": "CRUISE",
}


def silver(sail: SparkSession, **fields: object) -> Row:
    """What flights_ml makes of one state vector."""
    states = sail.createDataFrame([{**STATE, **fields}], opensky.STATE_VECTOR)
    [row] = flights_ml(states).collect()
    return row


def reports(sail: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    """Rows of silver; `at` is seconds after noon."""
    given = [{**REPORT, "event_timestamp": NOON + timedelta(seconds=row.get("at", 0)), **row} for row in rows]
    return sail.createDataFrame([{k: v for k, v in row.items() if k != "at"} for row in given], FLIGHTS_ML)


def test_flights_ml_keeps_a_grounded_aircraft_but_calls_it_ground(sail: SparkSession) -> None:
    assert silver(sail, on_ground=True).flight_phase == "GROUND"


def test_flights_ml_gives_metres_and_kilometres_an_hour(sail: SparkSession) -> None:
    row = silver(sail, velocity=100.0, baro_altitude=-30.0, vertical_rate=5.5, true_track=359.5)

    assert row.velocity_kmh == pytest.approx(360.0)
    assert (row.altitude_meters, row.vertical_rate_ms, row.heading_deg) == (-30.0, 5.5, 359.5)
    assert row.callsign == "AFR123"
    assert row.aircraft_class == "Heavy"
    assert row.event_timestamp.timestamp() == NOON.timestamp()


def test_flights_ml_leaves_null_what_is_not_known(sail: SparkSession) -> None:
    unknown = dict.fromkeys(STATE.keys() - {"icao24"})

    row = silver(sail, **unknown)

    known = {name for name, value in row.asDict().items() if value is not None}
    assert known == {"icao24", "flight_phase"}
    assert row.flight_phase == "CRUISE"


@pytest.mark.parametrize("beyond", [LAST_SECOND + 1, -LAST_SECOND - 1, 2**62, -(2**63)])
def test_a_position_measured_when_no_calendar_has_an_instant_has_no_time(sail: SparkSession, beyond: int) -> None:
    assert silver(sail, time_position=beyond).event_timestamp is None


def test_the_last_instant_of_the_calendar_is_one(sail: SparkSession) -> None:
    rows = flights_ml(sail.createDataFrame([{**STATE, "time_position": LAST_SECOND}], opensky.STATE_VECTOR))

    assert rows.select(F.unix_seconds("event_timestamp").alias("at")).toArrow()["at"].to_pylist() == [LAST_SECOND]


@pytest.mark.parametrize("callsign", ["        ", "\u00a0\u00a0", "\t \u2003", ""])
def test_a_callsign_of_blanks_alone_is_none(sail: SparkSession, callsign: str) -> None:
    assert silver(sail, callsign=callsign).callsign is None
    assert silver(sail, callsign=f"{callsign}AFR 1{callsign}").callsign == "AFR 1"


def test_a_phase_counts_aircraft_once_and_averages_over_reports(sail: SparkSession) -> None:
    rows = reports(
        sail,
        {"at": 0, "velocity_kmh": 900.0, "altitude_meters": 10_000.0},
        {"at": 30, "velocity_kmh": 600.0, "altitude_meters": None},
        {"at": 59, "icao24": "b", "velocity_kmh": 300.0, "altitude_meters": 4_000.0},
        {"at": 59, "flight_phase": "DESCENT"},
        {"at": 60},
    )

    counts = {(row.window.start.minute, row.flight_phase): row for row in flight_phase_counts(rows).collect()}

    assert {key: row.flight_count for key, row in counts.items()} == {
        (0, "CRUISE"): 2,
        (0, "DESCENT"): 1,
        (1, "CRUISE"): 1,
    }
    assert counts[0, "CRUISE"].avg_velocity == pytest.approx(600.0)
    assert counts[0, "CRUISE"].avg_altitude == pytest.approx(7_000.0), "what is missing is no zero"


def test_a_report_that_is_wrong_twice_is_one_anomaly_in_the_rate(sail: SparkSession) -> None:
    rows = reports(
        sail,
        {"at": 1, "altitude_meters": 15_000.0, "velocity_kmh": 2_000.0},
        {"at": 2, "altitude_meters": -101.0},
        {"at": 3, "altitude_meters": None, "velocity_kmh": None},
        {"at": 4},
    )

    [row] = anomaly_alerts(rows).where(F.col("window.end") == F.lit(NOON + timedelta(minutes=1))).collect()

    assert (row.total_observations, row.altitude_anomalies, row.velocity_anomalies) == (4, 2, 1)
    assert row.anomaly_rate == pytest.approx(0.5)
    assert (row.max_altitude, row.min_altitude, row.max_velocity) == (15_000.0, -101.0, 2_000.0)
    assert row.stddev_velocity == pytest.approx(635.085296)


def test_the_figures_of_a_country_are_what_duckdb_says_they_are(sail: SparkSession) -> None:
    draw = random.Random(3)
    rows = [
        {
            "at": draw.randrange(600),
            "origin_country": draw.choice(["France", "Spain"]),
            "altitude_meters": draw.choice([None, -150.0, 13_000.0, *[draw.uniform(-100, 12_000)] * 7]),
            "velocity_kmh": draw.choice([None, -1.0, 1_200.0, *[draw.uniform(0, 1_000)] * 7]),
        }
        for _ in range(200)
    ]

    found = anomaly_alerts(reports(sail, *rows)).select("window.start", "window.end", "*").drop("window").collect()

    # DuckDB has no window that slides: each report counts for the five minutes that it may be in.
    with duckdb.connect() as database:
        database.register("reports", pa.Table.from_pylist(rows))
        expected = database.execute(
            """SELECT minute * 60 - 300 AS starts, minute * 60 AS ends, origin_country, count(*),
                count(*) FILTER (altitude_meters < -100 OR altitude_meters > 12000),
                count(*) FILTER (velocity_kmh < 0 OR velocity_kmh > 1000),
                count(*) FILTER (altitude_meters < -100 OR altitude_meters > 12000
                    OR velocity_kmh < 0 OR velocity_kmh > 1000) / count(*),
                max(altitude_meters), min(altitude_meters), max(velocity_kmh), avg(altitude_meters),
                avg(velocity_kmh), stddev_samp(altitude_meters), stddev_samp(velocity_kmh)
            FROM reports, range(1, 16) AS every(minute)
            WHERE "at" >= starts AND "at" < ends GROUP BY ALL"""
        ).fetchall()
    in_seconds = [
        tuple(at.timestamp() - NOON.timestamp() if isinstance(at, datetime) else at for at in row) for row in found
    ]
    assert sorted(in_seconds) == [pytest.approx(row, nan_ok=False) for row in sorted(expected)]
    assert found[0].asDict().keys() - {"start", "end"} == {
        "origin_country", "total_observations", "altitude_anomalies", "velocity_anomalies", "anomaly_rate",
        "max_altitude", "min_altitude", "max_velocity", "avg_altitude", "avg_velocity", "stddev_altitude",
        "stddev_velocity",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("altitude", "speed", "anomalies"),
    [
        (-100.0, 0.0, (0, 0)),
        (12_000.0, 1_000.0, (0, 0)),
        (-100.1, -0.1, (1, 1)),
        (12_000.1, 1_000.1, (1, 1)),
        (None, None, (0, 0)),
    ],
)
def test_the_limits_themselves_are_no_anomaly(
    sail: SparkSession, altitude: float | None, speed: float | None, anomalies: tuple[int, int]
) -> None:
    rows = reports(sail, {"altitude_meters": altitude, "velocity_kmh": speed})

    row = anomaly_alerts(rows).first()

    assert row is not None
    assert (row.altitude_anomalies, row.velocity_anomalies) == anomalies


def test_a_report_is_in_the_five_windows_of_five_minutes_that_hold_it(sail: SparkSession) -> None:
    starts = {row.window.start.timestamp() - NOON.timestamp() for row in anomaly_alerts(reports(sail, {})).collect()}

    assert starts == {-240, -180, -120, -60, 0}


def test_what_is_beyond_a_billion_or_no_number_is_in_no_average(sail: SparkSession) -> None:
    altitudes = [1e9, 1_000_000_001.0, -1e9, -1_000_000_001.0, float("nan"), float("inf"), None]
    [window, *_] = anomaly_alerts(reports(sail, *({"altitude_meters": each} for each in altitudes))).collect()

    assert (window.total_observations, window.avg_altitude) == (7, 0.0)


def test_a_movement_is_from_the_report_just_before_of_the_same_aircraft(sail: SparkSession) -> None:
    rows = reports(
        sail,
        {"at": 20, "latitude": 48.02, "altitude_meters": 11_060.0, "velocity_kmh": 910.0},
        {"at": 0},
        {"at": 10, "latitude": 48.01, "velocity_kmh": 905.0},
        {"at": 15, "icao24": "another", "latitude": 50.0},
    )

    [first, second] = movements(rows).orderBy("event_timestamp").collect()

    assert (first.seconds, second.seconds) == (10.0, 10.0)
    assert second.previous_at.timestamp() == NOON.timestamp() + 10
    assert second.distance_m == pytest.approx(1_111.95, abs=0.01)
    assert (second.speed_change_kmh, second.altitude_change_m) == (5.0, 60.0)
    assert second.implied_speed_kmh == pytest.approx(400.3, abs=0.1)
    assert not second.is_jump


def test_a_movement_that_no_aircraft_can_make_is_a_jump(sail: SparkSession) -> None:
    rows = reports(sail, {"at": 0}, {"at": 10, "latitude": 48.05})

    [row] = movements(rows).collect()

    assert row.implied_speed_kmh == pytest.approx(2_001.5, abs=0.1)
    assert row.is_jump


@pytest.mark.parametrize(("kmh", "is_jump"), [(1_499.9, False), (1_500.1, True)])
def test_a_jump_is_faster_than_1500_km_an_hour(sail: SparkSession, kmh: float, is_jump: bool) -> None:
    degrees = kmh / 3.6 * 10 / 111_195.08  # along a meridian, in ten seconds
    rows = reports(sail, {"at": 0}, {"at": 10, "latitude": 48 + degrees})

    [row] = movements(rows).collect()

    assert row.implied_speed_kmh == pytest.approx(kmh, abs=0.01)
    assert row.is_jump is is_jump


def test_what_moves_exactly_as_fast_as_an_aircraft_can_is_no_jump(
    sail: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = reports(sail, {"at": 0}, {"at": 10, "latitude": 48.05})
    [row] = movements(rows).collect()
    monkeypatch.setattr("vigie.flights.pipeline.FASTEST_AIRCRAFT_KMH", row.implied_speed_kmh)

    [row] = movements(rows).collect()

    assert not row.is_jump


@pytest.mark.parametrize(("seconds", "count"), [(648, 1), (900, 1), (900.000001, 0)])
def test_a_movement_takes_a_quarter_of_an_hour_at_most(sail: SparkSession, seconds: float, count: int) -> None:
    rows = reports(sail, {"at": 0}, {"at": seconds})

    assert movements(rows).count() == count


@pytest.mark.parametrize(
    ("start", "end", "metres"),
    [
        ((0.0, 0.0), (0.0, 0.0), 0.0),
        ((0.0, 0.0), (0.0, 1.0), 111_195.08),
        ((0.0, 0.0), (1.0, 0.0), 111_195.08),
        ((60.0, 0.0), (60.0, 1.0), 55_597.01),
        ((0.0, 179.5), (0.0, -179.5), 111_195.08),
        ((90.0, 0.0), (90.0, 120.0), 0.0),
        ((0.0, 0.0), (0.0, 180.0), 20_015_114.44),
        ((-82.0, -180.0), (82.0, 0.0), 20_015_114.44),
        ((48.8566, 2.3522), (51.5074, -0.1278), 343_556.0),
    ],
    ids=[
        "none",
        "a degree east",
        "a degree north",
        "at 60",
        "date line",
        "pole",
        "half round",
        "half round, by a hair",
        "Paris-London",
    ],
)
def test_the_great_circle_is_as_long_as_it_is(
    sail: SparkSession, start: tuple[float, float], end: tuple[float, float], metres: float
) -> None:
    place = "STRUCT<latitude: DOUBLE, longitude: DOUBLE>"
    rows = sail.createDataFrame([(start, end)], f"a {place}, b {place}")

    [row] = rows.select(great_circle_m("a", "b").alias("metres")).collect()

    assert row.metres == pytest.approx(metres, rel=1e-5, abs=0.01)
