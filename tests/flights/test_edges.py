"""What becomes of values at the edge of what can be, from the message to silver, quarantine and the anomalies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vigie.flights.pipeline import anomaly_alerts, flight_phase_counts, flights

from ..reference import compare
from ..reference.tables import rows
from ..runs import a_state, an_inbox, run_once

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

A_SECOND_BEFORE_1990 = 631_151_999
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"latitude": 90.01}, "is on Earth"),
    ({"latitude": -90.01}, "is on Earth"),
    ({"longitude": 180.01}, "is on Earth"),
    ({"longitude": -180.01}, "is on Earth"),
    ({"latitude": 1e308, "longitude": -1e308}, "is on Earth"),
    ({"latitude": None}, "has a position"),
    ({"time_position": 0}, "is not from before 1990"),
    ({"time_position": -1_000}, "is not from before 1990"),
    ({"time_position": A_SECOND_BEFORE_1990}, "is not from before 1990"),
]
ACCEPTED: dict[str, dict[str, Any]] = {
    "pole": {"latitude": 90, "longitude": -180},
    "other pole": {"latitude": -90.0, "longitude": 180.0},
    "first": {"time_position": A_SECOND_BEFORE_1990 + 1},
    "below": {"category": -1},
    "above": {"category": 21},
    "obstacle": {"category": 20},
    "unlabelled": {"category": None},
    "blanks": {"callsign": "        "},
    "nbsp": {"callsign": "\u00a0\u00a0"},
    "tabs": {"callsign": "\t \u2003"},
    "nothing": {"callsign": ""},
    "named": {"callsign": "\u00a0AFR 1 \t"},
    "fast": {"velocity": 1e308},
    "nulls": dict.fromkeys(
        ["baro_altitude", "on_ground", "velocity", "true_track", "vertical_rate", "category", "callsign"]
    ),
}


def test_values_at_the_edge_go_where_their_rule_says(sail: SparkSession, tmp_path: Path) -> None:
    broken = [a_state(at, **fields) for at, (fields, _) in enumerate(BROKEN)]
    accepted = [a_state(**{"icao24": name, **fields}) for name, fields in ACCEPTED.items()]
    # The oldest comes first: after the others it would be late.
    accepted.sort(key=lambda state: json.loads(state)["time_position"])
    inbox = an_inbox(tmp_path / "inbox", [*broken, *accepted])
    lake = tmp_path / "lake"

    run_once(flights, lake, flights_raw=inbox)

    assert rows(lake, "quarantine/flights").sort("line")["rules"].to_list() == [[rule] for _, rule in BROKEN]
    silver = {row["icao24"]: row for row in rows(lake, "silver/flights_ml").rows(named=True)}
    assert silver.keys() == ACCEPTED.keys()
    classes = {name: silver[name]["aircraft_class"] for name in ("below", "above", "obstacle", "unlabelled")}
    assert classes == {"below": None, "above": None, "obstacle": "Other", "unlabelled": None}
    callsigns = {name: silver[name]["callsign"] for name in ("blanks", "nbsp", "tabs", "nothing", "nulls", "named")}
    assert callsigns == dict.fromkeys(callsigns) | {"named": "AFR 1"}
    assert silver["fast"]["velocity_kmh"] == math.inf
    unknown = ("altitude_meters", "on_ground", "velocity_kmh", "heading_deg", "vertical_rate_ms", "category")
    assert [silver["nulls"][name] for name in unknown] == [None] * 6
    assert [difference for difference in compare(lake) if not difference.startswith("gold/")] == []

    counted = anomaly_alerts(sail.read.format("delta").load(str(lake / "silver/flights_ml"))).collect()
    noon = [row for row in counted if row.window.start.year == 2025]
    assert {(row.total_observations, row.altitude_anomalies, row.velocity_anomalies) for row in noon} == {(13, 0, 1)}


def test_what_cannot_be_is_counted_and_spoils_no_average(sail: SparkSession, tmp_path: Path) -> None:
    speeds = [200.0, 300.0, 1e308, -1e200, 1e154, 1e9]
    states = [a_state(at, icao24=f"a{at}", velocity=speed) for at, speed in enumerate(speeds)]
    states.append(a_state(9, icao24="high", velocity=None, baro_altitude=1e308))
    run_once(flights, tmp_path / "lake", flights_raw=an_inbox(tmp_path / "inbox", states))
    silver = sail.read.format("delta").load(str(tmp_path / "lake/silver/flights_ml"))

    [counts] = flight_phase_counts(silver).collect()
    first, *_ = anomaly_alerts(silver).collect()

    assert (counts.flight_count, counts.avg_velocity) == (7, pytest.approx(900.0))
    assert (first.total_observations, first.velocity_anomalies, first.altitude_anomalies) == (7, 5, 1)
    assert (first.avg_velocity, first.max_velocity) == (pytest.approx(900.0), math.inf)
    assert first.stddev_velocity == pytest.approx(math.sqrt(2 * 180.0**2))
    assert math.isfinite(first.avg_altitude)
    assert math.isfinite(first.stddev_altitude)
