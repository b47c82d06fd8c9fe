"""The simulated traffic: what is promised about its messages, its physics and its faults."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie import spoiling
from vigie.errors import BadSetting
from vigie.feed import Simulation
from vigie.flights import faults, jets, light
from vigie.flights.airliners import AIRLINERS
from vigie.flights.airports import EARTH_RADIUS, NETWORKS, network, unit_vectors
from vigie.flights.faults import KINDS, SPOILERS
from vigie.flights.gaps import Gaps
from vigie.flights.performance import POPULARITY, performance
from vigie.flights.profile import Leg, Route, draw_figures, profile
from vigie.flights.schedule import Schedule
from vigie.flights.simulator import simulate

START = 1_763_697_600.0
FIELDS = [
    "time", "icao24", "callsign", "origin_country", "time_position", "last_contact", "longitude",
    "latitude", "baro_altitude", "on_ground", "velocity", "true_track", "vertical_rate", "sensors",
    "geo_altitude", "squawk", "spi", "position_source", "category",
]  # fmt: skip
State = dict[str, Any]
STEEPEST_CLIMB = 3_500 * 0.3048 / 60  # m/s: the brochure of a Citation XLS+, right after take-off


def a_simulation(
    start: float = START, keys: int = 200, interval: float = 10.0, seed: int = 7, faults: float = 0.0
) -> Simulation:
    return Simulation(start=start, keys=keys, interval=interval, seed=seed, faults=faults)


def messages(simulation: Simulation, rows: int) -> list[tuple[bytes | None, bytes]]:
    every = (message for tick in simulate(simulation) for message in tick.messages)
    return list(islice(every, rows))


def as_sent(simulation: Simulation, rows: int) -> Iterator[State]:
    return (json.loads(value) for _, value in messages(simulation, rows))


def states(simulation: Simulation, rows: int) -> Iterator[State]:
    """The same reports without their gaps, of which physics can be asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gaps, "leave", lambda _self, whole, _on_ground: whole)
        return as_sent(simulation, rows)


def digest(simulation: Simulation, rows: int) -> str:
    return hashlib.sha256(b"\n".join(value for _, value in messages(simulation, rows))).hexdigest()


def by_aircraft(rows: Iterator[State]) -> dict[str, list[State]]:
    tracks = defaultdict(list)
    for row in rows:
        tracks[row["icao24"]].append(row)
    return tracks


def metres_between(one: State, other: State) -> float:
    a, b = (unit_vectors(np.array(s["latitude"]), np.array(s["longitude"])) for s in (one, other))
    return float(2 * EARTH_RADIUS * math.asin(min(1.0, math.dist(a, b) / 2)))


def test_the_same_simulation_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from itertools import islice; from vigie.feed import Simulation;"
        "from vigie.flights.simulator import simulate;"
        f"ticks = simulate(Simulation({START}, keys=300, seed=5, faults=0.3));"
        "every = (message for tick in ticks for message in tick.messages);"
        "print(hashlib.sha256(b'\\n'.join(v for _, v in islice(every, 30_000))).hexdigest())"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == digest(a_simulation(keys=300, seed=5, faults=0.3), 30_000)


def test_another_seed_gives_other_traffic() -> None:
    assert digest(a_simulation(seed=1), 200) != digest(a_simulation(seed=2), 200)


def test_every_message_is_one_object_with_the_fields_of_opensky_and_its_address_as_key() -> None:
    for key, value in messages(a_simulation(), 2_000):
        state = json.loads(value)
        assert list(state) == FIELDS
        assert key == state["icao24"].encode()
        assert b"\n" not in value


def test_the_values_have_the_shapes_that_opensky_sends() -> None:
    for state in as_sent(a_simulation(keys=500), 5_000):
        assert len(state["icao24"]) == 6 and int(state["icao24"], 16) < 2**24
        assert state["callsign"] is None or len(state["callsign"]) == 8
        assert state["squawk"] is None or (len(state["squawk"]) == 4 and int(state["squawk"], 8) >= 0o1000)
        assert isinstance(state["time_position"], int) and isinstance(state["last_contact"], int)
        assert state["time_position"] <= state["last_contact"] <= state["time"]
        assert state["true_track"] is None or 0 <= state["true_track"] < 360
        assert state["on_ground"] in {True, False, None}
        assert state["spi"] is False and state["sensors"] is None


def test_values_stay_within_what_aircraft_can_do() -> None:
    for state in states(a_simulation(keys=1_000, interval=60.0), 60_000):
        assert -100 <= state["baro_altitude"] <= 12_000
        assert 0 <= state["velocity"] * 3.6 <= 1_000
        assert abs(state["vertical_rate"]) < 20


