"""What a table that looks back at the last rows of each key needs of the rows before a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from vigie.arrow_types import INSTANT
from vigie.core import scratch
from vigie.graph import Last
from vigie.lake import quoted

Read = Callable[[], Iterable[pa.Table]]


class Carried:
    """The last rows of each key before a moment. A batch leaves them for the one that follows it; whoever comes first,
    or does a batch again, reads them."""

    def __init__(self, last: Last, time: str) -> None:
        self._last, self._time = last, time
        self._moment: int | None = None
        self._rows: pa.Table | None = None

    def before(self, moment: int, read: Read) -> list[pa.Table]:
        """Those before a moment; `read` gives the rows of the span before it, some at a time."""
        if not self.stands_at(moment):
            self._moment, self._rows = moment, None
            for rows in read():
                self._rows = self._newest(rows if self._rows is None else pa.concat_tables([self._rows, rows]))
        return [] if self._rows is None else [self._rows]

    @property
    def count(self) -> int:
        """How many there are, or were last."""
        return 0 if self._rows is None else self._rows.num_rows

    def stands_at(self, moment: int) -> bool:
        """Whether they need not be read."""
        return self._moment == moment and self._rows is not None

    def leave(self, moment: int, rows: pa.Table, since: int) -> None:
        """For the batch that begins at a moment: of these rows, and none of before `since`."""
        self._moment, self._rows = moment, self._newest(rows, since)

    def _newest(self, rows: pa.Table, since: int | None = None) -> pa.Table:
        """The last of each key, as many as are wanted; those of one moment are not told apart, and stay together."""
        micros = rows[self._time].cast(INSTANT).cast(pa.int64())
        told = rows.select(list(self._last.key)).append_column("micros of it", micros)
        told = told.append_column("row of it", pa.array(np.arange(len(rows))))
        keys = ", ".join(map(quoted, self._last.key))
        with scratch.database() as database:
            database.register("told", told)
            found = database.execute(
                f"""SELECT "row of it" FROM told WHERE $1 IS NULL OR "micros of it" >= $1
                QUALIFY rank() OVER (PARTITION BY {keys} ORDER BY "micros of it" DESC) <= {self._last.rows}""",
                [since],
            ).fetchnumpy()["row of it"]
        return rows.take(pa.array(np.sort(found), pa.int64())).combine_chunks()
