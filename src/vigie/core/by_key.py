"""Rows that are held in memory and found by their key, a few among millions.

They lie in runs, each in the order of a hash of the key. A run is put together with the one before it when it is half
as long: so there are few, and with every half that comes what is too old is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie.core import scratch
from vigie.lake import quoted

EVER_SINCE = -(2**62)


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows in the order of their keys' hashes; those of one key in the order in which they came."""

    rows: pa.Table
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, rows: pa.Table, hashes: NDArray[np.uint64]) -> _Run:
        order = np.argsort(hashes, kind="stable")  # what is in order already, run by run, is merged
        return cls(rows.take(pa.array(order)).combine_chunks(), hashes[order])

    def like(self, hashes: NDArray[np.uint64]) -> pa.Table:
        """The rows whose hash is one of these, which are in order."""
        low, high = (np.searchsorted(self.hashes, hashes, side) for side in ("left", "right"))
        count = high - low
        places = np.repeat(low - np.cumsum(count) + count, count) + np.arange(count.sum())
        return self.rows.take(pa.array(places))


class ByKey:
    """Rows by the columns of their key, and with a moment, as a whole number. `since` is from when on all are there."""

    def __init__(self, schema: pa.Schema, key: Sequence[str], moment: str) -> None:
        self.schema = schema
        self.since = EVER_SINCE
        self._key, self._moment = list(key), moment
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        return sum(len(run.hashes) for run in self._runs)

    def add(self, rows: pa.Table, forget_before: int = EVER_SINCE) -> None:
        """Rows, of which those of before a moment need not be held, nor any that are."""
        rows = rows.cast(self.schema)
        self._runs.append(_Run.of(rows, _hashes(rows.select(self._key))))
        while len(self._runs) > 1 and 2 * len(self._runs[-1].hashes) >= len(self._runs[-2].hashes):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(self._together(before, last, forget_before))

    def _together(self, before: _Run, last: _Run, forget_before: int) -> _Run:
        rows, hashes = pa.concat_tables([before.rows, last.rows]), np.concatenate([before.hashes, last.hashes])
        stays = pc.greater_equal(rows[self._moment], forget_before)
        self.since = max(self.since, forget_before)
        return _Run.of(rows.filter(stays), hashes[stays.to_numpy()])

    def like(self, keys: pa.Table) -> pa.Table:
        """All rows that have one of these keys, those of one key in the order in which they came; and it may be others,
        whose keys have the same hash."""
        hashes = np.unique(_hashes(keys))
        return pa.concat_tables([self.schema.empty_table(), *(run.like(hashes) for run in self._runs)])


def _hashes(keys: pa.Table) -> NDArray[np.uint64]:
    """The same of keys that are the same."""
    with scratch.database() as database:
        database.register("keys", keys)
        found = database.execute(f"SELECT hash({', '.join(map(quoted, keys.column_names))}) AS hash FROM keys")
        hashes: NDArray[np.uint64] = found.fetchnumpy()["hash"]
    return hashes
