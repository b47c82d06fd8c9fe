"""A value beyond a limit that a person set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vigie.detectors.judgement import Judgement, Marks, no_column, no_number
from vigie.detectors.readings import Readings


@dataclass(frozen=True, slots=True)
class Above:
    """Fires over `limit`, and is over at `clears_at` or below: between the two, nothing changes."""

    column: str
    limit: float
    clears_at: float | None = None

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
        return Marks(series.row[series.new], value > limit, value <= back, value, limit)

    def problems(self) -> Iterator[str]:
        amiss = [*no_column(self.column), *no_number("limit", self.limit)]
        if self.clears_at is not None:
            amiss += no_number("clears_at", self.clears_at)
        yield from amiss
        if not amiss and self.clears_at is not None and self.clears_at > self.limit:
            yield f"it clears at {self.clears_at:g}, which is above its limit of {self.limit:g}"

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} is {value:.4g}, above {threshold:.4g}"


@dataclass(frozen=True, slots=True)
class Below:
    """Fires under `limit`, and is over at `clears_at` or above: between the two, nothing changes."""

    column: str
    limit: float
    clears_at: float | None = None

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
        return Marks(series.row[series.new], value < limit, value >= back, value, limit)

    def problems(self) -> Iterator[str]:
        amiss = [*no_column(self.column), *no_number("limit", self.limit)]
        if self.clears_at is not None:
            amiss += no_number("clears_at", self.clears_at)
        yield from amiss
        if not amiss and self.clears_at is not None and self.clears_at < self.limit:
            yield f"it clears at {self.clears_at:g}, which is below its limit of {self.limit:g}"

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} is {value:.4g}, below {threshold:.4g}"
