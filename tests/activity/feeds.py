"""Simulated users and wikis for tests: their messages and their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice, takewhile
from typing import Any

import msgspec

from vigie.feed import Simulate, Simulation
from vigie.spoiling import Message

START = 1_763_683_200.0  # a midnight
HOUR = 3_600.0
DAY = 86_400.0


def a_simulation(start: float = START, **wishes: Any) -> Simulation:
    return Simulation(start, **{"keys": 200, "seed": 7, **wishes})


def messages(simulate: Simulate, simulation: Simulation, rows: int) -> list[Message]:
    return list(islice((message for tick in simulate(simulation) for message in tick.messages), rows))


def during(simulate: Simulate, simulation: Simulation, seconds: float) -> Iterator[tuple[float, bytes]]:
    """The messages of a span, each with the moment at which it is sent."""
    ticks = takewhile(lambda tick: tick.at < simulation.start + seconds, simulate(simulation))
    return ((tick.at, value) for tick in ticks for _, value in tick.messages)


def objects(simulate: Simulate, simulation: Simulation, seconds: float) -> list[dict[str, Any]]:
    return [msgspec.json.decode(value) for _, value in during(simulate, simulation, seconds)]


def digest(sent: Iterable[Message]) -> str:
    return hashlib.sha256(b"\n".join((key or b"") + b" " + value for key, value in sent)).hexdigest()


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