def test_some_fields_are_null_or_unlabelled_and_most_are_not() -> None:
    rows = list(states(a_simulation(keys=2_000), 2_000))

    for field in ("callsign", "squawk", "geo_altitude"):
        assert 0.01 < sum(row[field] is None for row in rows) / len(rows) < 0.3
    assert 0.1 < sum(row["category"] in (0, 1) for row in rows) / len(rows) < 0.3


def test_fields_are_null_about_as_often_as_opensky_s() -> None:
    rows = list(as_sent(a_simulation(keys=2_000), 20_000))
    flying, parked = ([row for row in rows if row["on_ground"] is ground] for ground in (False, True))

    def missing(field: str, among: list[State]) -> float:
        return sum(row[field] is None for row in among) / len(among)

    for field in ("baro_altitude", "velocity", "true_track", "vertical_rate", "category"):
        assert 0.005 < missing(field, flying) < 0.05
    assert 0.005 < missing("on_ground", rows) < 0.05
    assert 0.9 < missing("baro_altitude", parked) < 1
    assert 0.8 < missing("vertical_rate", parked) < 1
    for field in ("time", "icao24", "origin_country", "time_position", "last_contact", "longitude", "latitude"):
        assert missing(field, rows) == 0


def test_gaps_change_nothing_about_the_rest_of_a_report() -> None:
    left, whole = list(as_sent(a_simulation(), 5_000)), list(states(a_simulation(), 5_000))

    assert left != whole
    for one, other in zip(left, whole, strict=True):
        assert one == {**other, **{field: None for field in one if one[field] is None}}


def test_each_aircraft_reports_once_an_interval_and_its_position_is_always_newer() -> None:
    tracks = by_aircraft(states(a_simulation(keys=37, interval=10.0), 37 * 50))

    assert len(tracks) == 37
    for track in tracks.values():
        assert {after["time"] - before["time"] for before, after in zip(track, track[1:], strict=False)} <= {
            10,
            9,
            11,
        }
        assert all(
            after["time_position"] > before["time_position"] for before, after in zip(track, track[1:], strict=False)
        )


@pytest.mark.parametrize("interval", [0.5, 1.0, 7.0, 10.0, 60.0])
def test_ticks_are_in_order_and_as_many_messages_are_due_in_each_interval_as_there_are_aircraft(
    interval: float,
) -> None:
    ticks = list(islice(simulate(a_simulation(keys=25, interval=interval)), 40))

    times = [tick.at for tick in ticks]
    assert times == sorted(times) and times[0] == START
    for count in range(4):
        begins = START + count * interval
        due = [m for tick in ticks if begins <= tick.at < begins + interval - 1e-6 for m in tick.messages]
        assert len(due) == len({key for key, _ in due}) == 25


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**63), interval=st.sampled_from([1.0, 5.0, 10.0, 30.0]))
def test_the_way_between_two_reports_is_what_the_reported_speeds_make_of_the_time(seed: int, interval: float) -> None:
    tracks = by_aircraft(states(a_simulation(keys=60, interval=interval, seed=seed), 60 * 120))

    for track in tracks.values():
        for before, after in zip(track, track[1:], strict=False):
            seconds = after["time_position"] - before["time_position"]
            way = metres_between(before, after)
            # Accelerations change between reports, and positions are rounded to 11 m.
            slack = 20 + 1.5 * seconds + 0.25 * 2.5 * seconds**2
            assert abs(way - seconds * (before["velocity"] + after["velocity"]) / 2) < slack
            climbed = after["baro_altitude"] - before["baro_altitude"]
            # Between standing and the first report in the air nothing is reported of the steepest climb there is.
            unreported = STEEPEST_CLIMB if before["on_ground"] else 14.0
            fastest = max(abs(before["vertical_rate"]), abs(after["vertical_rate"]), unreported) + 1
            assert abs(climbed) <= seconds * fastest + 8


def test_aircraft_head_along_the_way_they_go() -> None:
    tracks = by_aircraft(states(a_simulation(keys=100, interval=10.0), 100 * 30))

    checked = 0
    for track in tracks.values():
        for before, after in zip(track, track[1:], strict=False):
            if before["velocity"] > 60 and after["velocity"] > 60:
                north = after["latitude"] - before["latitude"]
                east = (after["longitude"] - before["longitude"]) * math.cos(math.radians(before["latitude"]))
                turned = (math.degrees(math.atan2(east, north)) - before["true_track"] + 180) % 360 - 180
                assert abs(turned) < 3
                checked += 1
    assert checked > 500


