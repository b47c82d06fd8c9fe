"""Bringing messages from a simulator or a live source to an inbox, to Kafka or to a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulator is asked for: the same values give the same bytes."""

    start: float  # epoch seconds, UTC
    keys: int = 2_000  # aircraft, sensors or users
    interval: float = 10.0  # seconds between two messages of one key
    seed: int = 0
    faults: float = 0.0  # share of messages that are broken on purpose


class Tick(NamedTuple):
    """Messages that are due at one moment.

    Ticks come in the order of their time. A live source that has nothing to say yields an empty tick at least
    every half second, because the feed can only stop, report and tidy up between two ticks.
    """

    at: float  # epoch seconds, UTC
    messages: list[tuple[bytes | None, bytes]]  # key and value


Simulate = Callable[[Simulation], Iterator[Tick]]
