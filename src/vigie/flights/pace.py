"""How long to pause between two polls of OpenSky, and the words for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vigie.backoff import Setback
from vigie.flights.credits import Credits

if TYPE_CHECKING:
    from vigie.flights.states import Answer

FIRST_RETRY, LONGEST_RETRY = 5.0, 300.0  # seconds

log = logging.getLogger(__name__)


class Pace:
    """The interval a person chose, or the one at which credits last; and longer pauses after setbacks."""

    def __init__(self, credit: Credits, interval: float | None, jitter: Callable[[], float]) -> None:
        self._credits = credit
        self._interval = interval
        self._jitter = jitter
        self._failures = 0
        self._malformed = 0

    @property
    def interval(self) -> float:
        return self._interval or self._credits.lasting_interval

    def announce(self, url: str) -> None:
        log.info(
            "asking %s every %.4g s; a poll costs %d of %d credits a day, so they last %.1f h",
            url,
            self.interval,
            self._credits.cost,
            self._credits.a_day,
            self._credits.lasts(self.interval) / 3_600,
        )

    def after(self, answer: Answer) -> float:
        """The seconds between the start of this poll and the next."""
        self._failures = 0
        self._credits.spend(answer.credits_left)
        left = self._credits.left
        log.info(
            "%d aircraft at %s; %d credits spent here, %s left; next poll in %.4g s",
            len(answer.messages),
            datetime.fromtimestamp(answer.time, UTC).isoformat() if 0 <= answer.time < 2**37 else answer.time,
            self._credits.spent,
            "unknown" if left is None else left,
            self.interval,
        )
        if answer.odd:
            self._malformed += answer.odd
            log.warning(
                "%d state vectors are not as documented (%d so far); sent on all the same",
                answer.odd,
                self._malformed,
            )
        return self.interval

    def after_setback(self, setback: Setback) -> float:
        """The seconds to pause: what OpenSky asks for, or twice as long each time, less a random part."""
        self._failures += 1
        longest = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
        pause = setback.wait or longest * (1 - self._jitter() / 2)
        log.warning(
            "no answer from OpenSky: %s; next try in %.4g s (setback %d in a row)",
            setback.reason,
            pause,
            self._failures,
        )
        return pause
