"""Readings in the order of key and time, as columns of numbers, and what is known of those before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.instants import MICROSECOND

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Bools = NDArray[np.bool_]

EVER = timedelta(days=36_600)
LARGEST = 1e150  # the square of what is larger is no number any more
AT_ONCE = 1 << 21  # readings that are laid out beside one another: what fits a processor's cache and no more


def instant(moment: int) -> datetime:
    """When a moment is, of those that readings have."""
    return datetime.fromtimestamp(0, UTC) + moment * MICROSECOND


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of some keys: `key` is a number for each, `moment` is in microseconds, and `is_new` says which are
    to be judged. They are in the order of key, moment and `place`, which tells apart those of one moment: where they
    have no order among themselves, they have one place, too."""

    key: Indices
    moment: Indices
    place: Indices
    is_new: Bools
    columns: Mapping[str, Floats]  # what is missing is no number
    conditions: Mapping[str, Bools]

    def of(self, column: str) -> Series:
        """The readings that have a value in a column; one beyond all measure says as little as none."""
        values = self.columns[column]
        rows = np.flatnonzero(np.abs(values) <= LARGEST)
        return Series(rows, self.key[rows], self.moment[rows], values[rows], np.flatnonzero(self.is_new[rows]))

    def all(self) -> Series:
        """All readings, each with 1."""
        return Series(
            np.arange(len(self.key)), self.key, self.moment, np.ones(len(self.key)), np.flatnonzero(self.is_new)
        )

    def that(self, condition: str) -> Series:
        """All readings, with 1 for those of which a condition holds."""
        rows = np.arange(len(self.key))
        return Series(
            rows, self.key, self.moment, self.conditions[condition].astype(float), np.flatnonzero(self.is_new)
        )


@dataclass(frozen=True, slots=True)
class Gathered:
    """Readings, each with the places of those that belong to it: `count` of them from `begins` on.

    What is summed up here hangs on nothing but these, to the last digit: not on what else is judged at once.
    """

    rows: Indices
    places: Indices
    begins: Indices
    count: Indices

    def total(self, values: Floats) -> Floats:
        """The sum for each reading."""
        return np.add.reduceat(values, self.begins)

    def each(self, value: NDArray[Any]) -> NDArray[Any]:
        """What is known of each reading, beside each of those that belong to it."""
        return np.repeat(value, self.count)


@dataclass(frozen=True, slots=True)
class Span:
    """For each of some readings, the readings from `low` up to `high`, which is not one of them."""

    low: Indices
    high: Indices

    @property
    def count(self) -> Indices:
        return self.high - self.low

    def reduced(self, by: np.ufunc, values: Floats, empty: float) -> Floats:
        """One number for each, by a function of two such as `np.minimum`; `empty` where there is nothing."""
        found = np.full(len(self.low), empty)
        some = self.high > self.low
        bounds = np.column_stack([self.low[some], self.high[some]]).ravel()
        if len(bounds):
            found[some] = by.reduceat(np.append(values, empty), bounds)[::2]
        return found

    def gathered(self) -> Iterator[Gathered]:
        """The places of all of these, one reading's after the other's; some readings at a time."""
        some = np.flatnonzero(self.high > self.low)
        ends = np.cumsum(self.count[some])
        start = 0
        while start < len(some):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + AT_ONCE, "right")))
            rows = some[start:stop]
            count = self.count[rows]
            begins = np.cumsum(count) - count
            yield Gathered(rows, np.repeat(self.low[rows] - begins, count) + np.arange(count.sum()), begins, count)
            start = stop

    def laid_out(self) -> Iterator[tuple[slice, Indices, Bools]]:
        """A table of places, a row for each reading, and which of them belong to it; some rows at a time."""
        start = 0
        while start < len(self.low):
            widest = np.maximum.accumulate(self.count[start : start + AT_ONCE])
            cells = widest * np.arange(1, len(widest) + 1)
            rows = slice(start, start + max(1, int(np.searchsorted(cells, AT_ONCE, "right"))))
            offsets = np.arange(max(1, int(self.count[rows].max())))
            places = self.low[rows, None] + offsets
            belongs = places < self.high[rows, None]
            yield rows, np.where(belongs, places, 0), belongs
            start = rows.stop


@dataclass(frozen=True, slots=True)
class Series:
    """Readings that have a value. `row` is where each stands among all; `new` are the places of those to be judged."""

    row: Indices
    key: Indices
    moment: Indices
    value: Floats
    new: Indices

    def ahead(self, span: timedelta, of: Indices) -> Span:
        """The readings of the same key in a span before each of these, and earlier."""
        order, micros = self._order(span)
        return Span(np.searchsorted(order, order[of] - micros, "left"), np.searchsorted(order, order[of], "left"))

    def during(self, span: timedelta, of: Indices) -> Span:
        """The readings of the same key in a span before each of these, and itself."""
        order, micros = self._order(span)
        return Span(np.searchsorted(order, order[of] - micros, "left"), of + 1)

    def runs(self, goes_on: Callable[[Floats, Floats], Bools], gap: timedelta) -> Indices:
        """Where the run begins that each reading belongs to: as long as `goes_on` holds between a value and the next
        of the same key, and they are no further apart than `gap`."""
        begins = np.ones(len(self.key), bool)
        if len(begins) > 1:
            same = (self.key[1:] == self.key[:-1]) & (np.diff(self.moment) <= gap // MICROSECOND)
            begins[1:] = ~(same & goes_on(self.value[:-1], self.value[1:]))
        return np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))

    def _order(self, span: timedelta) -> tuple[Indices, int]:
        """A number that grows with key and moment as time does, as far as a span; and the span in microseconds.

        What is further apart, or of another key, is a little more than the span apart.
        """
        micros = span // MICROSECOND
        steps = np.minimum(np.diff(self.moment), micros + 1)
        steps[self.key[1:] != self.key[:-1]] = micros + 1
        return np.concatenate([np.zeros(min(1, len(self.key)), np.int64), np.cumsum(steps)]), micros
