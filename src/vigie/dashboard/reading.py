"""The lake as pages read it: slices of tables, held in memory, to which each refresh adds what is new."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from vigie.errors import LakeDamaged, RequestError
from vigie.lake import PUT_BACK, Lake, is_table, opened, reading

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pandas import DataFrame

ANSWERS = 200  # that are kept until a table they were asked of has grown
MILLISECOND = timedelta(milliseconds=1)  # statistics in a log are cut off there
BYTES_SEEN = 4_096  # of a message: a page shows its beginning, and one may be of 10 MB
PARQUET = ds.ParquetFileFormat(read_options={"coerce_int96_timestamp_unit": "us"})


class NotYet(RequestError):
    """A table that nobody has written yet."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(f"there is no table {table} yet", do="It comes with the run: vigie run PIPELINE")


@dataclass(frozen=True, slots=True)
class Slice:
    """What a page reads of a table: these columns, of all rows or of the last span of time.

    `table` is the path in the lake (`silver/flights_ml`, `_vigie/flights/ledger`). The span ends with the newest
    instant that the table has under `by`, and not now: of a feed that has stopped, its last minutes are seen.
    `most` bounds what is held, by whole files, the newest first. Bytes are cut off after 4,096.
    """

    table: str
    columns: tuple[str, ...]
    by: str | None = None
    last: timedelta | None = None
    most: int | None = None


