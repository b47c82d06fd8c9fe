"""How long to pause between two polls of OpenSky, when to end, and the words for it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vigie.backoff import Setback
from vigie.flights.credits import Budget, Credits

if TYPE_CHECKING:
    from vigie.flights.states import Answer

FIRST_RETRY, LONGEST_RETRY = 5.0, 300.0  # seconds
SOON = 1.0  # seconds before its end that a feed polls no more

log = logging.getLogger(__name__)


class Pace:
    """The interval a person chose, or the one at which credits last; and longer pauses after setbacks."""

    def __init__(
        self, credit: Credits, interval: float | None, jitter: Callable[[], float], budget: Budget | None = None
    ) -> None:
        self._credits = credit
        self._interval = interval
        self._jitter = jitter
        self._budget = budget
        self._until = math.inf
        self._failures = 0
        self._malformed = 0

    def begin(self, url: str, now: float) -> None:
        """Say how often OpenSky is asked, and what that costs."""
        if self._budget is None:
            interval = self._interval or self._credits.lasting_interval
            log.info(
                "asking %s every %.4g s; a poll costs %d of %d credits a day, so they last %.1f h",
                url,
                interval,
                self._credits.cost,
                self._credits.a_day,
                self._credits.lasts(interval) / 3_600,
            )
            return
        self._until = now + self._budget.seconds
        interval = self._interval or self._budget.interval(self._budget.seconds, 0)
        polls = min(self._budget.polls, math.ceil(self._budget.seconds / interval))
        log.info(
            "asking %s every %.4g s for %s; %d polls at %d credits spend %d of %d",
            url,
            interval,
            span(min(self._budget.seconds, polls * interval)),
            polls,
            self._credits.cost,
            polls * self._credits.cost,
            self._budget.all,
        )

    def is_over(self, now: float) -> bool:
        """Whether the time is up or the credits are spent; says so."""
        if self._budget is None or (self._until - now >= SOON and self._can_pay):
            return False
        why = "the time is up" if self._can_pay else "no further poll is within the budget"
        log.info("%s: %d of %d credits are spent", why, self._credits.spent, self._budget.all)
        return True

    def after(self, answer: Answer, began: float) -> float:
        """The seconds between the start of this poll and the next."""
        self._failures = 0
        self._credits.spend(answer.credits_left)
        left = self._credits.left
        interval = self._after(began)
        log.info(
            "%d aircraft at %s; %s, %s left%s",
            len(answer.messages),
            datetime.fromtimestamp(answer.time, UTC).isoformat() if 0 <= answer.time < 2**37 else answer.time,
            self._spent(began),
            "unknown" if left is None else left,
            f"; next poll in {interval:.4g} s" if self._can_pay else "",
        )
        if answer.odd:
            self._malformed += answer.odd
            log.warning(
                "%d state vectors are not as documented (%d so far); sent on all the same",
                answer.odd,
                self._malformed,
            )
        return interval

    def after_setback(self, setback: Setback, now: float) -> float:
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
        return max(0.0, min(pause, self._until - now))

    @property
    def _can_pay(self) -> bool:
        return self._budget is None or self._budget.polls > 0

    def _after(self, began: float) -> float:
        if self._budget is None:
            return self._interval or self._credits.lasting_interval
        if not self._can_pay:
            return 0.0
        remaining = max(0.0, self._until - began)
        return min(self._interval or self._budget.interval(remaining, 1), remaining)

    def _spent(self, now: float) -> str:
        if self._budget is None:
            return f"{self._credits.spent} credits spent here"
        to_go = span(max(0.0, self._until - now))
        return f"{self._credits.spent} of {self._budget.all} credits spent, {to_go} to go"


def span(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds < 120 else f"{seconds / 60:.4g} min"
