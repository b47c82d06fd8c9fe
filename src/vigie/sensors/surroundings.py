"""What surrounds the sensors: the weather at each site, and who is announced to work in which building.

A site is where a building stands, and has its name. Both come as often as they do in life, whatever interval the
sensors have, and begin with what already held at the start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

import msgspec
import numpy as np

from vigie.feed import Simulation, Tick
from vigie.sensors.climate import DAY_S, Climate
from vigie.spoiling import Message, truncated

OBSERVATION = "site STRING, timestamp TIMESTAMP, temperature DOUBLE, humidity DOUBLE, wind_speed DOUBLE"
ANNOUNCEMENT = "building STRING, starts_at TIMESTAMP, ends_at TIMESTAMP, what STRING, announced_at TIMESTAMP"

HOUR_S, QUARTER_S = 3_600.0, 900.0
YEAR_S = 365.25 * DAY_S
MEAN_C, YEARLY_C, DAILY_C = 11.5, 8.0, 3.5
MEAN_PCT, DAILY_PCT = 72.0, 9.0
MEAN_MS, GUSTS_MS = 3.5, 2.0
COLDEST_DAY_S, WARMEST_HOUR_S = 17 * DAY_S, 15 * HOUR_S
ANNOUNCED_AHEAD_S = 6 * HOUR_S  # of the day, at 18:00 UTC
SHARE_OF_DAYS = 0.5
BEGINS_AT, LASTS = (24, 73), (4, 13)  # quarters of an hour: from 06:00 to 18:00, for one to three hours
WORKS = ("air filters are changed", "heating is balanced", "the lift is inspected", "windows are cleaned")


def weather(simulation: Simulation) -> Iterator[Tick]:
    """An observation at each site on every full hour, for ever."""
    rng = np.random.default_rng([simulation.seed % 2**64, 11])
    sites = _buildings(simulation)
    milder = rng.uniform(-1, 1, len(sites)).tolist()
    for hour in count(math.floor(simulation.start / HOUR_S)):
        at = hour * HOUR_S
        warmth = MEAN_C - YEARLY_C * _wave(at - COLDEST_DAY_S, YEAR_S)
        afternoon = _wave(at - WARMEST_HOUR_S, DAY_S)
        noise = rng.normal(0, 0.3, (len(sites), 3)).tolist()
        seen = [
            {
                "site": site,
                "timestamp": _stamp(at),
                "temperature": round(warmth + DAILY_C * afternoon + mild + warm, 1),
                "humidity": round(MEAN_PCT - DAILY_PCT * afternoon + damp, 1),
                "wind_speed": round(max(0.0, MEAN_MS + GUSTS_MS * _wave(at, 1.7 * DAY_S) + wind), 1),
            }
            for site, mild, (warm, damp, wind) in zip(sites, milder, noise, strict=True)
        ]
        yield Tick(at, _messages(simulation, seen, "site", rng))


def maintenance(simulation: Simulation) -> Iterator[Tick]:
    """Each evening what will be done in which building on the next day, for ever."""
    buildings = _buildings(simulation)
    for day in count(math.floor(simulation.start / DAY_S)):
        rng = np.random.default_rng([simulation.seed % 2**64, 12, day])
        announced_at = day * DAY_S - ANNOUNCED_AHEAD_S
        planned = []
        for building in buildings:
            begins, lasts = (float(rng.integers(*span)) * QUARTER_S for span in (BEGINS_AT, LASTS))
            what, share = WORKS[int(rng.integers(len(WORKS)))], rng.random()
            if share < SHARE_OF_DAYS:
                starts_at = day * DAY_S + begins
                planned.append(
                    {
                        "building": building,
                        "starts_at": _stamp(starts_at),
                        "ends_at": _stamp(starts_at + lasts),
                        "what": what,
                        "announced_at": _stamp(announced_at),
                    }
                )
        yield Tick(announced_at, _messages(simulation, planned, "building", rng))


def _buildings(simulation: Simulation) -> list[str]:
    """The buildings of as many sensors, as they stand in `location`."""
    rng = np.random.default_rng(0)
    locations = Climate(simulation.keys, simulation.start, rng, rng).locations
    return list(dict.fromkeys(location.decode().split()[1] for location in locations))


def _messages(
    simulation: Simulation, objects: Sequence[Mapping[str, object]], key: str, rng: np.random.Generator
) -> list[Message]:
    draws = rng.random((len(objects), 2)).tolist()
    return [
        (str(said[key]).encode(), truncated(message, cut) if draw < simulation.faults else message)
        for said, message, (draw, cut) in zip(objects, map(msgspec.json.encode, objects), draws, strict=True)
    ]


def _wave(since: float, period: float) -> float:
    return math.cos(2 * math.pi * since / period)


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
