"""What becomes of each row on its way into a silver table: broken, late, a repeat, or accepted; in that order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vigie.core import scratch
from vigie.core.progress import NEVER, late

ACCEPTED, BROKEN, LATE, REPEAT = range(4)

# The keys and times of accepted rows between two instants (microseconds), as `u0`, `u1` ... and `micros`: all that have
# one of these keys, and it may be others.
Known = Callable[[pa.Table, int, int], pa.Table]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of each row, in the order in which they were told."""

    verdict: NDArray[np.int8]

    def count(self, verdict: int) -> int:
        return int((self.verdict == verdict).sum())

    def rows(self, verdict: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.verdict == verdict)


def judged(
    broken: NDArray[np.bool_],
    times: NDArray[np.int64],
    until: NDArray[np.int64],
    watermark: int,
    keys: pa.Table,
    known: Known,
) -> Verdicts:
    """The verdict on every row, rows of a partition standing in its order.

    `until` is how far each row's partition had come before it; `keys` what is unique within the watermark (no column
    where nothing is), and `known` those of what was accepted before.
    """
    verdict = np.full(len(broken), ACCEPTED, np.int8)
    verdict[late(times, until, watermark)] = LATE
    verdict[broken] = BROKEN
    if keys.num_columns:
        good = np.flatnonzero(verdict == ACCEPTED)
        verdict[good[_repeats(keys.take(pa.array(good)), times[good], watermark, known)]] = REPEAT
    return Verdicts(verdict)


def _repeats(keys: pa.Table, times: NDArray[np.int64], watermark: int, known: Known) -> NDArray[np.int64]:
    """The rows that have the key of an accepted one before them, no further away in time than the watermark."""
    if not len(times):
        return np.empty(0, np.int64)
    names = keys.column_names
    same = " AND ".join(f'one."{name}" IS NOT DISTINCT FROM other."{name}"' for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    with scratch.database() as database:
        database.register(
            "told",
            keys.append_column("micros", pa.array(times)).append_column("row", pa.array(np.arange(len(times)))),
        )
        low, high = int(times.min()) - watermark, int(times.max()) + watermark
        database.register("known", known(keys, max(low, NEVER), high))
        met = database.execute(
            f"""SELECT row FROM told AS one WHERE EXISTS (SELECT 1 FROM known AS other
                WHERE {same} AND abs(one.micros - other.micros) <= {watermark})"""
        ).fetchnumpy()["row"]
        # Of those that are left, a key that stands once is no repeat.
        database.register("met", pa.table({"row": pa.array(met, pa.int64())}))
        again = database.execute(
            f"""SELECT row, micros, dense_rank() OVER (ORDER BY {columns}) AS key FROM told
            WHERE row NOT IN (SELECT row FROM met)
            QUALIFY count(*) OVER (PARTITION BY {columns}) > 1 ORDER BY key, row"""
        ).fetchnumpy()
    within = _within(again["row"], again["micros"], again["key"], watermark)
    return np.concatenate([np.asarray(met, np.int64), within])


def _within(
    rows: NDArray[np.int64], times: NDArray[np.int64], keys: NDArray[np.int64], watermark: int
) -> NDArray[np.int64]:
    """The repeats among rows of keys that stand several times, in the order of their keys. Where all of a key are near,
    as most are, they are all but the first; the others are looked at one by one."""
    if not len(rows):
        return np.empty(0, np.int64)
    is_first = np.r_[True, keys[1:] != keys[:-1]]
    starts = np.flatnonzero(is_first)
    spans = np.maximum.reduceat(times, starts) - np.minimum.reduceat(times, starts)
    are_near = (spans <= watermark)[np.cumsum(is_first) - 1]
    apart = ~are_near
    return np.concatenate([
        rows[are_near & ~is_first].astype(np.int64),
        _one_by_one(rows[apart], times[apart], keys[apart], watermark),
    ])  # fmt: skip


def _one_by_one(
    rows: NDArray[np.int64], times: NDArray[np.int64], keys: NDArray[np.int64], watermark: int
) -> NDArray[np.int64]:
    """The repeats among rows of keys that stand several times: a repeat is not what another row is held to."""
    found: list[int] = []
    taken: list[int] = []
    key = None
    for row, time, of in zip(rows.tolist(), times.tolist(), keys.tolist(), strict=True):
        if of != key:
            key, taken = of, []
        if any(abs(time - other) <= watermark for other in taken):
            found.append(row)
        else:
            taken.append(time)
    return np.array(found, np.int64)
