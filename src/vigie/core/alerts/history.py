"""What a watch remembers of a silver table: the readings that its rules still look back to, and when each key was
last heard of. All of it can be read from silver again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie.core.by_key import EVER_SINCE, ByKey
from vigie.core.delta import tables
from vigie.instants import MICROSECOND
from vigie.lake import quoted

PLACE = "_place"  # of a reading, among those of one moment


class Past:
    """The readings of a table up to a version, as far back as `looks_back` before the newest.

    `database` has each key's last moment as `heard`; `arrived()` adds what is judged next, and the past of its keys as
    `past`.
    """

    def __init__(self, schema: pa.Schema, looks_back: timedelta, path: Path, key: str, time: str) -> None:
        self.schema = schema
        self.newest: int | None = None
        self.database = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": gettempdir()})
        self._span = looks_back // MICROSECOND
        self._path, self._time = path, pc.field(time)
        self._known = pc.is_valid(pc.field(key)) & pc.is_valid(self._time)
        self._heard = {"key": pc.field(key).cast(pa.string()), "moment": self._time.cast(pa.int64())}
        self._columns = self._heard | {name: pc.field(name) for name in schema.names[2:]}
        self._readings = ByKey(schema, ["key"], "moment")
        self._forget_before = EVER_SINCE
        self._round = 0
        self.database.execute("CREATE TABLE heard (key VARCHAR, moment BIGINT)")

    def recall(self, version: int, until: int | None = None, floor: int | None = None) -> None:
        """Remember the table as it was at a version, or what of it is not after a moment; no further back than whoever
        is told to be late by `floor` is looked back from."""
        everything = self._known if until is None else self._known & (self._time <= _instant(until))
        self.database.register("rows", tables.reader(self._path, everything, self._heard, version))
        self.database.execute(
            "CREATE OR REPLACE TABLE heard AS SELECT key, max(moment) AS moment FROM rows GROUP BY key"
        )
        self.database.unregister("rows")
        self.newest = self._newest_heard()
        if self.newest is not None:
            self.forget(self.newest if floor is None else floor)
            since = self._time >= _instant(self._forget_before) if self._forget_before > EVER_SINCE else everything
            self._readings.add(self._read(everything & since, version))

    def forget(self, floor: int) -> None:
        """What is further back than the span before a moment: everything that is to come is told to be late by that, or
        comes after it."""
        self._forget_before = max(floor - self._span, EVER_SINCE)

    def between(self, version: int, after: int, until: int) -> pa.Table:
        """Readings of the table as it was at a version: those after a moment, up to another."""
        return self._read(self._known & (self._time > _instant(after)) & (self._time <= _instant(until)), version)

    def next_moment(self, version: int, after: int, readings: int) -> int | None:
        """The moment up to which so many readings follow another in time, or a few more; none when none do."""
        later = self._known & (self._time > _instant(after))
        self.database.register("rows", tables.reader(self._path, later, self._heard, version))
        found = self.database.execute(
            "SELECT max(moment) FROM (SELECT moment FROM rows ORDER BY moment LIMIT $1)", [readings]
        ).fetchall()
        self.database.unregister("rows")
        return None if found[0][0] is None else int(found[0][0])

    def _read(self, wanted: pc.Expression, version: int) -> pa.Table:
        return tables.reader(self._path, wanted, self._columns, version).read_all().cast(self.schema)

    def rounds(self, rows: pa.Table, *, are_ordered: bool) -> Iterator[pa.Table]:
        """The readings in the order in which they came, cut where one of a key is older than the one before it.

        So each is judged by those that came before it, and it makes no difference how many are looked at together.
        Those of one moment are told apart by their place, unless they have no order among themselves.
        """
        if not rows.num_rows:
            return
        codes = rows["key"].combine_chunks().dictionary_encode().indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        key, moment = codes[order], rows["moment"].to_numpy()[order]
        is_first = np.r_[True, key[1:] != key[:-1]]
        falls = np.r_[False, moment[1:] < moment[:-1]] & ~is_first
        fallen = np.cumsum(falls)
        of_key = np.empty(len(order), np.int64)
        of_key[order] = fallen - np.maximum.accumulate(np.where(is_first, fallen, 0))
        places = np.arange(len(order)) if are_ordered else np.zeros(len(order), np.int64)
        rows = rows.append_column(PLACE, pa.array(places))
        try:
            for self._round in range(int(of_key.max()) + 1):
                if self._round == 1:
                    self._keep_at_hand(rows, of_key)
                yield rows.filter(pa.array(of_key == self._round)) if of_key.any() else rows
        finally:
            if self._round:
                self.database.execute("DROP VIEW IF EXISTS arrived; DROP VIEW IF EXISTS past")
            self._round = 0
            self.database.execute(
                "CREATE OR REPLACE TABLE heard AS SELECT key, max(moment) AS moment FROM heard GROUP BY key"
            )

    def _keep_at_hand(self, rows: pa.Table, of_key: NDArray[np.int64]) -> None:
        """Later rounds are many, and of few keys: their readings and the past of those keys, where DuckDB has not to
        look for them in Arrow each time."""
        later = rows.append_column("round", pa.array(of_key)).filter(pa.array(of_key > 0))
        past = self._past_of(later)
        for name, found in (("later", later), ("past_of_few", past)):
            self.database.register("rows", found)
            self.database.execute(f"CREATE OR REPLACE TABLE {name} AS FROM rows")
            self.database.unregister("rows")
        for name in ("arrived", "past"):
            self.database.unregister(name)

    def arrived(self, rows: pa.Table) -> int:
        """Take these in hand as `arrived`; those newer than any of their key as `fresh`, too, with when that one
        was `heard`. How many were overtaken by a newer one of their key."""
        if self._round:
            this = f"SELECT * EXCLUDE (round) FROM later WHERE round = {self._round}"
            self.database.execute(f"CREATE OR REPLACE TEMP VIEW arrived AS {this}")
            self.database.execute("CREATE OR REPLACE TEMP VIEW past AS FROM past_of_few")
        else:
            self.database.register("arrived", rows)
            self.database.register("past", self._past_of(rows))
        self.database.execute(
            """CREATE OR REPLACE TABLE fresh AS SELECT DISTINCT ON (key, moment) arrived.*, last.moment AS heard_at
            FROM arrived LEFT JOIN (
                SELECT key, max(moment) AS moment FROM heard WHERE key IN (SELECT key FROM arrived) GROUP BY key
            ) AS last USING (key)
            WHERE last.moment IS NULL OR arrived.moment > last.moment"""
        )
        [(count,)] = self.database.execute("SELECT count(*) FROM fresh").fetchall()
        return int(rows.num_rows - count)

    def _past_of(self, rows: pa.Table) -> pa.Table:
        """What is remembered of the keys of these; all of it came before them."""
        past = self._readings.like(rows.select(["key"]))
        return past.append_column(PLACE, pa.array(np.arange(-past.num_rows, 0)))

    def newest_of(self, column: str, keys: Sequence[str], arrived: pa.Table) -> dict[str, str]:
        """The newest value of a column for each of these keys, in the past and in what arrived; as text."""
        wanted = pa.table({"key": pa.array(keys, pa.string())})
        rows = pa.concat_tables([self._readings.like(wanted), arrived.select(self.schema.names)])
        self.database.register("everything", rows)
        self.database.register("keys", wanted)
        found = self.database.execute(
            f"""SELECT key, CAST(arg_max({quoted(column)}, moment) AS VARCHAR) FROM everything
            WHERE key IN (SELECT key FROM keys) GROUP BY key"""
        ).fetchall()
        return dict(found)

    def remember(self, rows: pa.Table) -> None:
        """What arrived belongs to the past from now on."""
        self.database.execute("INSERT INTO heard SELECT key, moment FROM fresh")
        newest = int(pc.max(rows["moment"]).as_py())
        self.newest = newest if self.newest is None else max(self.newest, newest)
        self._readings.add(rows.select(self.schema.names), self._forget_before)
        if self._round:
            self.database.execute("INSERT INTO past_of_few FROM arrived")

    def _newest_heard(self) -> int | None:
        [(newest,)] = self.database.execute("SELECT max(moment) FROM heard").fetchall()
        return None if newest is None else int(newest)


def _instant(moment: int) -> pa.Scalar:
    return pa.scalar(moment, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
