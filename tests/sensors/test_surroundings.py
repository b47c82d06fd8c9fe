"""What surrounds the sensors: weather every hour, and maintenance announced the evening before."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
import pytest

from vigie.feed import Simulation
from vigie.feeding import Wish, simulated, source_of
from vigie.sensors.pipeline import sensors
from vigie.sensors.simulator import simulate
from vigie.sensors.surroundings import maintenance, weather

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC).timestamp()


def said(messages: list[tuple[bytes | None, bytes]]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(value) for _, value in messages]


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_the_same_seed_gives_the_same_bytes() -> None:
    for made in (weather, maintenance):
        once, again, another = (list(islice(made(Simulation(NOON, 400, seed=seed)), 5)) for seed in (3, 3, 4))

        assert once == again != another


def test_each_building_of_the_sensors_has_weather_every_hour_from_the_start_on() -> None:
    [readings] = islice(simulate(Simulation(NOON, 400, interval=10)), 1)
    ticks = list(islice(weather(Simulation(NOON, 400)), 3))

    assert [tick.at - NOON for tick in ticks] == [-1800, 1800, 5400]
    sites = {each["site"] for each in said(ticks[0].messages)}
    assert {reading["location"].split()[1] for reading in said(readings.messages)} <= sites
    for tick in ticks:
        assert {seconds(each["timestamp"]) for each in said(tick.messages)} == {tick.at}


def test_work_is_announced_the_evening_before_and_lasts_one_to_three_hours_of_the_day() -> None:
    ticks = list(islice(maintenance(Simulation(NOON, 8_000)), 10))

    works = [(tick.at, each) for tick in ticks for each in said(tick.messages)]
    assert len(works) > 100
    for at, work in works:
        assert seconds(work["announced_at"]) == at
        assert 12 * 3600 <= seconds(work["starts_at"]) - at <= 24 * 3600
        assert 3600 <= seconds(work["ends_at"]) - seconds(work["starts_at"]) <= 3 * 3600


@pytest.mark.parametrize(("name", "instant"), [("weather", "timestamp"), ("maintenance", "announced_at")])
def test_so_many_rows_without_a_start_end_now_and_not_in_the_future(name: str, instant: str) -> None:
    source = source_of(sensors, name)

    rows: list[dict[str, Any]] = []
    for tick in simulated(source, Wish(), 300):
        rows += said(tick.messages)
        if len(rows) >= 300:
            break

    assert seconds(rows[299][instant]) <= time.time()
