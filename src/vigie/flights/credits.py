"""OpenSky's credits: what a poll costs, what is left, and how often to poll so that they last.

https://openskynetwork.github.io/opensky-api/rest.html#api-credit-usage
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vigie.settings import Box

DAY = 86_400.0
ANONYMOUS, USER, FEEDER = 400, 4_000, 8_000  # credits a day


def cost_of(box: Box) -> int:
    """What one poll of a box costs, by its area in square degrees."""
    area = (box.lamax - box.lamin) * (box.lomax - box.lomin)
    return next((cost for limit, cost in ((25, 1), (100, 2), (400, 3)) if area <= limit), 4)


@dataclass(slots=True)
class Credits:
    """The credits of one account or, without one, of one address of the internet."""

    cost: int  # of one poll
    a_day: int
    resolution: float  # seconds in which OpenSky's answer stays the same
    spent: int = 0
    left: int | None = None  # as OpenSky last said

    def spend(self, left: int | None) -> None:
        """Count one poll, after which OpenSky says that so many credits are left."""
        self.spent += self.cost
        if left is not None:
            self.left = left
            # Who runs a receiver has twice a user's credits, and only this number tells.
            self.a_day = max(self.a_day, left + self.cost)

    @property
    def lasting_interval(self) -> float:
        """Seconds between two polls at which a day's credits last a day."""
        return max(self.resolution, DAY * self.cost / self.a_day)

    def lasts(self, interval: float) -> float:
        """Seconds for which a day's credits last with such an interval between polls."""
        return self.a_day / self.cost * interval


@dataclass(frozen=True, slots=True)
class Budget:
    """How many of the credits a feed may spend, in how long; without a number, as many as there are in that time."""

    credit: Credits
    seconds: float
    most: int | None = None

    @property
    def all(self) -> int:
        return self.most if self.most is not None else int(self.credit.a_day * max(1.0, self.seconds / DAY))

    @property
    def polls(self) -> int:
        """How many polls it still has credits for."""
        return (self.all - self.credit.spent) // self.credit.cost

    def interval(self, seconds_left: float, just_made: int) -> float:
        """Seconds between polls at which those that may be made fill the time; polls just made have a share in it.

        Others may have spent credits of the same account, so what OpenSky says is left counts too. A day brings new
        ones.
        """
        polls = self.polls
        if self.credit.left is not None:
            known = self.credit.left + self.credit.a_day * int(seconds_left // DAY)
            polls = min(polls, known // self.credit.cost)
        if not polls:
            return self.credit.lasting_interval
        return max(self.credit.resolution, seconds_left / (polls + just_made))
