"""How a value moves: too fast, always upwards, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from vigie.detectors.exact import at_least, more
from vigie.detectors.judgement import Judgement, Marks, less_than, no_column, no_span, not_above
from vigie.detectors.readings import Bools, Floats, Indices, Readings, Series
from vigie.duration import parse_duration
from vigie.instants import MICROSECOND


@dataclass(frozen=True, slots=True)
class SuddenChange:
    """Fires when a value is more than `by` away from another of the same key, at most `within` before
    it, and is over when it is not."""

    column: str
    by: float
    within: str = "1 minute"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        return Judgement(self._judge, self.columns, looks_back=parse_duration(self.within))

    def _judge(self, readings: Readings) -> Marks:
        series = readings.of(self.column)
        value, lately = series.value[series.new], series.during(parse_duration(self.within), series.new)
        lowest, highest = (
            lately.reduced(np.minimum, series.value, np.inf),
            lately.reduced(np.maximum, series.value, -np.inf),
        )
        risen, fallen = value - lowest, highest - value
        far, limit = np.maximum(risen, fallen), np.full(len(value), float(self.by))
        fires = more(far, limit, np.maximum(np.abs(lowest), np.abs(highest)))
        return Marks(series.row[series.new], fires, ~fires, np.where(risen >= fallen, far, -far), limit)

    def problems(self) -> Iterator[str]:
        yield from no_column(self.column)
        yield from no_span("within", self.within)
        yield from not_above("by", self.by, 0)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} changed by {value:+.4g} within {self.within}, more than {threshold:.4g}"


@dataclass(frozen=True, slots=True)
class Rising:
    """Fires when a value has risen from each reading to the next for `over`, and by at least `by` in all.

    A fall of less than `dips` does not end a rise: a real sensor trembles. Two readings further apart than `over`
    do not belong to one rise, and of a long one no more than twice `over` counts. It is over when it does not fire.
    """

    column: str
    over: str = "15 minutes"
    by: float = 0.0
    dips: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        return Judgement(self._judge, self.columns, looks_back=2 * parse_duration(self.over))

    def _judge(self, readings: Readings) -> Marks:
        series, over = readings.of(self.column), parse_duration(self.over)
        begins, lasts = _unbroken(series, over, self._goes_on)
        value, first = series.value[series.new], series.value[begins]
        risen = value - first
        enough = at_least(risen, self.by, np.maximum(np.abs(value), np.abs(first)))
        return _marks(series, lasts & enough, risen, over)

    def _goes_on(self, value: Floats, after: Floats) -> Bools:
        return more(after - value, -self.dips, np.maximum(np.abs(value), np.abs(after)))

    def problems(self) -> Iterator[str]:
        amiss = [*no_column(self.column), *no_span("over", self.over)]
        amiss += [*less_than("by", self.by, 0), *less_than("dips", self.dips, 0)]
        yield from amiss
        if not amiss and self.dips and not self.by:
            yield f"with dips of {self.dips:g}, a value that only trembles rises: say by how much it must, with by"

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} has risen without a break for {threshold / 60:g} minutes, by {value:.4g}"


@dataclass(frozen=True, slots=True)
class Stuck:
    """Fires when a value has been the same in every reading for `over`. Two readings further apart than `over` do
    not belong together. It is over with the first that differs."""

    column: str
    over: str = "30 minutes"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        return Judgement(self._judge, self.columns, looks_back=2 * parse_duration(self.over))

    def _judge(self, readings: Readings) -> Marks:
        series, over = readings.of(self.column), parse_duration(self.over)
        _, lasts = _unbroken(series, over, lambda value, after: after == value)
        return _marks(series, lasts, series.value[series.new], over)

    def problems(self) -> Iterator[str]:
        yield from no_column(self.column)
        yield from no_span("over", self.over)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} has been {value:.4g} in every reading for {threshold / 60:g} minutes"


def _unbroken(series: Series, over: timedelta, goes_on: Callable[[Floats, Floats], Bools]) -> tuple[Indices, Bools]:
    """Where the run begins that each new reading belongs to, of no more than twice a span; and which lasted for it."""
    begins = np.maximum(series.runs(goes_on, over)[series.new], series.during(2 * over, series.new).low)
    return begins, series.moment[series.new] - series.moment[begins] >= over // MICROSECOND


def _marks(series: Series, fires: Bools, shown: Floats, over: timedelta) -> Marks:
    """It is over when it does not fire; the limit that a person is shown is the span, in seconds."""
    return Marks(series.row[series.new], fires, ~fires, shown, np.full(len(fires), over.total_seconds()))
