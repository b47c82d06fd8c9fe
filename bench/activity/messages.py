"""Events for the benchmark, by the product's own simulator: always the same bytes, and one in a hundred twice.

They are framed as the schema registry's clients do, under the number that a new registry gives its first schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import vigie.activity
from vigie.activity.simulator import simulate
from vigie.avro.writing import encoder
from vigie.feed import Simulation

SCHEMA = (Path(vigie.activity.__file__).parent / "schemas" / "user_activity.v1.avsc").read_text()
SCHEMA_ID = 1
START = 1_767_225_600  # 2026-01-01: a topic that is kept is as far from the future on every later day
USERS = 10_000
SECONDS_BETWEEN = 30  # two events of one user, on average
REPEATED = 100  # one in so many
SEED = 7


def messages(rows: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each message, in the order of their event times."""
    framed = encoder(SCHEMA, SCHEMA_ID)
    for key, event in events(rows):
        yield key, framed(event)


def events(rows: int) -> Iterator[tuple[bytes, bytes]]:
    """The same as JSON."""
    ticks = simulate(Simulation(START, USERS, SECONDS_BETWEEN, SEED))
    return islice(_with_repeats(message for tick in ticks for message in tick.messages), rows)


def _with_repeats(messages: Iterator[tuple[bytes | None, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for number, (key, value) in enumerate(messages):
        assert key is not None
        yield key, value
        if number % REPEATED == 0:
            yield key, value
