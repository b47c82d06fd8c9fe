"""Readings for the benchmark, by the product's own simulator: always the same bytes, and faults among them.

Left out is what the two programs promise different things about: messages that are no JSON (`from_json` takes much
of it), and readings that do not come at the moment they name, being late, repeated later or of a wrong clock (they
are judged by different watermarks, and Vigie keeps them). All other faults are in it, and repeats that come at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import msgspec

from vigie.feed import Simulation, Tick
from vigie.sensors.simulator import simulate

START = 1_767_225_600  # 2026-01-01: a topic that is kept is as far from the future on every later day
SENSORS = 10_000
SECONDS_BETWEEN = 30  # two readings of one sensor
FAULTS = 0.01
SEED = 7


def messages(rows: int, sensors: int = SENSORS) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each message, in the order of their event times."""
    ticks = simulate(Simulation(START, sensors, SECONDS_BETWEEN, SEED, FAULTS))
    return islice((message for tick in ticks for message in _prompt(tick)), rows)


def _prompt(tick: Tick) -> Iterator[tuple[bytes, bytes]]:
    """The messages that are JSON and name the moment at which they come."""
    stamp = f"{datetime.fromtimestamp(round(tick.at * 1_000) // 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    for key, value in tick.messages:
        try:
            said = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if key is not None and said["timestamp"] == stamp:
            yield key, value
