"""The detectors and the life of alerts a second time: one reading after the other, without SQL and without Vigie's own
reckoning. It takes a detector's settings and the sentence in its docstring, and nothing else.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import singledispatch
from itertools import pairwise
from typing import Any

from vigie.detectors import (
    Above,
    AboveUsual,
    BackAndForth,
    Below,
    Burst,
    FarFromMedian,
    InARow,
    Outlier,
    Rising,
    Silent,
    Stuck,
    SuddenChange,
)
from vigie.duration import parse_duration

SECOND = 1_000_000  # moments are whole microseconds


@dataclass(frozen=True)
class Reading:
    """What a key said at a moment."""

    key: str
    at: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """What a detector makes of a reading."""

    fires: bool
    clears: bool
    value: float | None = None
    threshold: float | None = None


@dataclass
class Raised:
    """An alert, with the rule, the key and the moment of its opening as its name."""

    value: float
    threshold: float
    closed_at: int | None = None


NOTHING = Said(fires=False, clears=False)
Conditions = Mapping[str, Callable[[Mapping[str, Any]], bool | None]]  # what SQL says, said in Python


def span(text: str) -> int:
    return round(parse_duration(text).total_seconds() * SECOND)


@singledispatch
def judge(detector: object, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    """What a detector makes of a reading. `before` is what was known of its key that is older, oldest first."""
    raise NotImplementedError(detector)


def written(value: float) -> Decimal:
    """The decimal number that a person wrote, and not what a double makes of it."""
    return Decimal(repr(value))


def _of(column: str, readings: Iterable[Reading]) -> list[tuple[int, float]]:
    return [(reading.at, reading.values[column]) for reading in readings if reading.values[column] is not None]


@judge.register
def _above(detector: Above, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    back = detector.limit if detector.clears_at is None else detector.clears_at
    return Said(value > detector.limit, value <= back, value, detector.limit)


@judge.register
def _below(detector: Below, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    back = detector.limit if detector.clears_at is None else detector.clears_at
    return Said(value < detector.limit, value >= back, value, detector.limit)


@judge.register
def _sudden_change(detector: SuddenChange, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    others = [written(v) for at, v in _of(detector.column, before) if at >= reading.at - span(detector.within)]
    risen = max([written(value) - other for other in others], default=Decimal(0))
    fallen = max([other - written(value) for other in others], default=Decimal(0))
    risen, fallen = max(risen, Decimal(0)), max(fallen, Decimal(0))
    far, by = max(risen, fallen), written(detector.by)
    return Said(far > by, far <= by, float(risen if risen >= fallen else -fallen), detector.by)


@judge.register
def _above_usual(detector: AboveUsual, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    usual = [Fraction(v) for at, v in _of(detector.column, before) if at >= reading.at - span(detector.over)]
    if len(usual) < detector.readings:
        return Said(fires=False, clears=True)
    mean, variance = statistics.mean(usual), statistics.variance(usual)
    above, least, squared = (
        Fraction(value) - mean,
        Fraction(detector.least),
        Fraction(detector.deviations) ** 2 * variance,
    )
    fires = above > least and above > 0 and above**2 > squared
    clears = above <= least / 2 or above <= 0 or 4 * above**2 <= squared
    most = max(detector.deviations * float(variance) ** 0.5, detector.least)
    return Said(fires, clears, value, float(mean) + most)


@judge.register
def _outlier(detector: Outlier, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    usual = [Fraction(v) for at, v in _of(detector.column, before) if at >= reading.at - span(detector.over)]
    if len(usual) < detector.readings:
        return Said(fires=False, clears=True)
    mean, variance = statistics.mean(usual), statistics.variance(usual)
    off, squared = Fraction(value) - mean, Fraction(detector.z) ** 2 * variance
    limit = float(mean) + (1 if off >= 0 else -1) * detector.z * float(variance) ** 0.5
    return Said(off**2 > squared, 4 * off**2 <= squared, value, limit)


@judge.register
def _far_from_median(
    detector: FarFromMedian, before: Sequence[Reading], reading: Reading, conditions: Conditions
) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    usual = [v for at, v in _of(detector.column, before) if at >= reading.at - span(detector.over)]
    if len(usual) < detector.readings:
        return Said(fires=False, clears=True)
    median = statistics.median(usual)
    deviation = max(1.4826 * statistics.median(abs(v - median) for v in usual), detector.least)
    far = abs(value - median)
    return Said(
        far > detector.deviations * deviation,
        far <= detector.deviations / 2 * deviation,
        (value - median) / deviation,
        detector.deviations,
    )


@judge.register
def _in_a_row(detector: InARow, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    holds = conditions[detector.condition]
    last = [*before, reading][-detector.times :]
    fires = (
        len(last) == detector.times
        and all(holds(one.values) is True for one in last)
        and reading.at - last[0].at <= span(detector.within)
    )
    return Said(fires, holds(reading.values) is not True, detector.times, detector.times)


def _run(
    column: str, over: int, before: Sequence[Reading], reading: Reading, goes_on: Callable[[float, float], bool]
) -> tuple[int, float]:
    """Where the run that ends with a reading begins, and with which value."""
    first = (reading.at, reading.values[column])
    for at, value in reversed(_of(column, before)):
        if first[0] - at > over or not goes_on(value, first[1]) or at < reading.at - 2 * over:
            break
        first = (at, value)
    return first


@judge.register
def _rising(detector: Rising, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    over = span(detector.over)
    dips = written(detector.dips)
    since, first = _run(detector.column, over, before, reading, lambda one, next: written(next) > written(one) - dips)
    risen = written(value) - written(first)
    fires = reading.at - since >= over and risen >= written(detector.by)
    return Said(fires, not fires, float(risen), over / SECOND)


@judge.register
def _stuck(detector: Stuck, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    value = reading.values[detector.column]
    if value is None:
        return NOTHING
    over = span(detector.over)
    since, _ = _run(detector.column, over, before, reading, lambda one, next: next == one)
    fires = reading.at - since >= over
    return Said(fires, not fires, value, over / SECOND)


@judge.register
def _burst(detector: Burst, before: Sequence[Reading], reading: Reading, conditions: Conditions) -> Said:
    lately = [one for one in [*before, reading] if one.at >= reading.at - span(detector.within)]
    counted = [one for one in lately if not detector.condition or conditions[detector.condition](one.values) is True]
    return _crowd(len(counted), detector.times)


@judge.register
def _back_and_forth(
    detector: BackAndForth, before: Sequence[Reading], reading: Reading, conditions: Conditions
) -> Said:
    if reading.values[detector.column] is None:
        return NOTHING
    within = span(detector.within)
    values = _of(detector.column, [*before, reading])
    undone = 0
    for (earlier, first), (later, second) in pairwise(values):
        if later - earlier <= within and later >= reading.at - within and first + second == 0 and first != 0:
            undone += 1
    return _crowd(undone, detector.times)


def _crowd(count: int, times: int) -> Said:
    return Said(count >= times, 2 * count <= times, count, times)


@dataclass
class Watch:
    """A watch over what silver gains, commit by commit: `alerts` by rule, key and moment of opening."""

    rules: Mapping[str, object]
    conditions: Conditions = field(default_factory=dict)
    alerts: dict[tuple[str, str, int], Raised] = field(default_factory=dict)
    overtaken: int = 0
    _known: dict[str, list[Reading]] = field(default_factory=dict)
    _heard: dict[str, int] = field(default_factory=dict)
    _open: dict[tuple[str, str], int] = field(default_factory=dict)

    def commit(self, readings: Iterable[Reading]) -> None:
        """Each reading is judged as it comes, by those that came before it and are older."""
        for reading in readings:
            known = self._known.setdefault(reading.key, [])
            self._see(reading, sorted((other for other in known if other.at < reading.at), key=lambda other: other.at))
            known.append(reading)

    def turn_the_clock(self, ahead: int = 0) -> None:
        """So many microseconds have gone by since the newest reading."""
        for key, heard in self._heard.items():
            for rule, detector in self.rules.items():
                if isinstance(detector, Silent) and max(self._heard.values()) + ahead - heard > span(detector.after):
                    self._silent(rule, detector, key)

    def _see(self, reading: Reading, before: Sequence[Reading]) -> None:
        heard = self._heard.get(reading.key)
        if heard is not None and reading.at <= heard:
            self.overtaken += 1
        for rule, detector in self.rules.items():
            if not isinstance(detector, Silent):
                self._turn(rule, reading, judge(detector, before, reading, self.conditions))
                continue
            if heard is not None and reading.at <= heard:
                continue
            if heard is not None and reading.at - heard > span(detector.after):
                self._silent(rule, detector, reading.key)
            self._close(rule, reading.key, reading.at)
        self._heard[reading.key] = max(reading.at, heard or reading.at)

    def _turn(self, rule: str, reading: Reading, said: Said) -> None:
        if said.fires and (rule, reading.key) not in self._open:
            assert said.value is not None and said.threshold is not None
            self._opened(rule, reading.key, reading.at, said.value, said.threshold)
        elif said.clears and reading.at >= self._open.get((rule, reading.key), reading.at + 1):
            self._close(rule, reading.key, reading.at)

    def _silent(self, rule: str, detector: Silent, key: str) -> None:
        if (rule, key) not in self._open:
            after = span(detector.after)
            self._opened(rule, key, self._heard[key] + after, after / SECOND, after / SECOND)

    def _opened(self, rule: str, key: str, at: int, value: float, threshold: float) -> None:
        assert (rule, key, at) not in self.alerts
        self._open[rule, key] = at
        self.alerts[rule, key, at] = Raised(value, threshold)

    def _close(self, rule: str, key: str, at: int) -> None:
        if (rule, key) in self._open:
            opened = self._open.pop((rule, key))
            self.alerts[rule, key, opened].closed_at = max(at, opened)