def test_the_sky_is_full_from_the_first_moment() -> None:
    rows = list(states(a_simulation(keys=2_000), 2_000))

    flying = [row for row in rows if not row["on_ground"]]
    assert 0.5 < len(flying) / len(rows) < 0.9
    assert sum(row["vertical_rate"] > 2.5 for row in flying) > 100
    assert sum(row["vertical_rate"] < -2.5 for row in flying) > 100
    assert sum(abs(row["vertical_rate"]) < 1 and row["baro_altitude"] > 8_000 for row in flying) > 100


def test_most_traffic_is_over_france_and_its_neighbours_and_registered_in_many_countries() -> None:
    rows = list(states(a_simulation(keys=2_000), 2_000))

    inside = [row for row in rows if 41 < row["latitude"] < 52 and -6 < row["longitude"] < 10]
    countries = [row["origin_country"] for row in rows]
    assert len(inside) > 0.9 * len(rows)
    assert len(set(countries)) >= 12
    assert max(set(countries), key=countries.count) == "France"


def test_all_categories_are_met_and_every_aircraft_has_an_address_of_its_own() -> None:
    rows = list(states(a_simulation(keys=5_000), 5_000))

    assert {row["category"] for row in rows} == {0, 1, 2, 3, 4, 5, 6, 8, 9}
    assert len({row["icao24"] for row in rows}) == 5_000


def test_every_leg_of_a_flight_is_flown() -> None:
    types = performance()
    kind = np.arange(len(types.codes))
    schedule = Schedule(types, kind, START, np.random.default_rng(3))

    seen = set()
    for second in range(0, 3 * 3_600, 5):
        at = np.full(len(kind), START + second)
        schedule.advance(kind, at)
        seen |= set(schedule.motion(kind, at).leg.tolist())

    assert seen == set(Leg)


def test_airliners_climb_cruise_and_descend_as_their_figures_say() -> None:
    types = performance()
    kind = np.array([types.codes.index(jet.code) for jet in AIRLINERS])
    route = Route(*(np.full(len(kind), value) for value in (900e3, 0.0, 100.0, 50.0, 900.0, 200.0)))
    draws = np.random.default_rng(1).random((len(types.figures), len(kind)))

    figures = draw_figures(types, kind, 0.9 * types.heaviest[kind], draws)
    flown = profile(figures, route, figures["cruise_altitude"])

    assert len(AIRLINERS) == 38
    rise = np.diff(flown.altitude, axis=0) / np.maximum(np.diff(flown.seconds, axis=0), 1e-9)
    for column, jet in enumerate(AIRLINERS):
        expected = jets.figures(jet)
        for leg, name in ((Leg.INITIAL_CLIMB, "initial_climb_rate"), (Leg.CLIMB_CAS, "climb_rate_cas")):
            assert rise[leg, column] <= expected[name][2] + 1e-6
        least, _, greatest = expected["lift_off_speed"]
        assert least <= flown.speed[Leg.INITIAL_CLIMB, column] <= greatest
        for name, (least, _, greatest) in expected.items():
            assert least - 1e-6 <= figures[name][column] <= greatest + 1e-6


