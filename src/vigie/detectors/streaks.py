"""The same thing several times in a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vigie import ddl
from vigie.detectors.judgement import Judgement, Marks, no_condition, no_count, no_span
from vigie.detectors.readings import EVER, Readings
from vigie.duration import parse_duration
from vigie.instants import MICROSECOND


@dataclass(frozen=True, slots=True)
class InARow:
    """Fires when a condition in SQL holds for `times` readings of a key in a row, none of them older than `within`."""

    condition: str
    times: int = 3
    within: str = "1 hour"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(ddl.named_columns(ddl.condition(self.condition)))

    @property
    def judgement(self) -> Judgement:
        condition = ddl.in_duckdb(self.condition)
        return Judgement(
            lambda readings: self._judge(readings, condition), (), (condition,), parse_duration(self.within)
        )

    def _judge(self, readings: Readings, condition: str) -> Marks:
        series = readings.that(condition)
        begins = series.runs(lambda value, after: (value == 1) & (after == 1), EVER)[series.new]
        first = np.maximum(series.new - self.times + 1, 0)
        holds = series.value[series.new] == 1
        in_a_row = np.where(holds, np.minimum(series.new - begins + 1, self.times), 0).astype(float)
        near = series.moment[series.new] - series.moment[first] <= parse_duration(self.within) // MICROSECOND
        limit = np.full(len(series.new), float(self.times))
        return Marks(series.new, (in_a_row == self.times) & near, ~holds, in_a_row, limit)

    def problems(self) -> Iterator[str]:
        yield from no_span("within", self.within)
        yield from no_count("times", self.times, 2)
        yield from no_condition(self.condition)

    def says(self, value: float, _threshold: float) -> str:
        return f"{value:g} readings in a row: {self.condition}"
