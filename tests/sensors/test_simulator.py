"""The simulated sensors while they are well: what is promised about their messages and their climate."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sensors.feeds import START, a_simulation, digest, during, instant, measured, messages
from vigie.errors import BadSetting
from vigie.sensors.simulator import simulate

FIELDS = ["sensor_id", "timestamp", "temperature", "humidity", "pressure", "location"]
SHAPE = re.compile(
    rb'\{"sensor_id": "SENSOR_\d{3}", "timestamp": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "temperature": \d\d\.\d\d, '
    rb'"humidity": \d\d\.\d, "pressure": \d{3,4}\.\d\d, "location": "Building [A-Z]+ - Floor \d+"\}'
)
DAY = 86_400.0


def test_the_same_simulation_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "from tests.sensors.feeds import a_simulation, digest, messages;"
        "print(digest(messages(a_simulation(keys=300, faults=0.3), 30_000)))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == digest(messages(a_simulation(keys=300, faults=0.3), 30_000))


def test_another_seed_gives_other_readings() -> None:
    assert digest(messages(a_simulation(seed=1), 200)) != digest(messages(a_simulation(seed=2), 200))


def test_every_message_is_one_reading_as_the_document_shows_it_with_its_sensor_as_key() -> None:
    for key, value in messages(a_simulation(), 2_000):
        reading = json.loads(value)
        assert list(reading) == FIELDS
        assert SHAPE.fullmatch(value)
        assert key == reading["sensor_id"].encode()


def test_there_are_as_many_sensors_as_were_asked_for_each_in_one_place() -> None:
    readings = [json.loads(value) for _, value in messages(a_simulation(keys=1_200), 2_400)]
    places = {reading["sensor_id"]: reading["location"] for reading in readings}

    assert len(places) == 1_200
    assert min(places) == "SENSOR_001" and "SENSOR_1200" in places
    assert len({place.split(" - ")[0] for place in places.values()}) == 15
    assert len(set(places.values())) == 60


@pytest.mark.parametrize(("keys", "floors"), [(1, 1), (2, 1), (10, 5), (16, 8)])
def test_few_sensors_are_on_several_floors_too(keys: int, floors: int) -> None:
    places = {json.loads(value)["location"] for _, value in messages(a_simulation(keys=keys), keys)}

    assert len(places) == floors


@settings(max_examples=20, deadline=None)
@given(
    keys=st.integers(1, 60),
    interval=st.sampled_from([0.01, 0.3, 0.7, 1.0, 1.3, 30.0, 600.0]),
    start=st.floats(0, 4e9),
)
def test_no_sensor_says_the_same_instant_twice(keys: int, interval: float, start: float) -> None:
    sent = messages(a_simulation(keys=keys, interval=interval, start=start), keys * 40)

    assert len({(key, json.loads(value)["timestamp"]) for key, value in sent}) == keys * 40


def test_milliseconds_are_written_when_the_interval_needs_them() -> None:
    [(_, whole)], [(_, parts)] = messages(a_simulation(interval=1.0), 1), messages(a_simulation(interval=0.5), 1)

    assert json.loads(whole)["timestamp"] == "2025-11-21T00:00:00Z"
    assert json.loads(parts)["timestamp"] == "2025-11-21T00:00:00.000Z"


@pytest.mark.parametrize("interval", [0.5, 1.0, 7.0, 30.0])
def test_each_sensor_reports_once_an_interval_and_the_stream_is_even(interval: float) -> None:
    ticks = list(islice(simulate(a_simulation(keys=25, interval=interval)), 40))

    times = [tick.at for tick in ticks]
    assert times[0] == START and np.allclose(np.diff(times), interval / 10, atol=1e-6)
    for count in range(4):
        begins = START + count * interval
        due = [m for tick in ticks if begins - 1e-6 <= tick.at < begins + interval - 1e-6 for m in tick.messages]
        assert len(due) == len({key for key, _ in due}) == 25


def test_a_reading_says_the_moment_at_which_it_is_sent() -> None:
    for at, value in during(a_simulation(keys=50), 120):
        assert 0 <= at - instant(json.loads(value)["timestamp"]) < 1


def test_well_offices_keep_far_from_every_limit_day_and_night() -> None:
    simulation = a_simulation(keys=400, interval=300.0)

    temperatures, humidities, pressures = (
        measured(simulation, DAY, field) for field in ("temperature", "humidity", "pressure")
    )

    assert 18 < temperatures.min() < 20 and 23 < temperatures.max() < 25
    assert humidities.min() > 25 and humidities.max() < 65
    assert pressures.min() > 990 and pressures.max() < 1_035


def test_a_room_is_warmest_in_the_afternoon_and_changes_slowly() -> None:
    temperatures = measured(a_simulation(keys=200, interval=60.0), DAY, "temperature")

    hourly = temperatures.mean(axis=1).reshape(24, 60).mean(axis=1)
    assert 13 <= hourly.argmax() <= 18
    assert 1.5 < np.ptp(hourly) < 3
    assert np.abs(np.diff(temperatures, axis=0)).max() < 0.5


def test_neighbours_on_a_floor_feel_the_same_and_others_do_not() -> None:
    temperatures = measured(a_simulation(keys=400, interval=300.0), DAY, "temperature")

    own = temperatures - temperatures.mean(axis=1, keepdims=True)
    together = np.corrcoef(own.T)
    floors = together.reshape(20, 20, 20, 20)
    same = np.array([floors[floor, :, floor, :] for floor in range(20)])[:, *np.triu_indices(20, 1)]
    apart = np.array([floors[one, :, two, :] for one in range(20) for two in range(one)])
    assert same.mean() > 0.5
    assert abs(apart.mean()) < 0.1


def test_humidity_falls_when_it_gets_warmer_and_everyone_has_the_same_weather() -> None:
    simulation = a_simulation(keys=100, interval=300.0)

    temperatures, humidities, pressures = (
        measured(simulation, DAY, field) for field in ("temperature", "humidity", "pressure")
    )

    against = [np.corrcoef(np.diff(temperatures[::12, i]), np.diff(humidities[::12, i]))[0, 1] for i in range(100)]
    assert np.mean(against) < -0.6
    assert np.corrcoef(pressures.T).min() > 0.95


def test_a_core_makes_far_more_messages_than_a_benchmark_needs() -> None:
    simulation = a_simulation(keys=10_000, faults=0.02)

    began = time.process_time()
    made = len(messages(simulation, 200_000))

    assert made / (time.process_time() - began) > 50_000


def test_a_hundred_thousand_sensors_can_be_had() -> None:
    assert len({key for key, _ in messages(a_simulation(keys=100_000), 100_000)}) == 100_000


def test_simulations_are_the_same_whoever_is_told_of_the_faults() -> None:
    assert replace(a_simulation(), label=print) == a_simulation()


@pytest.mark.parametrize("wrong", [{"keys": 0}, {"keys": 100_001}, {"interval": 0.0}, {"faults": 1.5}])
def test_a_simulation_that_cannot_be_is_refused_and_the_flag_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match="--" + next(iter(wrong))):
        simulate(a_simulation(**wrong))
