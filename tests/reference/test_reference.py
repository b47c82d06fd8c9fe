"""The reference against cases small enough to work out by hand."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from .builders import INSTANT, NOON, a_lake, a_report, write
from .flights import SILVER, Expected, expected
from .messages import read


def verdicts(of: Expected) -> list[tuple[int, ...]]:
    counts = ("read", "accepted", "quarantined", "duplicate", "late")
    return of.ledger.filter(pl.col("table") == SILVER).sort("batch").select(counts).rows()


def broken(of: Expected) -> list[list[str]]:
    rules: list[list[str]] = of.quarantine.sort("offset")["rules"].to_list()
    return rules


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" \t\r\n",
        b"{",
        b"{} {}",
        b"{} tail",
        b"{'icao24': 'a'}",
        b'{"velocity": NaN}',
        b'{"unknown": -Infinity}',
        b'{"icao24": "\xff"}',
        b'\xef\xbb\xbf{"icao24": "a"}',
        b'{"icao24": "a\x00b"}',
        b"\x00{}",
        b"{}\xc2\xa0",
        b'{"velocity": 01}',
        b'{"velocity": .5}',
        b'{"velocity": +1}',
        '{"velocity": \u0661}'.encode(),
        b'{"icao24": "a",}',
        b'{"icao24": "\\x41"}',
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_json_break_that_rule_alone(value: bytes | None) -> None:
    assert read(value) == "is valid JSON"


@pytest.mark.parametrize(
    "value",
    [
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b'{"icao24": 1}',
        b'{"icao24": "\\ud800"}',
        b'{"time_position": 1.0}',
        b'{"time_position": 1e3}',
        b'{"time_position": true}',
        b'{"time_position": 9223372036854775808}',
        b'{"category": 2147483648}',
        b'{"velocity": "250"}',
        b'{"velocity": true}',
        b'{"velocity": 1e999}',
        b'{"velocity": ' + b"9" * 400 + b"}",
        b'{"velocity": ' + b"9" * 5_000 + b"}",
        b'{"on_ground": 0}',
        b'{"sensors": 1}',
        b'{"sensors": [1.5]}',
    ],
)
def test_json_that_is_no_state_vector_breaks_that_rule_alone(value: bytes) -> None:
    assert read(value) == "matches the schema"


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b' \t\r\n{"icao24": null} \n',
        b'{"velocity": 250, "sensors": [1, null], "time_position": -9223372036854775808}',
        b'{"unknown": [1e999, "\\ud800", ' + b"9" * 5_000 + b"]}",
        '{"callsign": "é\\u0000😀"}'.encode(),
    ],
)
def test_nulls_absences_and_unknown_fields_are_fine(value: bytes) -> None:
    assert not isinstance(read(value), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(JSON, st.binary(max_size=2), st.floats(0, 1), st.integers(0, 2), st.booleans())
def test_bytes_are_json_exactly_when_another_strict_parser_says_so(
    value: object, inserted: bytes, place: float, cut: int, ascii_only: bool
) -> None:
    whole = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    at = round(place * len(whole))
    damaged = whole[:at] + inserted + whole[at + cut :]

    # msgspec stops at a lone surrogate and at a number beyond a double, both of which the grammar allows.
    assume(not re.search(rb"\\u|[0-9][eE]", damaged))
    try:
        msgspec.json.decode(damaged)
        sound = True
    except (msgspec.DecodeError, UnicodeDecodeError):
        sound = False
    assert (read(damaged) != "is valid JSON") == sound


def test_a_report_breaks_every_rule_that_is_not_true(tmp_path: Path) -> None:
    future = a_report(86_400 + 61)
    just_not = a_report(86_400 + 60)

    of = expected(a_lake(tmp_path, [b"{}", a_report(longitude=None), future, just_not, b"NaN", b"[]"]))

    assert broken(of) == [
        ["has a key", "has an event time", "has a position", "is not from the future"],
        ["has a position"],
        ["is not from the future"],
        ["is valid JSON"],
        ["matches the schema"],
    ]
    assert of.quarantine.sort("offset")["value"].to_list()[0] == b"{}"
    assert verdicts(of) == [(6, 1, 5, 0, 0)]


def test_a_time_outside_the_years_1_to_9999_is_no_event_time(tmp_path: Path) -> None:
    first, last = -62_135_596_800, 253_402_300_799
    seconds = [first - 1, first, last + 1]

    of = expected(a_lake(tmp_path, [a_report(time_position=second) for second in seconds]))

    none = ["has an event time", "is not from the future"]
    assert broken(of) == [none, ["is not from before 1990"], none]


def test_a_report_from_before_1990_or_from_no_place_on_earth_is_broken(tmp_path: Path) -> None:
    reports = [
        a_report(time_position=631_151_999),
        a_report(time_position=631_152_000),
        a_report(1, latitude=90.001),
        a_report(2, latitude=-90, longitude=180),
        a_report(3, longitude=-180.001),
        a_report(4, latitude=91, longitude=None),
    ]

    of = expected(a_lake(tmp_path, reports))

    off = ["is on Earth"]
    assert broken(of) == [["is not from before 1990"], off, off, ["has a position", *off]]
    assert of.silver["time_position"].to_list() == [631_152_000, int(NOON.timestamp()) + 2]


def test_a_report_is_late_when_six_minutes_older_than_the_newest_before_it(tmp_path: Path) -> None:
    old = [a_report(-361), a_report(-360), a_report(-3_600)]

    of = expected(a_lake(tmp_path, [a_report(-1), a_report(0), a_report(-7_200)], old, []))

    assert verdicts(of) == [(3, 2, 0, 0, 1), (3, 1, 0, 0, 2)]
    assert of.late["offset"].to_list() == [2, 3, 5]
    noon = int(NOON.timestamp())
    seen = [(row["time_position"] - noon, row["seen_until"]) for row in of.silver.rows(named=True)]
    assert seen == [(-1, None), (0, NOON - timedelta(seconds=1)), (-360, NOON)]


def test_what_is_late_does_not_move_back_with_an_older_batch(tmp_path: Path) -> None:
    of = expected(a_lake(tmp_path, [a_report(0)], [a_report(-100)], [a_report(-400)]))

    assert verdicts(of) == [(1, 1, 0, 0, 0), (1, 1, 0, 0, 0), (1, 0, 0, 0, 1)]


def test_a_clock_that_runs_ahead_does_not_make_others_late(tmp_path: Path) -> None:
    of = expected(a_lake(tmp_path, [a_report(120)], [a_report(-300)], received_at=NOON))

    assert verdicts(of) == [(1, 0, 1, 0, 0), (1, 1, 0, 0, 0)]


def test_neither_broken_nor_late_rows_make_a_repeat_but_accepted_ones_do(tmp_path: Path) -> None:
    first = [a_report(0, latitude=None), a_report(0, latitude=1), a_report(0, latitude=2)]
    second = [a_report(0, latitude=3), a_report(-400), a_report(-400), a_report(0, icao24="other")]

    of = expected(a_lake(tmp_path, first, second))

    assert verdicts(of) == [(3, 1, 1, 1, 0), (4, 1, 0, 1, 2)]
    assert of.silver["latitude"].to_list() == [1, 48]


def test_the_first_by_file_and_line_wins_whatever_the_order_in_bronze(tmp_path: Path) -> None:
    places = [("b", 1, 1.0), ("a", 10, 2.0), ("a", 9, 3.0)]
    bronze = pl.DataFrame(
        {
            "value": [a_report(latitude=latitude) for _, _, latitude in places],
            "file": [file for file, _, _ in places],
            "line": [line for _, line, _ in places],
            "received_at": [NOON] * len(places),
            "batch": [0] * len(places),
        },
        schema_overrides={"received_at": INSTANT},
    )
    write(tmp_path, "bronze/flights_raw", bronze)

    assert expected(tmp_path).silver["latitude"].to_list() == [3.0]


@pytest.mark.parametrize(
    ("fields", "phase"),
    [
        ({"on_ground": True, "vertical_rate": 9}, "GROUND"),
        ({"vertical_rate": 2.6, "baro_altitude": 999.9}, "TAKEOFF"),
        ({"vertical_rate": 2.6, "baro_altitude": 1_000}, "CLIMB"),
        ({"vertical_rate": 2.6, "baro_altitude": None}, "CLIMB"),
        ({"vertical_rate": 2.5}, "CRUISE"),
        ({"vertical_rate": -2.5}, "CRUISE"),
        ({"vertical_rate": -2.6, "baro_altitude": 500}, "DESCENT"),
        ({"vertical_rate": None, "on_ground": None}, "CRUISE"),
    ],
)
def test_the_phase_follows_from_one_report(tmp_path: Path, fields: dict[str, Any], phase: str) -> None:
    of = expected(a_lake(tmp_path, [a_report(**fields)]))

    assert of.silver["flight_phase"].to_list() == [phase]


def test_the_class_follows_from_the_category(tmp_path: Path) -> None:
    categories = [None, 0, 1, 2, 3, 4, 5, 6, 7, 20, -1, 21]

    of = expected(a_lake(tmp_path, [a_report(at, category=found) for at, found in enumerate(categories)]))

    classes = [None] * 3 + ["Light"] * 2 + ["Heavy"] * 3 + ["Other"] * 2 + [None] * 2
    assert of.silver["aircraft_class"].to_list() == classes


def test_silver_trims_blanks_of_every_kind_and_measures_in_km_per_hour(tmp_path: Path) -> None:
    [row] = expected(a_lake(tmp_path, [a_report(callsign="\u00a0 A F\t ", velocity=100)])).silver.rows(named=True)

    assert [row["callsign"], row["event_timestamp"]] == ["A F", NOON]
    assert math.isclose(row["velocity_kmh"], 360)


def test_a_callsign_of_blanks_is_none(tmp_path: Path) -> None:
    reports = [a_report(at, callsign=blank) for at, blank in enumerate(["", "   ", "\u00a0", "\u2003\t"])]

    assert expected(a_lake(tmp_path, reports)).silver["callsign"].to_list() == [None] * 4


def test_a_minute_is_counted_by_aircraft_and_averaged_by_report(tmp_path: Path) -> None:
    reports = [
        a_report(0, icao24="a", baro_altitude=100),
        a_report(59, icao24="a", baro_altitude=200),
        a_report(30, icao24="b", baro_altitude=None, velocity=None),
        a_report(60, icao24="a"),
        a_report(180, icao24="a"),
    ]

    of = expected(a_lake(tmp_path, reports))

    # Up to a second before 12:04:00 the window from 12:01 is open, and 12:00 closed.
    assert of.flight_phase_counts.rows() == [
        (NOON, NOON + timedelta(minutes=1), "CRUISE", 2, 150.0, 900.0),
    ]


def test_a_window_closes_at_the_very_microsecond(tmp_path: Path) -> None:
    def closed(at: int) -> int:
        lake = a_lake(tmp_path / str(at), [a_report(0), a_report(at)])
        return expected(lake).flight_phase_counts.height

    assert [closed(179), closed(180)] == [0, 1]


def test_anomalies_are_counted_by_country_in_sliding_windows(tmp_path: Path) -> None:
    reports = [
        a_report(0, baro_altitude=12_000, velocity=0),
        a_report(1, baro_altitude=12_001, velocity=300),
        a_report(2, baro_altitude=-101, velocity=-1),
        a_report(3, baro_altitude=None, velocity=None),
        a_report(4, origin_country=None),
        a_report(11 * 60 - 1),
    ]

    of = expected(a_lake(tmp_path, reports))

    france = of.anomaly_alerts.filter(pl.col("origin_country") == "France").sort("window_start")
    starts = [NOON + timedelta(minutes=minute) for minute in (-4, -3, -2, -1)]
    assert france["window_start"].to_list() == starts
    assert (france["window_end"] - france["window_start"]).to_list() == [timedelta(minutes=5)] * 4
    row = france.row(0, named=True)
    counts = ("total_observations", "altitude_anomalies", "velocity_anomalies", "anomaly_rate")
    assert [row[name] for name in counts] == [4, 2, 2, 0.5]
    assert [row["max_altitude"], row["min_altitude"], row["max_velocity"]] == [12_001, -101, 1_080]
    # Sample standard deviation of 0, 1080 and -3.6: mean 358.8, squares 128737.44 + 520129.44 + 131333.76.
    assert math.isclose(row["stddev_velocity"], math.sqrt(780_200.64 / 2), rel_tol=1e-9)
    assert math.isclose(row["avg_altitude"], 23_900 / 3)
    nowhere = of.anomaly_alerts.filter(pl.col("origin_country").is_null())
    assert nowhere["stddev_altitude"].to_list() == [None] * 4


def test_a_movement_pairs_a_report_with_the_one_just_before_it(tmp_path: Path) -> None:
    reports = [
        a_report(10, latitude=49.0, velocity=260, baro_altitude=11_100),
        a_report(0, latitude=48.0),
        a_report(910, latitude=49.0, baro_altitude=None),
        a_report(1_811, latitude=49.0),
        a_report(1_812, latitude=49.0),
        a_report(1_932, icao24="other"),
    ]

    of = expected(a_lake(tmp_path, reports))

    jump, still = of.movements.sort("event_timestamp").rows(named=True)
    degree = math.pi * 6_371_008.8 / 180
    assert [jump["previous_at"], jump["event_timestamp"]] == [NOON, NOON + timedelta(seconds=10)]
    assert math.isclose(jump["distance_m"], degree, rel_tol=1e-9)
    assert math.isclose(jump["implied_speed_kmh"], degree / 10 * 3.6, rel_tol=1e-9)
    assert math.isclose(jump["speed_change_kmh"], 36)
    assert [jump["seconds"], jump["altitude_change_m"], jump["is_jump"]] == [10, 100, True]
    assert [still["seconds"], still["distance_m"], still["is_jump"]] == [900, 0, False]
    assert still["altitude_change_m"] is None


def test_a_movement_along_a_parallel_is_as_long_as_the_great_circle(tmp_path: Path) -> None:
    reports = [
        a_report(0, latitude=60, longitude=179),
        a_report(60, latitude=60, longitude=-179),
        a_report(181),
    ]

    of = expected(a_lake(tmp_path, reports))

    # Two degrees at 60 north across the antimeridian, by the spherical law of cosines.
    sine, cosine = math.sin(math.radians(60)), math.cos(math.radians(60))
    angle = math.acos(sine * sine + cosine * cosine * math.cos(math.radians(2)))
    assert math.isclose(of.movements["distance_m"][0], 6_371_008.8 * angle, rel_tol=1e-9)
