"""The rows that a silver table makes of a batch, judged in this process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie.arrow_types import INSTANT, arrow_schema
from vigie.core.delta import tables
from vigie.core.delta.snapshot import Within
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine, NotComputed
from vigie.core.ingest import quarantine
from vigie.core.ingest.parsing import parsed_schema
from vigie.core.ingest.shaping import SEEN, broken_by, not_the_same, shaped
from vigie.core.ingest.verdict import ACCEPTED, BROKEN, Verdicts, judged
from vigie.core.moments import instant, micros_in
from vigie.core.notes import TablePlan
from vigie.core.progress import NEVER, Seen, seen
from vigie.duration import parse_duration
from vigie.engines.arrow.recent import RecentKeys
from vigie.graph import Silver
from vigie.graph import Source as Declared
from vigie.instants import MICROSECOND

MADE = [("_origin", pa.struct([("row", pa.int64())])), ("_rules", pa.list_(pa.string()))]  # beside a table's columns

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of a batch as they came, in the order of their partitions, and as they were parsed."""

    bronze: pa.Table
    partitions: pa.Array | pa.ChunkedArray
    received: NDArray[np.int64]
    arrived: NDArray[np.int64]
    parsed: pa.Table


class Judge:
    """Of one silver table: its function, and the keys that a row may repeat."""

    def __init__(self, engine: Engine, path: Path, declared: Declared, table: Silver) -> None:
        self._engine, self._path, self._declared, self._table = engine, path, declared, table
        self._columns = arrow_schema(table.schema)
        self._made = pa.schema([*self._columns, *MADE])
        self._ahead = parse_duration(declared.future) // MICROSECOND  # that a message may be of its receipt
        self._watermark = None if table.late_by is None else parse_duration(table.late_by) // MICROSECOND
        self._recent = RecentKeys(self._read_keys)

    def check(self) -> None:
        self._evaluated(nothing(arrow_schema(self._declared.schema)))

    def judged(self, messages: Messages, plan: TablePlan, number: int) -> JudgedRows:
        rows = self._shaped(messages.parsed)
        broken = pc.greater(pc.list_value_length(rows["_rules"]), 0).to_numpy(zero_copy_only=False)
        times = self._times(rows)
        credible = ~broken & (times <= messages.received + self._ahead)
        told = seen(messages.partitions, times, credible, plan.progress, plan.floor)
        found = self._verdicts(rows, times, told, broken, plan, number)
        self._remember(number, rows, times, found.rows(ACCEPTED), plan.floor)
        return JudgedRows(self._declared, self._table, messages, rows, times, told, found)

    def _shaped(self, parsed: pa.Table) -> pa.Table:
        """What the table's function makes of each message, in the order of the messages."""
        made = self._evaluated(parsed)
        numbers = made["_origin"].combine_chunks().field("row").to_numpy()
        order = np.argsort(numbers, kind="stable")
        if not np.array_equal(numbers[order], np.arange(parsed.num_rows)):
            raise not_the_same(self._table, parsed.num_rows, made.num_rows)
        return made.take(pa.array(order))

    def _evaluated(self, parsed: pa.Table) -> pa.Table:
        """The rows in no order. Where the function raises, what it was given is halved until the row stands alone."""
        try:
            return self._engine.evaluate(partial(shaped, self._table, self._declared), parsed).cast(self._made)
        except NotComputed as problem:
            if not parsed.num_rows:
                raise
            if parsed.num_rows == 1:
                return self._not_computed(parsed, str(problem))
            middle = parsed.num_rows // 2
            return pa.concat_tables([self._evaluated(parsed.slice(0, middle)), self._evaluated(parsed.slice(middle))])

    def _not_computed(self, row: pa.Table, why: str) -> pa.Table:
        """A row that the function raises on, as one that breaks a rule."""
        log.warning("%s: a row cannot be computed, and goes to quarantine: %s", self._table.table, why)
        rules = pa.array([broken_by(row["_broken"][0].as_py(), why)], pa.list_(pa.string()))
        columns = [pa.nulls(1, kind) for kind in self._columns.types]
        return pa.table([*columns, row["_origin"], rules], schema=self._made)

    def _times(self, rows: pa.Table) -> NDArray[np.int64]:
        if self._table.event_time is None:
            return np.full(rows.num_rows, NEVER)
        return micros_in(rows[self._table.event_time])

    def _verdicts(  # noqa: PLR0913, PLR0917
        self,
        rows: pa.Table,
        times: NDArray[np.int64],
        told: Seen,
        broken: NDArray[np.bool_],
        plan: TablePlan,
        number: int,
    ) -> Verdicts:
        if self._watermark is None:
            until, watermark = np.full(len(times), NEVER), 0
        else:
            until, watermark = told.until, self._watermark

        def known(keys: pa.Table, low: int, high: int) -> pa.Table:
            return self._recent.like(keys, low, high, number, plan.version)

        return judged(broken, times, until, watermark, self._keys(rows), known)

    def _keys(self, rows: pa.Table) -> pa.Table:
        return rows.select(list(self._table.unique)).rename_columns([f"u{at}" for at in range(len(self._table.unique))])

    def _read_keys(self, low: int, high: int, version: int) -> pa.Table:
        time = pc.field(self._table.event_time)
        columns = {f"u{at}": pc.field(name) for at, name in enumerate(self._table.unique)}
        columns["micros"] = time.cast(pa.int64())
        wanted = (time >= instant(low)) & (time <= instant(high))
        within = Within(str(self._table.event_time), low, high)
        return tables.reader(self._path, wanted, columns, version, within).read_all()

    def _remember(
        self, number: int, rows: pa.Table, times: NDArray[np.int64], accepted: NDArray[np.int64], floor: int
    ) -> None:
        """What was accepted may be repeated. No row that is still to come is from so long ago that it is not late, and
        repeats none from a watermark before that."""
        if not self._table.unique or self._watermark is None:
            return
        keys = self._keys(rows).take(pa.array(accepted)).append_column("micros", pa.array(times[accepted]))
        self._recent.accepted(number, keys, floor - 2 * self._watermark if floor != NEVER else NEVER)


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """A table's rows of a batch, in the order of its messages."""

    declared: Declared
    table: Silver
    messages: Messages
    rows: pa.Table
    times: NDArray[np.int64]
    told: Seen
    found: Verdicts

    @property
    def progress(self) -> dict[str, int]:
        return self.told.progress

    @property
    def arrived(self) -> int:
        which = self.found.rows(ACCEPTED)
        return int(self.messages.arrived[which[np.argmax(self.times[which])]])

    def count(self, verdict: int) -> int:
        return self.found.count(verdict)

    def accept(self, path: Path, stamp: Stamp, noted: Mapping[str, int]) -> tuple[int, int]:
        which = self.found.rows(ACCEPTED)
        good = self.rows.take(pa.array(which)).select(arrow_schema(self.table.schema).names)
        if self.table.event_time:
            until = self.told.until[which]
            good = good.append_column(SEEN, pa.array(until, INSTANT, mask=until == NEVER))
        return tables.appended(good, path, stamp, **noted)

    def set_aside(self, verdict: int, path: Path, stamp: Stamp) -> int:
        those = pa.array(self.found.rows(verdict))
        schema = quarantine.QUARANTINE if verdict == BROKEN else quarantine.LATE
        taken = self.messages.bronze.take(those)
        there = {name: taken[name] for name in taken.column_names}
        there |= {"table": pa.repeat(self.table.table, len(those)), "source": pa.repeat(self.declared.name, len(those))}
        there["rules"] = self.rows["_rules"].take(those)
        columns = [
            there[name] if name in there else pa.nulls(len(those), schema.field(name).type) for name in schema.names
        ]
        return tables.append_arrow(pa.table(columns, names=schema.names).cast(schema), path, stamp)


def nothing(fields: pa.Schema) -> pa.Table:
    """No messages, parsed."""
    return parsed_schema(fields, pa.schema([("row", pa.int64())])).empty_table()
