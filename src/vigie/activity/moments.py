"""How instants are written, and how busy a moment of the day is."""

from __future__ import annotations

import math
from datetime import UTC, datetime

DAY_S = 86_400.0
QUIETEST_S = 4 * 3_600.0  # of the day, UTC
LEAST, MOST = 1.1, 2.2


def busy(at: float) -> float:
    """How many times as much goes on as the interval alone would have: never less than once, so that so many
    messages never take longer than they were given."""
    wave = (1 - math.cos(2 * math.pi * (at - QUIETEST_S) / DAY_S)) / 2
    return LEAST + (MOST - LEAST) * wave


class Stamps:
    """Instants as ISO 8601 in UTC with milliseconds; those of one second share their beginning."""

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def of(self, at: float) -> bytes:
        second, millis = divmod(round(at * 1_000), 1_000)
        if second != self._second:
            self._second = second
            self._text = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}".encode()
        return b"%b.%03dZ" % (self._text, millis)
