"""What keeps another from answering for a while, how long to wait before it is asked again, and by which clock."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Event

FIRST_S = 1.0
LONGEST_S = 60.0
REFUSED_S = 300.0  # until somebody has mended something


class Setback(Exception):
    """Something failed in a way that time mends. It never leaves the feed: the same is asked again.

    `wait` is the number of seconds that the other asks for, when it asks for any.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a sender lives it, which a test turns by hand."""

    time: Callable[[], float] = time.monotonic
    wait: Callable[[Event, float], object] = Event.wait


class Backoff:
    """Ever longer, with jitter, so that many senders do not come back in step; never sooner than the other asks."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self.failures = 0

    def after(self, wait: float = 0.0) -> float:
        self.failures += 1
        longest = min(FIRST_S * float(1 << min(self.failures - 1, 16)), LONGEST_S)
        return max(longest * (0.5 + self._jitter() / 2), wait)

    def reset(self) -> None:
        self.failures = 0


def retry_after(text: str, now: float, most: float) -> float:
    """How many seconds the header Retry-After asks for: it says so in seconds, or names an instant. 0 for nonsense."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            instant = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0.0
        # One of HTTP's three forms of a date says no zone, and means UTC: RFC 9110, 5.6.7.
        seconds = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), most) if math.isfinite(seconds) else 0.0
