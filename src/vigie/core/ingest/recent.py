"""The keys of rows that were accepted lately, which a new row may repeat: read from silver once, then remembered.

They lie in runs, each in the order of a hash of the key, so that a batch finds the few that may be its own among a
million without a look at the others. A run is merged with the next when that is half as long: so they are few, and what
may be forgotten is, with every half that comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie.core import scratch
from vigie.lake import quoted

EVER = 2**62
MICROS = "micros"

# The keys and times (`micros`) of silver's rows from one instant to another, as it was at a version.
Read = Callable[[int, int, int], pa.Table]


@dataclass(frozen=True, slots=True)
class _Run:
    """Keys and times in the order of the keys' hashes."""

    rows: pa.Table
    hashes: NDArray[np.uint64]

    def like(self, hashes: NDArray[np.uint64]) -> pa.Table:
        """The rows whose hash is one of these, which are in order."""
        low, high = (np.searchsorted(self.hashes, hashes, side) for side in ("left", "right"))
        count = high - low
        places = np.repeat(low - np.cumsum(count) + count, count) + np.arange(count.sum())
        return self.rows.take(pa.array(places))


class RecentKeys:
    """Those of a table, from an instant on. A row from before it is looked for in silver itself."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._since: int | None = None
        self._forget_before = -EVER
        self._runs: list[_Run] = []
        self._newest: tuple[int, pa.Table] | None = None  # of the last batch, which may be judged again

    def like(self, keys: pa.Table, low: int, high: int, batch: int, version: int) -> pa.Table:
        """Keys and times of what was accepted from one instant to another before a batch, when its table was at a
        version: all that are among these keys, and some others."""
        self._begin(batch)
        if self._since is None:
            self._since = low
            self._add(self._read(low, EVER, version))
        if low < self._since:
            return self._read(low, high, version)
        hashes = np.unique(_hashes(keys))
        found = pa.concat_tables([run.like(hashes) for run in self._runs])
        times = found[MICROS]
        return found.filter(pc.and_(pc.greater_equal(times, low), pc.less_equal(times, high)))

    def accepted(self, batch: int, keys: pa.Table, forget_before: int) -> None:
        """These were, with a batch. What is from before an instant will hardly be asked for again."""
        self._begin(batch)
        self._newest, self._forget_before = (batch, keys), forget_before

    def _begin(self, batch: int) -> None:
        """What the batch before it brought is remembered from now on, and not what it brought itself when it is judged
        again."""
        newest, self._newest = self._newest, None
        if newest is None or newest[0] >= batch or self._since is None:
            return  # or nobody asked yet
        self._add(newest[1].cast(self._runs[0].rows.schema))

    def _add(self, rows: pa.Table) -> None:
        hashes = _hashes(rows.drop_columns(MICROS))
        self._runs.append(_ordered(rows, hashes))
        while len(self._runs) > 1 and 2 * len(self._runs[-1].hashes) >= len(self._runs[-2].hashes):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(self._without_the_old(before, last))

    def _without_the_old(self, *runs: _Run) -> _Run:
        """Runs as one, but for what may be forgotten."""
        rows = pa.concat_tables([run.rows for run in runs])
        stays = pc.greater_equal(rows[MICROS], self._forget_before)
        self._since = max(self._since or self._forget_before, self._forget_before)
        hashes = np.concatenate([run.hashes for run in runs])[stays.to_numpy()]
        return _ordered(rows.filter(stays), hashes)


def _hashes(keys: pa.Table) -> NDArray[np.uint64]:
    """The same of keys that are the same."""
    with scratch.database() as database:
        database.register("keys", keys)
        found = database.execute(f"SELECT hash({', '.join(map(quoted, keys.column_names))}) AS hash FROM keys")
        hashes: NDArray[np.uint64] = found.fetchnumpy()["hash"]
    return hashes


def _ordered(rows: pa.Table, hashes: NDArray[np.uint64]) -> _Run:
    order = np.argsort(hashes, kind="stable")  # what is in order already, run by run, is merged
    return _Run(rows.take(pa.array(order)).combine_chunks(), hashes[order])
