"""A value unlike those that the same key had shortly before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vigie.detectors.judgement import (
    Judgement,
    Marks,
    Needs,
    less_than,
    no_column,
    no_count,
    no_span,
    not_above,
    told_apart,
)
from vigie.detectors.readings import Bools, Floats, Readings, Series, Span
from vigie.duration import parse_duration

MAD_TO_SIGMA = 1.4826  # of normal values: the median of deviations in standard deviations
ROUNDING = 1e-9  # a mean of equal values may differ from them in the last digit, and is not less for that


@dataclass(frozen=True, slots=True)
class AboveUsual:
    """Fires over the mean and so many standard deviations of the readings of `over` before it, when these are at
    least `readings`; it is over when the value is back within half as many, or when they are fewer.

    A value that is less than `least` above the mean is never unusual, however calm it was before.
    """

    column: str
    deviations: float = 2.0
    over: str = "30 minutes"
    readings: int = 10
    least: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        over = parse_duration(self.over)
        return Judgement(self._judge, self.columns, looks_back=over, needs=Needs(self.readings, over))

    def _judge(self, readings: Readings) -> Marks:
        series = readings.of(self.column)
        value, usual = series.value[series.new], series.ahead(parse_duration(self.over), series.new)
        mean, deviation = _mean_and_deviation(series, usual)
        most = np.maximum(self.deviations * deviation, self.least)
        enough = usual.count >= self.readings
        fires, clears = _beyond(value - mean, most, mean, enough)
        return Marks(series.row[series.new], fires, clears, value, mean + most)

    def problems(self) -> Iterator[str]:
        yield from no_span("over", self.over)
        yield from no_column(self.column)
        yield from not_above("deviations", self.deviations, 0)
        yield from no_count("readings", self.readings, 2)
        yield from less_than("least", self.least, 0)

    def says(self, value: float, threshold: float) -> str:
        found, limit = told_apart(value, threshold)
        return f"{self.column} is {found}, above what was usual in the last {self.over}: up to {limit}"


@dataclass(frozen=True, slots=True)
class Outlier:
    """Fires more than `z` standard deviations from the mean of the readings of `over` before it, on either side, when
    these are at least `readings`; it is over when the value is back within half as many, or when they are fewer.

    It is the z-score of the books: a value is no part of what it is held to, and where all before it are the same any
    other is an outlier. FarFromMedian has a sense of how much is much.
    """

    column: str
    z: float = 3.0
    over: str = "30 minutes"
    readings: int = 10

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        over = parse_duration(self.over)
        return Judgement(self._judge, self.columns, looks_back=over, needs=Needs(self.readings, over))

    def _judge(self, readings: Readings) -> Marks:
        series = readings.of(self.column)
        value, usual = series.value[series.new], series.ahead(parse_duration(self.over), series.new)
        mean, deviation = _mean_and_deviation(series, usual)
        enough, off = usual.count >= self.readings, value - mean
        most = self.z * deviation
        fires, clears = _beyond(np.abs(off), most, mean, enough)
        return Marks(series.row[series.new], fires, clears, value, mean + np.copysign(most, off))

    def problems(self) -> Iterator[str]:
        yield from no_span("over", self.over)
        yield from no_column(self.column)
        yield from not_above("z", self.z, 0)
        yield from no_count("readings", self.readings, 2)

    def says(self, value: float, threshold: float) -> str:
        found, limit = told_apart(value, threshold)
        return (
            f"{self.column} is {found}, {'below' if value < threshold else 'above'} {limit}, "
            f"which is {self.z:g} standard deviations from its mean of the last {self.over}"
        )


@dataclass(frozen=True, slots=True)
class FarFromMedian:
    """Fires further than so many `deviations` from the median of the readings of `over` before it, when these are at
    least `readings`; it is over when the value is back within half as many, or when they are fewer.

    The deviation is 1.4826 times the median of all deviations: what lies far out does not widen it, as it would a
    standard deviation. It counts as `least` when it is smaller, so that a calm sensor is not held to its noise.
    """

    column: str
    deviations: float = 3.0
    over: str = "30 minutes"
    readings: int = 10
    least: float = 0.01

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        over = parse_duration(self.over)
        return Judgement(self._judge, self.columns, looks_back=over, needs=Needs(self.readings, over))

    def _judge(self, readings: Readings) -> Marks:
        series = readings.of(self.column)
        value, usual = series.value[series.new], series.ahead(parse_duration(self.over), series.new)
        median, spread = _median_and_spread(series, usual)
        deviation = np.maximum(MAD_TO_SIGMA * spread, self.least)
        enough, far = usual.count >= self.readings, np.abs(value - median)
        fires, clears = enough & (far > self.deviations * deviation), ~enough | (far <= self.deviations / 2 * deviation)
        shown, limit = (value - median) / deviation, np.full(len(value), float(self.deviations))
        return Marks(series.row[series.new], fires, clears, shown, limit)

    def problems(self) -> Iterator[str]:
        yield from no_span("over", self.over)
        yield from no_column(self.column)
        yield from not_above("deviations", self.deviations, 0)
        yield from no_count("readings", self.readings, 2)
        yield from not_above("least", self.least, 0)

    def says(self, value: float, threshold: float) -> str:
        return f"{self.column} is {value:+.3g} deviations from its median of the last {self.over}, beyond {threshold:g}"


def _beyond(off: Floats, most: Floats, mean: Floats, enough: Bools) -> tuple[Bools, Bools]:
    """Where a value is further off its mean than it may be, and where it is back within half of that."""
    rounding = ROUNDING * (most + np.abs(mean))
    return enough & (off > most + rounding), ~enough | (off <= most / 2 + rounding)


def _mean_and_deviation(series: Series, usual: Span) -> tuple[Floats, Floats]:
    """Of each; no numbers where there is nothing, or one alone."""
    mean, deviation = np.full((2, len(usual.low)), np.nan)
    for some in usual.gathered():
        values = series.value[some.places]
        means = some.total(values) / some.count
        squares = some.total((values - some.each(means)) ** 2)
        mean[some.rows] = means
        deviation[some.rows] = np.sqrt(np.where(some.count > 1, squares / np.maximum(some.count - 1, 1), np.nan))
    return mean, deviation


def _median_and_spread(series: Series, usual: Span) -> tuple[Floats, Floats]:
    """The median of each, and of the distances from it; no numbers where there is nothing."""
    median, spread = np.full((2, len(usual.low)), np.nan)
    for rows, places, belongs in usual.laid_out():
        values = np.where(belongs, series.value[places], np.inf)
        count = belongs.sum(axis=1)
        median[rows] = _middle(values, count)
        with np.errstate(invalid="ignore"):  # where there is nothing, infinity is taken from infinity
            spread[rows] = _middle(np.where(belongs, np.abs(values - median[rows][:, None]), np.inf), count)
    return median, spread


def _middle(values: Floats, count: Floats) -> Floats:
    """The median of the first `count` numbers of each row, once they are sorted; what is beyond them is infinite."""
    values.sort(axis=1)
    rows, half = np.arange(len(values)), np.maximum(count, 1)
    middle: Floats = (values[rows, (half - 1) // 2] + values[rows, half // 2]) / 2
    return np.where(count > 0, middle, np.nan)
