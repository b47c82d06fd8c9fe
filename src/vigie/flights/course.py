"""What aircraft did over the minutes to each of their reports: how fast, high and steep they flew, and how they turned.

Window functions would say the same, and take four times as long: each looks again for where its five minutes begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MINUTES = 5
SPAN = MINUTES * 60_000_000
COURSE = (
    "slowest_kmh", "mean_kmh", "fastest_kmh", "lowest_m", "highest_m", "steepest_fall_ms", "steepest_climb_ms",
    "mean_turn_deg_s", "mean_acceleration_ms2",
)  # fmt: skip

Values = NDArray[np.float64]  # one for each report; NaN is what is missing


def with_course(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The reports of a partition, which holds all of each of its aircraft, with their course."""
    parts = list(batches)
    if not any(part.num_rows for part in parts):
        return
    reports = pa.Table.from_batches(parts)
    aircraft = reports["icao24"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    moments = reports["event_timestamp"].cast(pa.int64()).to_numpy()
    order = np.lexsort((moments, aircraft))
    reports = reports.take(pa.array(order))
    figures = {
        name: reports[name].to_numpy().astype(np.float64)
        for name in ("velocity_kmh", "altitude_meters", "vertical_rate_ms", "heading_deg")
    }
    for name, values in _course(aircraft[order], moments[order], figures).items():
        reports = reports.append_column(name, pa.array(values, pa.float64(), mask=np.isnan(values)))
    yield from reports.to_batches()


def _course(aircraft: NDArray[np.int64], moments: NDArray[np.int64], figures: dict[str, Values]) -> dict[str, Values]:
    """Of reports in the order of their aircraft and, for each, of their moments."""
    # On this clock whatever is further apart than the span is just further, aircraft from one another as well.
    steps = np.diff(moments)
    steps[(steps > SPAN) | (np.diff(aircraft) != 0)] = SPAN + 1
    clock = np.concatenate(([0], np.cumsum(steps)))
    lately = _Spans(np.searchsorted(clock, clock - SPAN), np.searchsorted(clock, clock, "right"))
    apart = np.where((steps > 0) & (steps <= SPAN), steps / 1e6, np.nan)
    speed, height, climb, heading = figures.values()
    turned = np.abs(np.mod(np.diff(heading) + 540, 360) - 180)
    faster = np.abs(np.diff(speed)) / 3.6
    rates = (np.append(np.nan, each / apart) for each in (turned, faster))
    found = (
        lately.least(speed), lately.mean(speed), lately.most(speed), lately.least(height), lately.most(height),
        lately.least(climb), lately.most(climb), *map(lately.mean, rates),
    )  # fmt: skip
    return dict(zip(COURSE, found, strict=True))


class _Spans:
    """For each row the rows that it looks at, from a first to before an end: figures of them, but for missing ones."""

    def __init__(self, firsts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self._bounds = np.column_stack((firsts, ends)).ravel()

    def least(self, values: Values) -> Values:
        return self._of(np.fmin, values)

    def most(self, values: Values) -> Values:
        return self._of(np.fmax, values)

    def mean(self, values: Values) -> Values:
        is_there = ~np.isnan(values)
        count = self._of(np.add, is_there.astype(np.float64))
        total = self._of(np.add, np.where(is_there, values, 0.0))
        with np.errstate(invalid="ignore"):
            return total / count  # NaN where there is none

    def _of(self, function: np.ufunc, values: Values) -> Values:
        # `reduceat` also gives what is between an end and the next first, and wants each end to be a row.
        found: Values = function.reduceat(np.append(values, np.nan), self._bounds)[::2]
        return found
