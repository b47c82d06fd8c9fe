"""What is counted of predictions is what Polars counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.models import a_stump
from vigie.flights.pipeline import heavy_per_minute, prediction_drift, predictions
from vigie.forest import Predictor
from vigie.models import Trained

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SCHEMA = """icao24 STRING, event_timestamp TIMESTAMP, callsign STRING, aircraft_class STRING, predicted_class STRING,
    probability DOUBLE, model INT"""
CLASSES = ("Heavy", "Light", "Other")


@pytest.fixture(scope="module")
def said() -> list[tuple[Any, ...]]:
    """Predictions of three hours by two models: right and wrong, unsure, and of aircraft that do not say what they are;
    of the third hour nobody says, and of the fourth one alone."""
    rng = np.random.default_rng(8)
    rows = []
    for _ in range(600):
        second = int(rng.integers(0, 3 * 3600))
        known = None if second >= 2 * 3600 or rng.random() < 0.3 else str(rng.choice(CLASSES))
        rows.append((
            f"{rng.integers(0, 25):06x}", NOON + timedelta(seconds=second), None, known,
            str(rng.choice([*CLASSES, "Unsure"])), float(rng.uniform(0.3, 1)), int(rng.integers(1, 3)),
        ))  # fmt: skip
    return [*rows, ("abcdef", NOON + timedelta(hours=3), None, "Heavy", "Heavy", 0.9, 1)]


def frames(sail: SparkSession, said: list[tuple[Any, ...]]) -> tuple[DataFrame, pl.DataFrame]:
    rows = sail.createDataFrame(said, SCHEMA)
    found = pl.from_arrow(rows.toArrow())
    assert isinstance(found, pl.DataFrame)
    return rows, found


def answered(rows: DataFrame) -> pl.DataFrame:
    """What Spark gives, with its window as the moment it begins."""
    found = pl.from_arrow(rows.selectExpr("window.start AS window_start", "*").drop("window").toArrow())
    assert isinstance(found, pl.DataFrame)
    return found


def test_aircraft_are_counted_once_for_each_class_they_are_taken_for_in_a_minute(
    sail: SparkSession, said: list[tuple[Any, ...]]
) -> None:
    rows, plain = frames(sail, said)

    found = answered(heavy_per_minute(rows)).sort("window_start", "predicted_class")

    expected = (
        plain.group_by(pl.col("event_timestamp").dt.truncate("1m").alias("window_start"), "predicted_class")
        .agg(
            pl.col("icao24").n_unique().cast(pl.Int64).alias("flight_count"),
            pl.len().cast(pl.Int64).alias("reports"),
            pl.col("probability").mean().alias("avg_probability"),
            pl.col("model").max(),
        )
        .sort("window_start", "predicted_class")
    )
    assert_frame_equal(found, expected, rel_tol=1e-12)


def test_an_hour_of_a_model_has_the_share_of_each_class_and_how_often_it_was_right(
    sail: SparkSession, said: list[tuple[Any, ...]]
) -> None:
    rows, plain = frames(sail, said)

    found = answered(prediction_drift(rows)).sort("window_start", "model")

    taken, is_known = pl.col("predicted_class"), pl.col("aircraft_class").is_not_null()
    judged = is_known & (taken != "Unsure")
    expected = (
        plain.group_by(pl.col("event_timestamp").dt.truncate("1h").alias("window_start"), "model")
        .agg(
            pl.col("event_timestamp").max(),
            pl.len().cast(pl.Int64).alias("reports"),
            (taken == "Heavy").mean().alias("heavy_share"),
            (taken == "Light").mean().alias("light_share"),
            (taken == "Other").mean().alias("other_share"),
            (taken == "Unsure").mean().alias("unsure_share"),
            pl.col("probability").mean().alias("avg_probability"),
            (taken == pl.col("aircraft_class")).filter(judged).mean().alias("right_share"),
        )
        .sort("window_start", "model")
    )
    assert_frame_equal(found.select(expected.columns), expected, rel_tol=1e-12)
    assert expected["right_share"].null_count() == 2, "of the hour in which nobody says what he is"


def test_a_prediction_names_the_aircraft_the_moment_and_what_it_says_of_itself(sail: SparkSession) -> None:
    model = Trained("report", 4, 0.5, Predictor.of(a_stump("velocity_kmh", 500, [0.0, 1.0, 0.0], [0.9, 0.0, 0.1])))
    schema = """icao24 STRING, event_timestamp TIMESTAMP, callsign STRING, velocity_kmh DOUBLE, altitude_meters DOUBLE,
        vertical_rate_ms DOUBLE, heading_deg DOUBLE, on_ground BOOLEAN, aircraft_class STRING"""
    silver = sail.createDataFrame(
        [
            ("aa", NOON, "AFR1", 800.0, 10_000.0, 0.0, 90.0, False, "Heavy"),
            ("bb", NOON, None, 150.0, 500.0, 2.0, None, False, None),
            ("cc", NOON, "AFR2", 10.0, None, None, None, True, "Heavy"),
        ],
        schema,
    )

    found = predictions(silver, model).orderBy("icao24")

    assert found.columns == [
        "icao24", "event_timestamp", "callsign", "aircraft_class", "predicted_class", "probability", "model"
    ]  # fmt: skip
    assert [tuple(row) for row in found.drop("event_timestamp").collect()] == [
        ("aa", "AFR1", "Heavy", "Heavy", 0.9, 4),
        ("bb", None, None, "Light", 1.0, 4),
    ]
