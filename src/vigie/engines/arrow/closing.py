"""What a gold table gives with a batch, worked out of tables that are read here, a bounded part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT
from vigie.core import scratch
from vigie.core.delta import tables
from vigie.core.delta.snapshot import Snapshot, Within
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, Read, TooLong, Work
from vigie.core.gold.windows import longest
from vigie.core.moments import instant
from vigie.core.progress import NEVER
from vigie.engines.arrow.carried import Carried

AT_ONCE = 500_000  # rows that the function is given together
SOON_READ = 2_000_000  # rows, of which the last of each key are kept


class Closing:
    """Gives one gold table's rows; what a table that looks back leaves for its next batch is kept."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine, self._path = engine, path
        self._carried: Carried | None = None

    def takes(self, work: Work, most: int) -> bool:
        """Whether the function is given no more than so many rows here, and what it looks back at is soon read."""
        rows = sum(Snapshot(each.path, each.version).most()[0] for each in work.beside)
        if work.last is None or work.after == NEVER:
            return rows <= most and rows + _count(work, self._since(work, work.after), work.until, most) <= most
        if self._carried is not None:
            rows += self._carried.count
        if rows > most or rows + _count(work, work.after, work.until, most) > most:
            return False
        stands_there = self._carried is not None and self._carried.stands_at(work.after)
        return stands_there or _count(work, work.after - work.looks_back, work.after, SOON_READ) <= SOON_READ

    def give(self, work: Work, stamp: Stamp) -> None:
        if work.last and self._carried is None:
            self._carried = Carried(work.last, work.reads.time)
        beside = [Snapshot(each.path, each.version) for each in work.beside]
        whole = [
            table.reader(None, _named(table, each)).read_all() for table, each in zip(beside, work.beside, strict=True)
        ]
        schema = Snapshot(self._path).schema
        parts = [schema.empty_table()]
        for after, until in self._spans(work):
            found = self._engine.evaluate(work.function, self._rows(work, after, until), *whole)
            parts.append(_closed(work, found, after, until).select(schema.names).cast(schema))
        tables.append_arrow(pa.concat_tables(parts), self._path, stamp)

    def _spans(self, work: Work) -> Iterator[tuple[int, int]]:
        """The batch's span of time, in parts that hold about so many rows."""
        read = Snapshot(work.reads.path, work.reads.version)
        since, cuts, time = self._since(work, work.after), list[int](), work.reads.time
        within = Within(time, since, work.until)
        parts = -(-read.most(within)[0] // AT_ONCE)
        if parts > 1:
            moment = {"moment": pc.field(time).cast(pa.int64())}
            moments = read.reader(_between(time, since, work.until), moment, within).read_all()
            with scratch.database() as database:
                database.register("moments", moments)
                shares = [at / parts for at in range(1, parts)]
                [(found,)] = database.execute("SELECT quantile_disc(moment, $1) FROM moments", [shares]).fetchall()
                cuts = [cut for cut in sorted(set(found or [])) if work.after < cut < work.until]
        bounds = [work.after, *cuts, work.until]
        yield from zip(bounds[:-1], bounds[1:], strict=True)

    def _since(self, work: Work, after: int) -> int:
        """From where on rows are read of which the table is worked out after a moment."""
        return NEVER if after == NEVER else after - (0 if self._carried else work.looks_back)

    def _rows(self, work: Work, after: int, until: int) -> pa.Table:
        """The rows that what closes in a span is worked out from: those of them that were not late."""
        read = Snapshot(work.reads.path, work.reads.version)
        rows = _in_time(work, read, self._since(work, after), until).read_all()
        if self._carried is None:
            return rows

        def span_before() -> Iterator[pa.Table]:
            reader = _in_time(work, read, after - work.looks_back, after)
            return (pa.Table.from_batches([batch]) for batch in reader if batch.num_rows)

        before = [] if after == NEVER else self._carried.before(after, span_before)
        rows = pa.concat_tables([*before, rows])
        self._carried.leave(until, rows, until - work.looks_back)
        return rows


def _count(work: Work, since: int, until: int, most: int) -> int:
    """How many rows there are from one moment to another, or more than `most`; late ones, too."""
    read, within = Snapshot(work.reads.path, work.reads.version), Within(work.reads.time, since, until)
    rows = read.most(within)[0]
    if rows > most:  # in files that hold others, too
        rows = 0
        for batch in read.reader(_between(work.reads.time, since, until), {}, within):
            rows += batch.num_rows
            if rows > most:
                break
    return rows


def _in_time(work: Work, read: Snapshot, since: int, until: int) -> pa.RecordBatchReader:
    """The rows from one moment to another, which is not one of them, that were not late."""
    time, seen = work.reads.time, work.reads.seen
    wanted = _between(time, since, until)
    if seen is not None:
        in_time = pc.field(time).cast(pa.int64()) >= pc.field(seen).cast(pa.int64()) - pa.scalar(work.watermark)
        wanted = wanted & (pc.field(seen).is_null() | in_time)
    return read.reader(wanted, _named(read, work.reads), Within(time, since, until))


def _closed(work: Work, found: pa.Table, after: int, until: int) -> pa.Table:
    """What closed after one moment and up to another; a row of its own is closed once nothing older can come."""
    moments = pc.fill_null(found[work.closed_by].cast(INSTANT).cast(pa.int64()), until).to_numpy()
    is_closed = (moments > after) & (moments <= until) if work.is_windowed else (moments >= after) & (moments < until)
    closed = found.filter(pa.array(is_closed, pa.bool_()))
    if work.is_windowed and longest(closed) > work.looks_back:
        raise TooLong
    return closed


def _between(time: str, since: int, until: int) -> pc.Expression:
    wanted = pc.field(time) < instant(until)
    return wanted if since == NEVER else wanted & (pc.field(time) >= instant(since))


def _named(table: Snapshot, read: Read) -> dict[str, pc.Expression]:
    return {name: pc.field(name) for name in table.schema.names if name in read.columns}
