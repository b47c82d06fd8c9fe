"""How long to wait before what failed is tried again, and the clock it is waited by."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from vigie.sinks import NotNow, Refused

FIRST_S = 1.0
LONGEST_S = 60.0
REFUSED_S = 300.0  # until somebody has mended something


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a sender lives it, which a test turns by hand."""

    time: Callable[[], float] = time.monotonic
    wait: Callable[[Event, float], object] = Event.wait


class Backoff:
    """Ever longer, with jitter, so that many senders do not come back in step; never sooner than the receiver asks."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self.failures = 0

    def after(self, problem: NotNow | Refused) -> float:
        self.failures += 1
        if isinstance(problem, Refused):
            return REFUSED_S
        longest = min(FIRST_S * float(1 << min(self.failures - 1, 16)), LONGEST_S)
        return max(longest * (0.5 + self._jitter() / 2), problem.wait)

    def reset(self) -> None:
        self.failures = 0
