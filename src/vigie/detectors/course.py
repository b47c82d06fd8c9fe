"""A value that leaves its own course: learned from the stream, with a bound on false alarms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from vigie.detectors.judgement import Judgement, Marks, Needs, no_column, no_count, no_span, not_above
from vigie.detectors.readings import EVER, Floats, Indices, Readings, Series, Span
from vigie.duration import parse_duration
from vigie.instants import MICROSECOND

MINUTE = 60e6  # microseconds

CALM = 5  # readings, or spans of readings that count together, after which it is over if they are as usual


@dataclass(frozen=True, slots=True)
class OffCourse:
    """Fires when a value keeps leaving the straight line through its readings of `over` before it, more than such
    values do; it is over when its last readings, five or more, are as usual when they are taken together.

    How far a reading is off, in deviations from the line, is ranked among those of all keys that are judged with
    it: only the share p that were as far off counts, so nothing is assumed of how noise is spread. Each reading
    multiplies the evidence against its key by 1 / (2 sqrt(p)), which is 1 on average while all is as usual, and
    evidence is taken from where in `over` it looks worst. Readings that are less than `together` apart may hang on
    each other in any way: of k of them, each counts as its k-th root. It fires when evidence reaches `one_in`: while
    all is as usual, a key then gives at most one false alarm in so many spans of `together`, on average (the e-CUSUM
    of Shin, Ramdas and Rinaldo, 2022). A deviation counts as `least` when it is smaller.
    """

    column: str
    one_in: int = 100_000
    over: str = "20 minutes"
    together: str = "30 seconds"
    readings: int = 10
    least: float = 0.05

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def judgement(self) -> Judgement:
        over = parse_duration(self.over)
        return Judgement(self._judge, self.columns, looks_back=2 * over, needs=Needs(self.readings, over))

    def _judge(self, readings: Readings) -> Marks:
        series, span = readings.of(self.column), parse_duration(self.over)
        new, counted = series.new, _counted(series, span)
        past = series.ahead(span, counted)
        off, deviation = _off(series, past, counted)
        far = np.where(past.count >= self.readings, np.abs(off) / np.maximum(deviation, self.least), np.nan)
        gain, shown = np.zeros((2, len(series.row)))
        gain[counted], shown[counted] = _gain(far) / self._beside(series, 1, counted).count, off
        total = np.cumsum(gain)
        evidence = total[new] - series.during(span, new).reduced(np.minimum, total - gain, np.inf)
        since = np.minimum(_since(series, CALM)[new], self._beside(series, CALM, new).low)
        lately = total[new] - np.concatenate([np.zeros(1), total])[since]
        enough = evidence >= math.log(self.one_in)
        return Marks(series.row[new], enough, ~enough & (lately <= 0), shown[new], np.zeros(len(new)))

    def _beside(self, series: Series, times: int, of: Indices) -> Span:
        """The readings less than so many times `together` before each of these, and itself."""
        return series.during(times * parse_duration(self.together) - MICROSECOND, of)

    def problems(self) -> Iterator[str]:
        yield from no_column(self.column)
        spans = [*no_span("over", self.over), *no_span("together", self.together)]
        yield from spans
        if not spans and parse_duration(self.together) >= parse_duration(self.over):
            yield f"together is {self.together}: it must be shorter than over, {self.over}"
        yield from not_above("one_in", self.one_in, 1)
        yield from no_count("readings", self.readings, 3)
        yield from not_above("least", self.least, 0)

    def says(self, value: float, _threshold: float) -> str:
        return f"{self.column} has left its course of the last {self.over}, now by {value:+.3g}"


def _counted(series: Series, span: timedelta) -> Indices:
    """The readings whose evidence counts: the new ones, and those of a span before the first new one of their key."""
    first = np.full(series.key.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, series.key[series.new], series.moment[series.new])
    return np.flatnonzero(series.moment >= first[series.key] - span // MICROSECOND)


def _off(series: Series, past: Span, of: Indices) -> tuple[Floats, Floats]:
    """How far each of these is from the line through its past, and the deviation of that past from the line."""
    off, deviation = np.full((2, len(of)), np.nan)
    for some in past.gathered():
        here = of[some.rows]
        times = (series.moment[some.places] - some.each(series.moment[here])) / MINUTE
        values = series.value[some.places] - some.each(series.value[here])
        time, value = some.total(times) / some.count, some.total(values) / some.count
        times, values = times - some.each(time), values - some.each(value)
        run = some.total(times**2)
        known = (some.count > 2) & (run > 0)
        slope = np.divide(some.total(times * values), run, out=np.full(len(run), np.nan), where=known)
        off[some.rows] = slope * time - value
        left = np.maximum(some.total(values**2) - slope**2 * run, 0)
        deviation[some.rows] = np.sqrt(left / np.maximum(some.count - 2, 1))
    return off, deviation


def _gain(far: Floats) -> Floats:
    """By how much each reading adds to the evidence: the logarithm of 1 / (2 sqrt(p)), or nothing."""
    known = np.isfinite(far)
    ranked = np.sort(far[known])
    share = 1 - np.searchsorted(ranked, far[known], "left") / max(len(ranked), 1)
    gain = np.zeros(len(far))
    gain[known] = -math.log(2) - np.log(share) / 2
    return gain


def _since(series: Series, readings: int) -> Indices:
    """Where the last so many readings of the same key begin."""
    of_the_key = series.runs(lambda value, _after: np.ones(len(value), bool), EVER)
    return np.maximum(np.arange(len(of_the_key)) - (readings - 1), of_the_key)
