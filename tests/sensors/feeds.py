"""Simulated sensors for tests: their messages, readings and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice, takewhile
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.feed import Simulation
from vigie.sensors.simulator import simulate

START = 1_763_683_200.0  # a midnight
HOUR = 3_600.0
Message = tuple[bytes | None, bytes]
Reading = tuple[str, str]  # sensor and timestamp, as they are written


def a_simulation(
    start: float = START, keys: int = 100, interval: float = 30.0, seed: int = 7, faults: float = 0.0
) -> Simulation:
    return Simulation(start=start, keys=keys, interval=interval, seed=seed, faults=faults)


def messages(simulation: Simulation, rows: int) -> list[Message]:
    every = (message for tick in simulate(simulation) for message in tick.messages)
    return list(islice(every, rows))


def during(simulation: Simulation, seconds: float) -> Iterator[tuple[float, bytes]]:
    """The messages of a span, each with the moment at which it is sent."""
    ticks = takewhile(lambda tick: tick.at < simulation.start + seconds, simulate(simulation))
    return ((tick.at, value) for tick in ticks for _, value in tick.messages)


def digest(sent: Iterable[Message]) -> str:
    return hashlib.sha256(b"\n".join(value for _, value in sent)).hexdigest()


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def measured(simulation: Simulation, seconds: float, field: str) -> NDArray[np.float64]:
    """A field of sound readings: a row for each interval, a column for each sensor."""
    values: dict[str, list[float]] = {}
    for _, value in during(simulation, seconds):
        reading = msgspec.json.decode(value)
        values.setdefault(reading["sensor_id"], []).append(reading[field])
    return np.array([values[sensor] for sensor in sorted(values)]).T


@dataclass(frozen=True)
class Feed:
    """A feed with faults beside the same one without."""

    sound: dict[Reading, bytes]
    sent: list[tuple[float, bytes]]  # when, and what
    heard: dict[Reading, dict[str, Any]]  # what was sent and can be read
    labels: list[dict[str, Any]]
    interval: float
    ends: float

    def under(self, label: dict[str, Any]) -> list[Reading]:
        """The readings that a label speaks of, as far as the feed goes."""
        begins, ends = instant(label["from"]), min(instant(label["to"]), self.ends - 1)
        count = int((ends - begins) // self.interval) + 1
        return [(label["sensor_id"], utc(begins + number * self.interval)) for number in range(count)]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The labels of a kind whose faults were over half an hour before the feed was."""
        found = [each for each in self.labels if each["kind"] == kind and instant(each["to"]) < self.ends - HOUR / 2]
        assert len(found) > 10
        return found


@cache
def a_feed(share: float, hours: float, keys: int = 200, interval: float = 30.0) -> Feed:
    labels: list[dict[str, Any]] = []
    simulation = a_simulation(keys=keys, interval=interval)
    sound = {}
    for _, value in during(simulation, hours * HOUR):
        reading = msgspec.json.decode(value)
        sound[reading["sensor_id"], reading["timestamp"]] = value
    sent = list(during(replace(simulation, faults=share, label=labels.append), hours * HOUR))
    ends = START + hours * HOUR
    begun = [label for label in labels if instant(label["from"]) < ends]
    return Feed(sound, sent, _readable(sent), begun, interval, ends)


def _readable(sent: list[tuple[float, bytes]]) -> dict[Reading, dict[str, Any]]:
    found = {}
    for _, value in sent:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, TypeError):
            reading = msgspec.json.decode(value)
            found[reading["sensor_id"], reading["timestamp"]] = reading
    return found
