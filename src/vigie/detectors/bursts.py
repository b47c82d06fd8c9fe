"""Too many readings within a span."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vigie import ddl
from vigie.detectors.judgement import Judgement, Marks, no_column, no_condition, no_count, no_span
from vigie.detectors.readings import Bools, Readings, Series
from vigie.duration import parse_duration


@dataclass(frozen=True, slots=True)
class Burst:
    """Fires when there are `times` readings of a key `within` a span, or of those of which a condition in SQL holds,
    and is over with a reading at which half as many are left.

    What is over when nothing more comes is found with the next reading of the key.
    """

    condition: str = ""
    times: int = 100
    within: str = "1 minute"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(ddl.named_columns(ddl.condition(self.condition))) if self.condition else ()

    @property
    def judgement(self) -> Judgement:
        conditions = (ddl.in_duckdb(self.condition),) if self.condition else ()
        return Judgement(
            lambda readings: self._judge(readings, *conditions), (), conditions, parse_duration(self.within)
        )

    def _judge(self, readings: Readings, condition: str | None = None) -> Marks:
        series = readings.all() if condition is None else readings.that(condition)
        return crowded(series, series.value == 1, self.times, self.within)

    def problems(self) -> Iterator[str]:
        yield from no_span("within", self.within)
        yield from no_count("times", self.times, 2)
        if self.condition != "":
            yield from no_condition(self.condition)

    def says(self, value: float, _threshold: float) -> str:
        return f"{value:g} readings within {self.within}" + (f": {self.condition}" if self.condition else "")


@dataclass(frozen=True, slots=True)
class BackAndForth:
    """Fires when `times` readings of a key `within` a span have each undone the one before them, by the very same
    amount the other way, and is over with a reading at which half as many are left. Of what changes nothing, nothing
    can be undone."""

    column: str
    times: int = 4
    within: str = "1 hour"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        return Judgement(self._judge, self.columns, looks_back=2 * parse_duration(self.within))

    def _judge(self, readings: Readings) -> Marks:
        series = readings.of(self.column)
        undone = np.zeros(len(series.value), bool)
        undone[1:] = (series.value[1:] == -series.value[:-1]) & (series.value[1:] != 0)
        undone[1:] &= series.key[1:] == series.key[:-1]
        undone &= series.during(parse_duration(self.within), np.arange(len(undone))).count > 1
        return crowded(series, undone, self.times, self.within)

    def problems(self) -> Iterator[str]:
        yield from no_column(self.column)
        yield from no_span("within", self.within)
        yield from no_count("times", self.times, 2)

    def says(self, value: float, _threshold: float) -> str:
        return f"{self.column} went back and forth {value:g} times within {self.within}"


def crowded(series: Series, counted: Bools, times: int, within: str) -> Marks:
    """It fires when so many of those that count are there within a span, and clears when half as many are."""
    upto = np.concatenate([np.zeros(1), np.cumsum(counted)])
    lately = series.during(parse_duration(within), series.new)
    count = upto[lately.high] - upto[lately.low]
    return Marks(series.row[series.new], count >= times, count <= times / 2, count, np.full(len(count), float(times)))
