"""The keys of rows that were accepted lately, which a new row may repeat: read from silver once, then remembered."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from vigie.core.by_key import EVER_SINCE, ByKey

EVER = 2**62
MICROS = "micros"

# The keys and times (`micros`) of silver's rows from one instant to another, as it was at a version.
Read = Callable[[int, int, int], pa.Table]


class RecentKeys:
    """Those of a table, from an instant on. A row from before it is looked for in silver itself."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._since = EVER
        self._forget_before = EVER_SINCE
        self._keys: ByKey | None = None
        self._newest: tuple[int, pa.Table] | None = None  # of the last batch, which may be judged again

    def like(self, keys: pa.Table, low: int, high: int, batch: int, version: int) -> pa.Table:
        """Keys and times of what was accepted from one instant to another before a batch, when its table was at a
        version: all that are among these keys, and it may be others."""
        self._begin(batch)
        if self._keys is None:
            rows = self._read(low, EVER, version)
            self._since, self._keys = low, ByKey(rows.schema, keys.column_names, MICROS)
            self._keys.add(rows)
        if low < max(self._since, self._keys.since):
            return self._read(low, high, version)
        found = self._keys.like(keys.cast(pa.schema([self._keys.schema.field(name) for name in keys.column_names])))
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
        if newest is not None and newest[0] < batch and self._keys is not None:  # or nobody asked yet
            self._keys.add(newest[1], self._forget_before)
