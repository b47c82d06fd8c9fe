"""What raises an alert, by hand: thirteen rules over the readings of one sensor, a column at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Readings = NDArray[Any]  # of READING, in the order of time

READING = np.dtype([("at", "i8"), ("temperature_c", "f8"), ("humidity_pct", "f8"), ("is_alert", "?")])
MINUTE = 60_000_000  # instants are in microseconds
REMEMBERED = 60 * MINUTE  # as far as any rule looks back: a rise of 15 minutes to 30, a stuck value to 60
USUAL, FEWEST = 30 * MINUTE, 10
MAD_TO_SIGMA = 1.4826
ROUNDING = 1e-9  # a mean of equal values may differ from them in the last digit


class Turn(NamedTuple):
    """A rule that begins or ceases to fire."""

    rule: str
    fires: bool
    at: int
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Signs:
    """Where a rule fires and where it is over, a truth for each new reading; between the two, nothing changes."""

    rule: str
    fires: Truths
    clears: Truths
    value: Floats
    threshold: Floats | float


def turns(readings: Readings, new: int, firing: set[str]) -> Iterator[Turn]:
    """Which rules turn with the last `new` of these readings; `firing` is brought to where they are then."""
    for signs in _signs(readings, new):
        if signs.rule in firing or signs.fires.any():
            yield from _turns(signs, readings["at"][-new:], firing)
    yield from _silences(readings["at"], new)


def _turns(signs: Signs, at: NDArray[np.int64], firing: set[str]) -> Iterator[Turn]:
    said = np.flatnonzero(signs.fires | signs.clears)
    fires = signs.fires[said]
    before = np.concatenate(([signs.rule in firing], fires[:-1]))
    thresholds = np.broadcast_to(signs.threshold, at.shape)
    for where, is_on in zip(said[fires != before].tolist(), fires[fires != before].tolist(), strict=True):
        yield Turn(signs.rule, is_on, int(at[where]), float(signs.value[where]), float(thresholds[where]))
    if len(fires):
        (firing.add if fires[-1] else firing.discard)(signs.rule)


def _silences(at: NDArray[np.int64], new: int) -> Iterator[Turn]:
    """Ten minutes without a reading: found with the reading that ends them."""
    longest = 10 * MINUTE
    known = at[-new - 1 :]
    for gap in np.flatnonzero(np.diff(known) > longest).tolist():
        yield Turn("SILENT", True, int(known[gap]) + longest, 600.0, 600.0)
        yield Turn("SILENT", False, int(known[gap + 1]), 600.0, 600.0)


def _signs(readings: Readings, new: int) -> Iterator[Signs]:
    at, every = readings["at"], readings["temperature_c"]
    celsius, humidity = every[-new:], readings["humidity_pct"][-new:]
    yield Signs("HIGH_TEMP", celsius > 30, celsius <= 29, celsius, 30)
    yield Signs("LOW_TEMP", celsius < 10, celsius >= 11, celsius, 10)
    yield Signs("HIGH_HUMIDITY", humidity > 80, humidity <= 78, humidity, 80)
    yield _sudden(at, every, new)
    yield from _unusual(at, every, new)
    yield _in_a_row(at, readings["is_alert"], new)
    for rule, dips, by in (("RISING", 0, 0), ("WARMING", 0.1, 2)):
        rises = np.diff(every, prepend=np.nan) > ROUNDING - dips
        since, first = _unbroken(rises, at, every, new, 15 * MINUTE)
        risen = celsius - first
        yield _lasting(rule, (at[-new:] - since >= 15 * MINUTE) & (risen >= by - ROUNDING), risen, 900)
    stays = np.diff(every, prepend=np.nan) == 0
    since, _ = _unbroken(stays, at, every, new, 30 * MINUTE)
    yield _lasting("STUCK", at[-new:] - since >= 30 * MINUTE, celsius, 1_800)


def _lasting(rule: str, fires: Truths, value: Floats, threshold: float) -> Signs:
    return Signs(rule, fires, ~fires, value, threshold)


def _sudden(at: NDArray[np.int64], celsius: Floats, new: int) -> Signs:
    """More than 5 °C away from any reading of the minute before."""
    lately = _lately(at, celsius, new, MINUTE, with_own=True)
    own = celsius[-new:]
    risen, fallen = own - np.nanmin(lately, axis=1), np.nanmax(lately, axis=1) - own
    return _lasting(
        "SUDDEN_CHANGE", np.maximum(risen, fallen) > 5 + ROUNDING, np.where(risen >= fallen, risen, -fallen), 5
    )


def _unusual(at: NDArray[np.int64], celsius: Floats, new: int) -> Iterator[Signs]:
    """Unlike the half hour before: by mean and standard deviation, and by median and deviations from it."""
    usual = np.sort(_lately(at, celsius, new, USUAL, with_own=False), axis=1)  # what is missing comes last
    own, known = celsius[-new:], np.count_nonzero(~np.isnan(usual), axis=1)
    enough, some = known >= FEWEST, np.maximum(known, 1)
    there = np.arange(usual.shape[1]) < known[:, None]
    mean = np.where(there, usual, 0).sum(axis=1) / some
    squares = np.where(there, usual - mean[:, None], 0) ** 2
    sigma, over = np.sqrt(squares.sum(axis=1) / np.maximum(known - 1, 1)), own - mean
    sides = ("DYNAMIC_THRESHOLD", 2 * sigma, over), ("UNUSUALLY_WARM", np.maximum(2 * sigma, 1.5), over)
    for rule, most, off in (*sides, ("OUTLIER", 3 * sigma, np.abs(over))):
        rounding = ROUNDING * (most + np.abs(mean))
        fires = enough & (off > most + rounding)
        yield Signs(rule, fires, ~enough | (off <= most / 2 + rounding), own, mean + np.copysign(most, over))

    median = _middle(usual, some)
    off = own - median
    spread = _middle(np.sort(np.abs(usual - median[:, None]), axis=1), some)
    deviation = np.maximum(MAD_TO_SIGMA * spread, 0.5)
    fires = enough & (np.abs(off) > 3 * deviation)
    yield Signs("FAR_FROM_MEDIAN", fires, ~enough | (np.abs(off) <= 1.5 * deviation), off / deviation, 3)


def _in_a_row(at: NDArray[np.int64], is_alert: Truths, new: int) -> Signs:
    these = np.concatenate((np.zeros(2, bool), is_alert))
    all_three = these[:-2] & these[1:-1] & these[2:]
    since = np.concatenate((at[:1], at[:1], at))[: len(at)]
    fires = (all_three & (at - since <= 60 * MINUTE))[-new:]
    return Signs("THREE_IN_A_ROW", fires, ~is_alert[-new:], np.full(new, 3.0), 3)


def _unbroken(
    goes_on: Truths, at: NDArray[np.int64], values: Floats, new: int, span: int
) -> tuple[NDArray[np.int64], Floats]:
    """Since when each new reading belongs to a run without a break, and the value at its beginning; of a long run no
    more than twice the span counts."""
    broken = ~(goes_on & (np.diff(at, prepend=at[0] - 2 * span) <= span))
    began = np.maximum.accumulate(np.where(broken, np.arange(len(at)), 0))[-new:]
    oldest = np.searchsorted(at, at[-new:] - 2 * span)
    begin = np.maximum(began, oldest)
    return at[begin], values[begin]


def _lately(at: NDArray[np.int64], values: Floats, new: int, span: int, with_own: bool) -> Floats:
    """A row for each new reading: the values of the span before it, and nothing in the places that are over."""
    ends = np.arange(len(at) - new, len(at)) + (1 if with_own else 0)
    begins = np.searchsorted(at, at[-new:] - span)
    width = max(int((ends - begins).max()), 1)
    places = ends[:, None] - width + np.arange(width)
    return np.where(places >= begins[:, None], values[np.maximum(places, 0)], np.nan)


def _middle(ordered: Floats, known: NDArray[np.int64]) -> Floats:
    """The median of the first `known` values of each row."""
    rows = np.arange(len(ordered))
    middle: Floats = (ordered[rows, (known - 1) // 2] + ordered[rows, known // 2]) / 2
    return middle
