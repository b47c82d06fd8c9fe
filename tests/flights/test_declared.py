"""What flights declares is what was asked for: rules at their limits, watermarks, keys and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.declared import broken, gold_tables, silver_tables
from vigie import ddl
from vigie.detectors import Above, Below, SuddenChange
from vigie.flights import opensky, simulator
from vigie.flights.pipeline import flights
from vigie.graph import name_of
from vigie.sinks.elastic import Elastic

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
A_POSITION = {"latitude": 48.0, "longitude": 2.0, "event_timestamp": NOON, "received_at": NOON}
GRAPH = flights.graph()


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({}, []),
        ({"latitude": None}, ["has a position"]),
        ({"longitude": None}, ["has a position"]),
        ({"latitude": 90.0, "longitude": 180.0}, []),
        ({"latitude": -90.0, "longitude": -180.0}, []),
        ({"latitude": 90.01}, ["is on Earth"]),
        ({"latitude": -90.01}, ["is on Earth"]),
        ({"longitude": 180.01}, ["is on Earth"]),
        ({"longitude": -180.01}, ["is on Earth"]),
        ({"event_timestamp": datetime(1990, 1, 1, tzinfo=UTC)}, []),
        ({"event_timestamp": datetime(1989, 12, 31, 23, 59, 59, 999_999, UTC)}, ["is not from before 1990"]),
        ({"event_timestamp": after(minutes=1)}, []),
        ({"event_timestamp": after(minutes=1, microseconds=1)}, ["is not from the future"]),
        ({"event_timestamp": None}, ["is not from the future"]),
    ],
    ids=str,
)
def test_a_position_breaks_a_rule_just_beyond_its_limit(fields: dict[str, Any], rules: list[str]) -> None:
    [table] = GRAPH.silver

    assert broken(table, A_POSITION | fields) == rules


def test_opensky_and_the_simulator_bring_state_vectors_by_aircraft() -> None:
    [source] = GRAPH.sources

    assert (source.name, source.key, source.schema) == ("flights_raw", "icao24", opensky.STATE_VECTOR)
    assert (source.simulated, source.live) == (simulator.simulate, opensky.live)


def test_a_position_is_one_of_an_aircraft_at_a_moment_and_may_be_six_minutes_late() -> None:
    assert silver_tables(GRAPH) == {
        "flights_ml": ("flights_raw", "event_timestamp", "6 minutes", ("icao24", "time_position")),
    }
    assert list(ddl.columns(GRAPH.silver[0].schema)) == [
        "icao24", "time_position", "event_timestamp", "callsign", "origin_country", "latitude", "longitude",
        "altitude_meters", "velocity_kmh", "vertical_rate_ms", "heading_deg", "on_ground", "category",
        "squawk", "flight_phase", "aircraft_class",
    ]  # fmt: skip


def test_windows_wait_for_two_minutes_or_six_and_movements_look_a_quarter_of_an_hour_back() -> None:
    assert gold_tables(GRAPH) == {
        "streaming_aggregations/flight_phase_counts": ("flights_ml", "2 minutes", None, ()),
        "streaming_aggregations/anomaly_alerts": ("flights_ml", "6 minutes", None, ()),
        "movements": ("flights_ml", "2 minutes", "15 minutes", ()),
        "predictions": ("flights_ml", "2 minutes", "10 minutes", ()),
        "heavy_per_minute": ("predictions", "0 seconds", "1 minute", ()),
        "prediction_drift": ("predictions", "0 seconds", "1 hour", ()),
    }


def test_a_model_that_is_unsure_or_wrong_or_sees_other_aircraft_than_before_raises_an_alert() -> None:
    [watch] = GRAPH.watches

    assert (name_of(watch.reads), watch.key) == ("prediction_drift", "model")
    assert {rule.name: rule.detector for rule in watch.rules} == {
        "MODEL_UNSURE": Above("unsure_share", 0.2),
        "MODEL_WRONG": Below("right_share", 0.8),
        "CLASSES_SHIFTED": SuddenChange("heavy_share", by=0.3, within="90 minutes"),
    }


def test_a_document_is_known_by_what_its_window_is_grouped_by() -> None:
    assert [(name_of(delivery.table), delivery.to) for delivery in GRAPH.deliveries] == [
        ("flight_phase_counts", Elastic("flight-phases", id=("window_start", "flight_phase"))),
        ("anomaly_alerts", Elastic("flight-anomalies", id=("window_start", "origin_country"))),
        ("heavy_per_minute", Elastic("flight-classes", id=("window_start", "predicted_class"))),
    ]


def test_a_model_of_two_kinds_is_learnt_from_the_reports_and_predictions_alone_are_given_it() -> None:
    assert GRAPH.learning is not None
    assert (name_of(GRAPH.learning.reads), GRAPH.learning.kinds) == ("flights_ml", ("report", "minutes"))
    assert [gold.name for gold in GRAPH.gold if gold.model is GRAPH.learning] == ["predictions"]
    assert [gold.name for gold in GRAPH.gold if gold.model not in {GRAPH.learning, None}] == []


def test_nine_questions_can_be_asked() -> None:
    assert flights.name == "flights"
    assert list(flights.questions) == [
        "busiest_countries", "traffic_by_minute", "fastest_by_phase", "busiest_airspace", "speed_by_altitude",
        "climb_by_class", "movements_by_hour", "emergencies", "missing_values",
    ]  # fmt: skip
