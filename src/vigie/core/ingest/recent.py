"""The keys of rows that were accepted lately, which a new row may repeat: read from silver once, then remembered."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

CHUNKS = 64  # of keys, before they are put together
EVER = 2**62

# The keys and times (`micros`) of silver's rows from one instant to another, as it was at a version.
Read = Callable[[int, int, int], pa.Table]


class RecentKeys:
    """Those of a table, from an instant on. A row from before it is looked for in silver itself."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._since: int | None = None
        self._forget_before = 0
        self._keys: pa.Table | None = None
        self._newest: tuple[int, pa.Table] | None = None  # of the last batch, which may be judged again

    def between(self, low: int, high: int, batch: int, version: int) -> pa.Table:
        """Keys and times of what was accepted from one instant to another before a batch, when its table was at a
        version."""
        self._begin(batch)
        if self._since is None or self._keys is None:
            self._since, self._keys = low, self._read(low, EVER, version)
        if low < self._since:
            return self._read(low, high, version)
        times = self._keys["micros"]
        return self._keys.filter(pc.and_(pc.greater_equal(times, low), pc.less_equal(times, high)))

    def accepted(self, batch: int, keys: pa.Table, forget_before: int) -> None:
        """These were, with a batch. What is from before an instant will hardly be asked for again."""
        self._begin(batch)
        self._newest, self._forget_before = (batch, keys), forget_before

    def _begin(self, batch: int) -> None:
        """What the batch before it brought is remembered from now on, and not what it brought itself when it is judged
        again."""
        newest, self._newest = self._newest, None
        if newest is None or newest[0] >= batch or self._since is None or self._keys is None:
            return  # or nobody asked yet
        _, keys = newest
        self._keys = pa.concat_tables([self._keys, keys.cast(self._keys.schema)])
        if self._keys["micros"].num_chunks > CHUNKS:
            recent = pc.greater_equal(self._keys["micros"], self._forget_before)
            self._keys = self._keys.filter(recent).combine_chunks()
            self._since = max(self._since, self._forget_before)
