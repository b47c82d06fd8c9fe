"""The tables of sensors as plain functions, on a few rows; the figures against DuckDB and Polars."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import Row

from vigie.check import problems
from vigie.sensors.pipeline import (
    READING,
    SENSOR_READINGS,
    WEATHER,
    alerts_by_type,
    last_values,
    location_extremes,
    maintenance_windows,
    readings_5m,
    readings_10m,
    readings_in_context,
    sensor_readings,
    sensors,
    weather,
)
from vigie.sensors.surroundings import ANNOUNCEMENT, OBSERVATION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
MESSAGE = {
    "sensor_id": "SENSOR_001",
    "timestamp": NOON,
    "temperature": 22.5,
    "humidity": 65.0,
    "pressure": 1013.25,
    "location": "Building A - Floor 2",
}
A_READING = {
    "sensor_id": "SENSOR_001",
    "event_timestamp": NOON,
    "temperature_c": 22.5,
    "humidity_pct": 65.0,
    "pressure_hpa": 1013.25,
    "location": "Building A - Floor 2",
    "building": "A",
    "floor": 2,
    "is_alert": False,
    "severity": "normal",
}
AGGREGATES = """count(*) AS readings, avg(temperature_c) AS mean_c, min(temperature_c) AS min_c,
    max(temperature_c) AS max_c, stddev_samp(temperature_c) AS stddev_c,
    quantile_cont(temperature_c, 0.5) AS p50_c, quantile_cont(temperature_c, 0.95) AS p95_c,
    quantile_cont(temperature_c, 0.99) AS p99_c"""


def silver(sail: SparkSession, **fields: object) -> Row:
    """What sensor_readings makes of one message."""
    [row] = sensor_readings(sail.createDataFrame([{**MESSAGE, **fields}], READING)).collect()
    return row


def readings(sail: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    """Rows of silver; `at` is seconds after noon."""
    return sail.createDataFrame([a_reading(**row) for row in rows], SENSOR_READINGS)


def a_reading(at: float = 0, **fields: object) -> dict[str, Any]:
    return {**A_READING, "event_timestamp": NOON + timedelta(seconds=at), **fields}


def many(count: int = 400) -> list[dict[str, Any]]:
    """An hour of a few sensors on a few floors, with what is missing now and then."""
    draw = random.Random(5)
    return [
        {
            "at": draw.randrange(3_600),
            "sensor_id": f"SENSOR_{draw.randrange(5):03}",
            "location": draw.choice(["Building A - Floor 1", "Building B - Floor 2", None]),
            "temperature_c": round(draw.gauss(20, 8), 2),
            "humidity_pct": round(draw.uniform(40, 100), 1),
            "pressure_hpa": round(draw.uniform(980, 1030), 1),
        }
        for _ in range(count)
    ]


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(value is not None, value) for value in list(row.values())[:3]])


def flat(rows: DataFrame) -> list[dict[str, Any]]:
    """Rows with `window` as two columns of instants in UTC."""
    found = []
    for row in rows.collect():
        said = row.asDict()
        window = said.pop("window")
        found.append({"window_start": _utc(window.start), "window_end": _utc(window.end), **said})
    return in_order(found)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def asked(sql: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What DuckDB says of the readings."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.register("readings", pa.Table.from_pylist([a_reading(**row) for row in rows]))
    return in_order(
        [
            {k: _utc(v) if isinstance(v, datetime) else v for k, v in row.items()}
            for row in database.sql(sql).to_arrow_table().to_pylist()
        ]
    )


def close(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one == {name: pytest.approx(v) if isinstance(v, float) else v for name, v in other.items()}


def test_the_sensors_that_ship_with_vigie_have_no_problems() -> None:
    assert problems(sensors) == []


def test_a_reading_is_one_of_a_building_and_a_floor(sail: SparkSession) -> None:
    row = silver(sail)

    assert {name: row[name] for name in A_READING if name != "event_timestamp"} == {
        name: value for name, value in A_READING.items() if name != "event_timestamp"
    }
    assert row.event_timestamp.timestamp() == NOON.timestamp()


@pytest.mark.parametrize(
    ("location", "building", "floor"),
    [
        ("Building AB - Floor -1", "AB", -1),
        ("building c, floor 12", "c", 12),
        ("Roof", None, None),
        ("Building D", "D", None),
        ("Floor 99999999999", None, None),
        (None, None, None),
    ],
)
def test_where_a_sensor_is_may_be_told_in_other_words(
    sail: SparkSession, location: str | None, building: str | None, floor: int | None
) -> None:
    row = silver(sail, location=location)

    assert (row.building, row.floor) == (building, floor)


@pytest.mark.parametrize(
    ("fields", "is_alert", "severity"),
    [
        ({"temperature": 30.0, "humidity": 80.0}, False, "normal"),
        ({"temperature": 10.0}, False, "normal"),
        ({"temperature": 30.1}, True, "warning"),
        ({"temperature": 9.9}, True, "warning"),
        ({"humidity": 80.1}, True, "warning"),
        ({"temperature": 35.0}, True, "warning"),
        ({"temperature": 5.0}, True, "warning"),
        ({"humidity": 90.0}, True, "warning"),
        ({"temperature": 35.1}, True, "critical"),
        ({"temperature": 4.9}, True, "critical"),
        ({"humidity": 90.1}, True, "critical"),
    ],
)
def test_a_reading_beyond_a_limit_is_an_alert_and_the_limit_itself_is_not(
    sail: SparkSession, fields: dict[str, float], is_alert: bool, severity: str
) -> None:
    row = silver(sail, **fields)

    assert (row.is_alert, row.severity) == (is_alert, severity)


def test_five_minutes_of_a_sensor_are_what_duckdb_says_they_are(sail: SparkSession) -> None:
    rows = many()

    found = flat(readings_5m(readings(sail, *rows)))

    close(
        found,
        asked(
            f"""SELECT time_bucket(INTERVAL 5 MINUTE, event_timestamp) AS window_start,
                window_start + INTERVAL 5 MINUTE AS window_end, sensor_id, {AGGREGATES}
            FROM readings GROUP BY ALL""",
            rows,
        ),
    )
    assert list(found[0]) == [
        "window_start", "window_end", "sensor_id", "readings", "mean_c", "min_c", "max_c", "stddev_c",
        "p50_c", "p95_c", "p99_c",
    ]  # fmt: skip


def test_ten_minutes_of_a_sensor_every_five_are_what_duckdb_says_they_are(sail: SparkSession) -> None:
    rows = many()

    found = flat(readings_10m(readings(sail, *rows)))

    close(
        found,
        asked(
            f"""SELECT time_bucket(INTERVAL 5 MINUTE, event_timestamp) - back * INTERVAL 5 MINUTE AS window_start,
                window_start + INTERVAL 10 MINUTE AS window_end, sensor_id, {AGGREGATES}
            FROM readings, (VALUES (0), (1)) AS every(back) GROUP BY ALL""",
            rows,
        ),
    )


def test_the_extremes_of_a_location_are_what_polars_says_they_are(sail: SparkSession) -> None:
    rows = many()

    found = flat(location_extremes(readings(sail, *rows)))

    windows = (
        pl.DataFrame([a_reading(**row) for row in rows])
        .with_columns(pl.col("event_timestamp").dt.truncate("5m").alias("window_start"))
        .group_by("window_start", "location")
        .agg(
            pl.len().alias("readings"),
            *(
                getattr(pl.col(column), least)().alias(f"{least}_{unit}")
                for column, unit in [
                    ("temperature_c", "c"),
                    ("humidity_pct", "humidity_pct"),
                    ("pressure_hpa", "pressure_hpa"),
                ]
                for least in ("min", "max")
            ),
        )
        .select(
            "window_start",
            (pl.col("window_start") + timedelta(minutes=5)).alias("window_end"),
            pl.exclude("window_start"),
        )
    )
    close(found, in_order(windows.to_dicts()))


def test_alerts_by_type_are_what_polars_says_they_are(sail: SparkSession) -> None:
    at_the_limits = [{"at": 1, "temperature_c": 30.0, "humidity_pct": 80.0}, {"at": 2, "temperature_c": 10.0}]
    rows = [*many(), *at_the_limits]

    found = flat(alerts_by_type(readings(sail, *rows)))

    every = pl.DataFrame([a_reading(**row) for row in rows])
    kinds = {
        "HIGH_TEMP": pl.col("temperature_c") > 30,
        "LOW_TEMP": pl.col("temperature_c") < 10,
        "HIGH_HUMIDITY": pl.col("humidity_pct") > 80,
    }
    beyond = pl.concat([every.filter(limit).with_columns(alert_type=pl.lit(kind)) for kind, limit in kinds.items()])
    expected = (
        beyond.with_columns(window_start=pl.col("event_timestamp").dt.truncate("5m"))
        .group_by("window_start", "alert_type")
        .agg(alerts=pl.len(), sensors=pl.col("sensor_id").n_unique())
        .select(
            "window_start",
            (pl.col("window_start") + timedelta(minutes=5)).alias("window_end"),
            pl.exclude("window_start"),
        )
    )
    close(found, in_order(expected.to_dicts()))


def test_the_last_value_of_a_sensor_is_all_of_its_reading(sail: SparkSession) -> None:
    assert last_values(readings(sail, {})).columns == list(A_READING)


def observations(sail: SparkSession, *rows: tuple[str, float, float]) -> DataFrame:
    """Site, minutes after noon, degrees."""
    values = [(site, NOON + timedelta(minutes=at), degrees, 70.0, 3.0) for site, at, degrees in rows]
    return sail.createDataFrame(values, WEATHER)


def windows(sail: SparkSession, *rows: tuple[str, float, float, str]) -> DataFrame:
    """Building, minutes after noon of its start and end, what is done."""
    values = [
        (building, NOON + timedelta(minutes=start), NOON + timedelta(minutes=end), what, NOON - timedelta(days=1))
        for building, start, end, what in rows
    ]
    return sail.createDataFrame(values, ANNOUNCEMENT)


def in_context(rows: DataFrame, observed: DataFrame, planned: DataFrame) -> dict[str, Row]:
    return {row.sensor_id: row for row in readings_in_context(rows, observed, planned).collect()}


@pytest.mark.parametrize(
    ("minute", "degrees"),
    [(-1, None), (0, 10.0), (59, 10.0), (60, 12.0), (239, 12.0), (240, None), (299, None), (300, 9.0)],
)
def test_the_weather_is_the_newest_at_or_before_the_reading_and_no_older_than_three_hours(
    sail: SparkSession, minute: int, degrees: float | None
) -> None:
    rows = readings(sail, {"at": minute * 60})
    observed = observations(sail, ("A", 0, 10.0), ("A", 60, 12.0), ("A", 300, 9.0), ("B", 59, 30.0))

    row = in_context(rows, observed, windows(sail))["SENSOR_001"]

    assert row.outside_c == degrees
    assert row.over_outside_c == (None if degrees is None else pytest.approx(22.5 - degrees))


def test_the_weather_of_many_readings_is_what_an_as_of_join_says(sail: SparkSession) -> None:
    draw = random.Random(6)
    rows: list[dict[str, Any]] = [
        {"at": draw.randrange(86_400), "sensor_id": f"S{n}", "building": draw.choice("ABC")} for n in range(300)
    ]
    seen = [(draw.choice("AB"), draw.randrange(1_440), round(draw.gauss(10, 5), 1)) for _ in range(40)]
    seen = list({(site, at): (site, at, degrees) for site, at, degrees in seen}.values())

    found = in_context(readings(sail, *rows), observations(sail, *seen), windows(sail))

    left = pl.DataFrame([a_reading(**row) for row in rows]).sort("event_timestamp")
    right = pl.DataFrame(
        [{"site": site, "observed_at": NOON + timedelta(minutes=at), "outside_c": c} for site, at, c in seen]
    ).sort("observed_at")
    joined = left.join_asof(
        right, left_on="event_timestamp", right_on="observed_at", by_left="building", by_right="site",
        tolerance=timedelta(hours=3) - timedelta(microseconds=1), check_sortedness=False,
    )  # fmt: skip
    expected = {row["sensor_id"]: row["outside_c"] for row in joined.to_dicts()}
    assert {sensor: row.outside_c for sensor, row in found.items()} == expected
    assert len(set(expected.values())) > 10


@pytest.mark.parametrize(("minute", "what"), [(-1, None), (0, "lift"), (29, "lift"), (30, None)])
def test_a_reading_within_a_maintenance_window_says_which(sail: SparkSession, minute: int, what: str | None) -> None:
    rows = readings(sail, {"at": minute * 60})
    planned = windows(sail, ("A", 0, 30, "lift"), ("B", -60, 60, "heating"))

    row = in_context(rows, observations(sail), planned)["SENSOR_001"]

    assert (row.in_maintenance, row.maintenance) == (what is not None, what)


def test_a_reading_in_two_windows_is_given_once_with_the_one_that_began_first(sail: SparkSession) -> None:
    rows = readings(sail, {}, {"sensor_id": "nowhere", "building": None})
    planned = windows(sail, ("A", -5, 30, "lift"), ("A", -10, 60, "heating"))

    found = readings_in_context(rows, observations(sail, ("A", 0, 1.0)), planned).collect()

    assert list(found[0].asDict()) == [
        "sensor_id", "event_timestamp", "building", "temperature_c", "observed_at", "outside_c",
        "outside_humidity_pct", "wind_ms", "over_outside_c", "in_maintenance", "maintenance",
    ]  # fmt: skip
    assert {(row.sensor_id, row.in_maintenance, row.maintenance) for row in found} == {
        ("SENSOR_001", True, "heating"),
        ("nowhere", False, None),
    }
    assert len(found) == 2


def test_an_observation_and_an_announcement_keep_what_they_say(sail: SparkSession) -> None:
    seen = sail.createDataFrame([("A", NOON, 7.5, 80.0, 3.5)], OBSERVATION)
    planned = windows(sail, ("A", 0, 30, "lift"))

    [observed] = weather(seen).select("site", "observed_at", "outside_c", "outside_humidity_pct", "wind_ms").collect()

    assert (observed.site, _utc(observed.observed_at), *observed[2:]) == ("A", NOON, 7.5, 80.0, 3.5)
    assert maintenance_windows(planned).collect() == planned.collect()
