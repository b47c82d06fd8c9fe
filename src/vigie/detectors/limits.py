"""A value beyond a limit that a person set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vigie.detectors.judgement import Judgement, Marks, no_column, no_number, told_apart
from vigie.detectors.readings import Readings


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit on one side of a value; `SIGN` is 1 when it is the upper side."""

    column: str
    limit: float
    clears_at: float | None = None
    SIGN: ClassVar[int]
    SIDE: ClassVar[str]

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        return Judgement(self._judge, self.columns)

    def _judge(self, readings: Readings) -> Marks:
        series = readings.of(self.column)
        value, back = series.value[series.new], self.limit if self.clears_at is None else self.clears_at
        limit = np.full(len(value), float(self.limit))
        fires, clears = self.SIGN * value > self.SIGN * limit, self.SIGN * value <= self.SIGN * back
        return Marks(series.row[series.new], fires, clears, value, limit)

    def problems(self) -> Iterator[str]:
        amiss = [*no_column(self.column), *no_number("limit", self.limit)]
        if self.clears_at is not None:
            amiss += no_number("clears_at", self.clears_at)
        yield from amiss
        if not amiss and self.clears_at is not None and self.SIGN * self.clears_at > self.SIGN * self.limit:
            yield f"it clears at {self.clears_at:g}, which is {self.SIDE} its limit of {self.limit:g}"

    def says(self, value: float, threshold: float) -> str:
        found, limit = told_apart(value, threshold)
        return f"{self.column} is {found}, {self.SIDE} {limit}"


@dataclass(frozen=True, slots=True)
class Above(_Limit):
    """Fires over `limit`, and is over at `clears_at` or below: between the two, nothing changes."""

    SIGN = 1
    SIDE = "above"


@dataclass(frozen=True, slots=True)
class Below(_Limit):
    """Fires under `limit`, and is over at `clears_at` or above: between the two, nothing changes."""

    SIGN = -1
    SIDE = "below"