def test_a_heavy_aircraft_climbs_slower_and_leaves_the_runway_faster_than_the_same_one_light() -> None:
    types = performance()
    kind = np.array([types.codes.index("A320")] * 2)
    draws = np.full((len(types.figures), 2), 0.5)

    figures = draw_figures(types, kind, np.array([50_000.0, 78_000.0]), draws)

    assert figures["climb_rate_cas"][0] > figures["climb_rate_cas"][1]
    assert figures["lift_off_speed"][0] < figures["lift_off_speed"][1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_flight_fits_its_way_whatever_was_drawn(seed: int) -> None:
    types = performance()
    kind = np.arange(len(types.codes))
    schedule = Schedule(types, kind, START, np.random.default_rng(seed))

    flown = np.diff(schedule._distance[kind], axis=1)
    lasting = np.diff(schedule._seconds[kind], axis=1)

    assert (flown >= 0).all() and (lasting >= 0).all()
    landed = schedule.motion(kind, schedule.ends(kind))
    assert np.allclose(landed.latitude, schedule._place[kind, 0], atol=1e-6)
    assert np.allclose(landed.longitude, schedule._place[kind, 1], atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_from_every_airport_there_is_a_way_to_another(name: str) -> None:
    airports = network(name)
    everywhere = np.arange(len(airports.codes))

    for draw in (0.0, 0.5, 0.999999):
        chosen = airports.destination(everywhere, np.full(len(everywhere), draw))
        assert (chosen != everywhere).all() and (chosen < len(everywhere)).all()


def test_every_type_that_is_said_to_be_popular_is_a_type_that_can_fly() -> None:
    assert POPULARITY.keys() <= set(performance().codes)


def test_every_light_envelope_has_the_figures_that_airliners_have() -> None:
    for envelope in light.ENVELOPES:
        assert light.figures(envelope).keys() == jets.figures(AIRLINERS[0]).keys()


def test_categories_can_be_told_apart_by_how_they_fly() -> None:
    flown = defaultdict(list)
    for state in states(a_simulation(keys=1_000, interval=400.0), 15_000):
        if not state["on_ground"]:
            flown[state["category"]].append((state["baro_altitude"], state["velocity"]))

    high, fast = ({category: np.quantile(rows, 0.9, axis=0)[i] for category, rows in flown.items()} for i in (0, 1))

    assert fast[9] < fast[8] < fast[2] < fast[3] < fast[4] < fast[6]
    assert high[8] < high[9] < high[2] < high[3] < high[4] < high[6]


def test_faults_are_of_the_asked_share_and_leave_the_other_messages_as_they_are() -> None:
    clean = messages(a_simulation(keys=500), 20_000)
    spoilt = messages(a_simulation(keys=500, faults=0.1), 20_000)

    changed = sum(one != other for one, other in zip(clean, spoilt, strict=True))

    assert 0.09 < changed / 20_000 < 0.11


def test_every_kind_of_fault_is_chosen_as_often_as_the_others() -> None:
    spoiler = faults.Faults(0.5, 10.0, np.random.default_rng(0))

    kinds = np.concatenate([spoiler.choose(100) for _ in range(100)])

    counts = np.bincount(kinds[kinds != faults.SOUND], minlength=KINDS)
    assert counts.max() - counts.min() <= 1


def test_no_fault_breaks_a_line_in_two() -> None:
    assert not any(b"\n" in value or b"\r" in value for _, value in messages(a_simulation(faults=1.0), 5_000))


SOUND = messages(a_simulation(), 1)[0][1]
MALFORMED = {
    spoiling.truncated, spoiling.single_quotes, spoiling.trailing_text, spoiling.two_objects, spoiling.empty,
    faults.not_a_number, faults.invalid_utf8,
}  # fmt: skip


def refuse(constant: str) -> None:
    raise ValueError(constant)


@given(draw=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_fault_is_malformed_json_exactly_when_it_means_to_be(spoiler: spoiling.Spoiler, draw: float) -> None:
    spoilt = spoiler(SOUND, draw)

    assert spoilt != SOUND
    if spoiler in MALFORMED:
        with pytest.raises(ValueError):
            json.loads(spoilt.decode(), parse_constant=refuse)
    else:
        assert list(json.loads(spoilt)) == FIELDS


def test_impossible_values_are_beyond_the_limits_and_future_ones_ahead() -> None:
    altitude = json.loads(faults.impossible_altitude(SOUND, 0.5))["baro_altitude"]
    speed = json.loads(faults.impossible_speed(SOUND, 0.0))["velocity"] * 3.6
    ahead = json.loads(faults.from_the_future(SOUND, 0.0))["time_position"] - json.loads(SOUND)["time_position"]

    assert 15_000 <= altitude <= 30_000
    assert speed > 1_000
    assert ahead >= 600


def test_late_messages_tell_where_the_aircraft_was_and_are_no_mere_repeats() -> None:
    rows = 60_000
    sent = messages(a_simulation(keys=100, faults=0.05), rows)
    every_second = by_aircraft(states(a_simulation(keys=100), rows))
    known = {(icao, row["time_position"]) for icao, track in every_second.items() for row in track}
    truth = {icao: {row["time_position"]: row for row in track} for icao, track in every_second.items()}

    late = []
    for _, value in sent:
        try:
            state = json.loads(value, parse_constant=refuse)
            age = state["time"] - state["time_position"]
        except (ValueError, TypeError):
            continue
        if (state["icao24"], state["time_position"]) not in known and age > 50:
            late.append((state, age))

    assert len(late) > rows * 0.05 / KINDS / 2
    assert all(60 <= age <= 1_202 for _, age in late)
    for state, _ in late:
        before = truth[state["icao24"]].get(state["time_position"] - 5)
        if before:
            assert abs(metres_between(before, state) - 5 * before["velocity"]) < 60


def test_repeats_are_earlier_messages_byte_for_byte() -> None:
    values = messages(a_simulation(keys=100, faults=0.3), 10_000)

    again = len(values) - len(set(values))

    assert again > 10_000 * 0.3 / KINDS / 2


@pytest.mark.parametrize("wrong", [{"keys": 0}, {"keys": 10**7}, {"interval": 0.0}, {"faults": 1.5}])
def test_a_simulation_that_cannot_be_is_refused_and_the_flag_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match="--" + next(iter(wrong))):
        next(simulate(a_simulation(**wrong)))
