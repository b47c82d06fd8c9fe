"""Answers as OpenSky documents them, typed by hand, on their way to the message and to silver.

https://openskynetwork.github.io/opensky-api/rest.html#response

Nothing here may be made from the product's own list of fields: that list is what is tested.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vigie.flights.pipeline import flights
from vigie.flights.states import read

from ..reference.tables import rows
from ..runs import an_inbox, run_once

# No two values of a vector are alike, and none would pass for another field's.
DESCENDING = (
    b'["3c6444","DLH9LF  ","Germany",1763640001,1763640002,2.5479,49.0097,1638.3,false,131.52,81.44,-6.5,'
    b'[17,4093],1706.88,"2157",true,3,6]'
)
# Without `extended=1` there is no eighteenth field.
PARKED = (
    b'["39de4f",null,"France",1763639990,1763640003,5.0903,43.4393,null,true,4.12,317.81,null,null,null,null,false,0]'
)
ANSWER = b'{"time":1763640004,"states":[' + DESCENDING + b"," + PARKED + b"]}"


def test_each_of_18_fields_goes_by_the_name_that_opensky_documents() -> None:
    [(key, message), _] = read(ANSWER, None).messages

    assert key == b"3c6444"
    assert json.loads(message) == {
        "time": 1763640004,
        "icao24": "3c6444",
        "callsign": "DLH9LF  ",
        "origin_country": "Germany",
        "time_position": 1763640001,
        "last_contact": 1763640002,
        "longitude": 2.5479,
        "latitude": 49.0097,
        "baro_altitude": 1638.3,
        "on_ground": False,
        "velocity": 131.52,
        "true_track": 81.44,
        "vertical_rate": -6.5,
        "sensors": [17, 4093],
        "geo_altitude": 1706.88,
        "squawk": "2157",
        "spi": True,
        "position_source": 3,
        "category": 6,
    }


def test_each_of_17_fields_goes_by_the_name_that_opensky_documents() -> None:
    [_, (key, message)] = read(ANSWER, None).messages

    assert key == b"39de4f"
    assert json.loads(message) == {
        "time": 1763640004,
        "icao24": "39de4f",
        "callsign": None,
        "origin_country": "France",
        "time_position": 1763639990,
        "last_contact": 1763640003,
        "longitude": 5.0903,
        "latitude": 43.4393,
        "baro_altitude": None,
        "on_ground": True,
        "velocity": 4.12,
        "true_track": 317.81,
        "vertical_rate": None,
        "sensors": None,
        "geo_altitude": None,
        "squawk": None,
        "spi": False,
        "position_source": 0,
    }


def test_silver_has_in_each_column_what_opensky_says_of_it(tmp_path: Path) -> None:
    inbox = an_inbox(tmp_path / "inbox", [message for _, message in read(ANSWER, None).messages])

    run_once(flights, tmp_path / "lake", flights_raw=inbox)

    [parked, descending] = (
        rows(tmp_path / "lake", "silver/flights_ml").drop("seen_until").sort("icao24").rows(named=True)
    )
    assert descending == {
        "icao24": "3c6444",
        "time_position": 1763640001,
        "event_timestamp": datetime(2025, 11, 20, 12, 0, 1, tzinfo=UTC),
        "callsign": "DLH9LF",
        "origin_country": "Germany",
        "latitude": 49.0097,
        "longitude": 2.5479,
        "altitude_meters": 1638.3,
        "velocity_kmh": pytest.approx(473.472),
        "vertical_rate_ms": -6.5,
        "heading_deg": 81.44,
        "on_ground": False,
        "category": 6,
        "squawk": "2157",
        "flight_phase": "DESCENT",
        "aircraft_class": "Heavy",
    }
    assert parked == {
        "icao24": "39de4f",
        "time_position": 1763639990,
        "event_timestamp": datetime(2025, 11, 20, 11, 59, 50, tzinfo=UTC),
        "callsign": None,
        "origin_country": "France",
        "latitude": 43.4393,
        "longitude": 5.0903,
        "altitude_meters": None,
        "velocity_kmh": pytest.approx(14.832),
        "vertical_rate_ms": None,
        "heading_deg": 317.81,
        "on_ground": True,
        "category": None,
        "squawk": None,
        "flight_phase": "GROUND",
        "aircraft_class": None,
    }