class Shelf:
    """The slices of one lake that somebody looks at, and the answers to what was asked of them.

    All viewers share one: what the first has read and asked, the others are given until a table has grown.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._slices: dict[Slice, _Held] = {}
        self._answers: OrderedDict[Any, tuple[list[int], DataFrame]] = OrderedDict()
        self._database: duckdb.DuckDBPyConnection | None = None

    def ask(self, sql: str, slices: dict[str, Slice], parameters: Sequence[Any] = ()) -> DataFrame:
        """What DuckDB answers about slices, each under the name given here; instants are in UTC.

        The same question is asked again only when a table has grown: so it must not ask what time it is.
        NotYet when a table is not there, LakeDamaged when it cannot be read.
        """
        asked = (sql, tuple(sorted(slices.items(), key=lambda named: named[0])), tuple(parameters))
        with self._lock:
            held = {name: self._held(wanted) for name, wanted in slices.items()}
            states = [each.refreshed() for each in held.values()]
            known = self._answers.get(asked)
            if known is None or known[0] != states:
                known = states, self._answered(sql, held, parameters)
                self._answers[asked] = known
            self._answers.move_to_end(asked)
            while len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)
        return known[1].copy()

    def _held(self, wanted: Slice) -> _Held:
        if wanted not in self._slices:
            self._slices[wanted] = _Held(self._lake, wanted)
        return self._slices[wanted]

    def _answered(self, sql: str, held: dict[str, _Held], parameters: Sequence[Any]) -> DataFrame:
        if self._database is None:
            self._database = duckdb.connect()
            self._database.execute("LOAD icu")  # it is inside DuckDB's wheel; without it there are no time zones
            self._database.execute("SET TimeZone = 'UTC'")
        for name, each in held.items():
            self._database.register(name, each.rows)
        try:
            return self._database.execute(sql, list(parameters)).df()
        finally:
            for name in held:
                self._database.unregister(name)


class _Held:
    """A slice as it was read last. Files are read once; those that left the table or the span are let go."""

    def __init__(self, lake: Lake, wanted: Slice) -> None:
        self._path = lake.path(wanted.table)
        self._wanted = wanted
        self._state = 0
        self._forget()

    def _forget(self) -> None:
        self._table: DeltaTable | None = None
        self._commit: tuple[int, int] | None = None
        self._files: dict[str, pa.Table] = {}
        self.rows: pa.Table | None = None

    def refreshed(self) -> int:
        """Read what is new; a number that is another one when the rows are."""
        if self._is_as_it_was():
            return self._state
        if not is_table(self._path):
            self._forget()
            raise NotYet(self._wanted.table)
        try:
            self._take(self._newest())
        except FileNotFoundError:  # put together and deleted since the log was read
            self._forget()
            self._take_again()
        self._state += 1
        return self._state

    def _take_again(self) -> None:
        try:
            self._take(self._newest())
        except FileNotFoundError as problem:
            raise LakeDamaged("a file of the table is gone", where=str(problem), do=PUT_BACK) from problem

    def _newest(self) -> DeltaTable:
        if self._table is None or self._commit != _identity(self._commit_file(self._table.version())):
            self._forget()
            return opened(self._path)
        with reading(self._path):
            self._table.update_incremental()
        return self._table

    def _is_as_it_was(self) -> bool:
        if self._table is None or self.rows is None:
            return False
        version = self._table.version()
        same = self._commit == _identity(self._commit_file(version))
        return same and not self._commit_file(version + 1).exists()

    def _commit_file(self, version: int) -> Path:
        return self._path / "_delta_log" / f"{version:020}.json"

    def _take(self, table: DeltaTable) -> None:
        schema = pa.schema(table.schema().to_arrow())
        missing = [name for name in self._wanted.columns if name not in schema.names]
        if missing:
            raise LakeDamaged(
                f"the table has no column {', '.join(missing)}",
                where=str(self._path),
                do="It was written by another version: fill a new lake with --lake, or ask for what it has.",
            )
        self._commit = _identity(self._commit_file(table.version()))
        names, since = self._files_of(pa.table(table.get_add_actions(flatten=True)))
        wanted = pa.schema([schema.field(name) for name in self._read_columns()])
        files = {name: self._files[name] if name in self._files else self._read(name, wanted, since) for name in names}
        rows = pa.concat_tables([wanted.empty_table(), *files.values()])
        if since is not None:
            times = rows[self._wanted.by]
            rows = rows.filter(pc.and_(pc.greater(times, since), pc.less_equal(times, self._committed(times.type))))
        self._files, self.rows, self._table = files, rows.select(self._wanted.columns), table

    def _committed(self, kind: pa.DataType) -> pa.Scalar:
        """When the newest commit was made. A row of a later moment is from a clock that is ahead: it waits until then,
        or it would be the end of a span in which nobody else is."""
        _, written_ns = self._commit or (0, time.time_ns())
        return pa.scalar(written_ns // 1_000, pa.int64()).cast(pa.timestamp("us", "UTC")).cast(kind)

    def _read_columns(self) -> list[str]:
        by = [self._wanted.by] if self._wanted.by is not None else []
        return list(dict.fromkeys([*self._wanted.columns, *by]))

    def _files_of(self, actions: pa.Table) -> tuple[list[str], Any]:
        """The files that may have rows of the span, and the instant after which it begins."""
        newest = f"max.{self._wanted.by}"
        if self._wanted.last is None or newest not in actions.schema.names:
            return actions["path"].to_pylist(), None
        last = pc.max(actions[newest])
        if not last.is_valid:
            return actions["path"].to_pylist(), None
        since = min(last.as_py(), self._committed(last.type).as_py()) - self._wanted.last
        reaches = pc.greater_equal(actions[newest], pa.scalar(since - MILLISECOND, actions[newest].type))
        return self._newest_files(actions.filter(pc.fill_null(reaches, True)), newest), since

    def _newest_files(self, actions: pa.Table, newest: str) -> list[str]:
        """Of these files the newest, until they have the most rows that are wanted."""
        if self._wanted.most is None:
            return list(actions["path"].to_pylist())
        names, rows = [], 0
        for file in actions.sort_by([(newest, "descending")]).select(["path", "num_records"]).to_pylist():
            if rows >= self._wanted.most:
                break
            names.append(file["path"])
            rows += file["num_records"] or 0
        return names

    def _read(self, name: str, schema: pa.Schema, since: Any) -> pa.Table:
        file = self._path / unquote(name)
        if not file.exists():
            raise FileNotFoundError(file)
        later = None if since is None else pc.field(self._wanted.by) > since
        with reading(self._path):
            found = ds.dataset([str(file)], schema=schema, format=PARQUET)
            return found.to_table({each.name: _beginning(each) for each in schema}, filter=later)


def _beginning(column: pa.Field) -> pc.Expression:
    """What is read of a column."""
    whole = pc.field(column.name)
    return pc.binary_slice(whole, 0, BYTES_SEEN) if pa.types.is_binary(column.type) else whole


def _identity(commit: Path) -> tuple[int, int] | None:
    """What tells a commit from one of the same number in a table that was made anew."""
    try:
        found = commit.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
