"""Asking a lake in SQL: DuckDB over the files of its tables, in as much time and memory as it is given."""

from __future__ import annotations

import difflib
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeVar
from uuid import uuid4

import duckdb

from vigie.disk import full, is_full
from vigie.errors import BadAddress, BadSetting, RequestError, RunFailed, VigieError
from vigie.lake import Lake, Table, damaged, opened, quoted, reading

T = TypeVar("T")

AT_ONCE = 250  # rows taken from DuckDB at a time: each may be as long as a message
ENDS_WITHIN_S = 5.0  # of being interrupted; what takes longer is left to end with the process
UNREADABLE = re.compile(r"reading the stream registered as '([^']+)' failed: (?:\w+: )?(.*)", re.DOTALL)
A_SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)  # DuckDB takes less than nothing, too
SHOW_TABLES = re.compile(r"\s*SHOW\s+(ALL\s+)?TABLES\s*;?\s*", re.IGNORECASE)
NO_SUCH_TABLE = re.compile(r'Table with name "?([^"!]+?)"?(?: does not exist|!)')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: its columns at once, its rows as they are read."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]

    def objects(self) -> Iterator[dict[str, Any]]:
        """Each row by its columns."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take: seconds of DuckDB's time (none: as long as it takes) and memory, in DuckDB's words."""

    seconds: float | None = None
    memory: str = "1GB"


UNHURRIED = Limits()

# Each table once, by the shortest name that it can be asked by.
THE_LAKES_OWN = """
    WITH names AS (SELECT schema, name, column_names, column_types FROM (SHOW ALL TABLES) WHERE database = 'memory')
    SELECT * FROM names WHERE NOT EXISTS (
        FROM names AS shorter WHERE shorter.schema = names.schema
        AND shorter.name <> names.name AND shorter.name = split_part(names.name, '/', -1)
    ) ORDER BY schema, name
"""


def query(lake: Lake, sql: str, limits: Limits = UNHURRIED) -> Answer:
    """Ask DuckDB about the lake; the lake cannot be changed, and nothing outside it read, from there."""
    if not lake.root.is_dir():
        raise BadAddress("there is no lake", where=str(lake), do="Make one: vigie demo flights")
    tables = lake.tables()
    try:
        _refuse_anything_but_reading(sql)
        asked = THE_LAKES_OWN if SHOW_TABLES.fullmatch(sql) else sql
        answer = ask(_needed(tables, sql), asked, limits=limits)
    except duckdb.Error as problem:
        raise _refusal(problem, lake, tables) from problem
    return Answer(answer.columns, _refused(answer.rows, lake, tables))


def ask(tables: Sequence[Table], sql: str, params: Sequence[object] = (), limits: Limits = UNHURRIED) -> Answer:
    """What DuckDB answers over these tables, and nothing else; its errors come as they are, but for those of the
    lake's files, of time and of memory."""
    session = _Session(tables, limits)
    try:
        columns, first = session.begin(sql, params)
    except BaseException:
        session.close()
        raise
    return Answer(columns, session.rows(first))


class _Session:
    """A database of its own for one question. DuckDB works in a thread: who waits for it can be interrupted."""

    def __init__(self, tables: Sequence[Table], limits: Limits) -> None:
        self._tables = tables
        self._limits = limits
        self._left = limits.seconds
        self._worker = ThreadPoolExecutor(1, "query")
        self._doing: Future[Any] | None = None
        self._spilled = Path(gettempdir()) / f"vigie-query-{uuid4().hex}"
        self._database = _database(limits, self._spilled)
        _add_views(self._database, tables)
        self._database.execute("SET enable_progress_bar = false")  # it is drawn into the answer
        # Only what has been registered can be read from here on: no file, no network, no extension.
        self._database.execute("SET enable_external_access = false")
        self._database.execute("SET lock_configuration = true")

    def begin(self, sql: str, params: Sequence[object]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Its columns and first rows: most queries that fail do so before the first is out."""
        self._wait_for(lambda: self._database.execute(sql, list(params)))
        columns = _distinct([column[0] for column in self._database.description or []])
        return columns, self._next()

    def rows(self, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        try:
            while rows:
                yield from rows
                rows = self._next()
        finally:
            self.close()

    def close(self) -> None:
        self._worker.shutdown(wait=False)
        if self._doing is None or self._doing.done():
            self._database.close()
        shutil.rmtree(self._spilled, ignore_errors=True)

    def _next(self) -> list[tuple[Any, ...]]:
        return self._wait_for(lambda: self._database.fetchmany(AT_ONCE))

    def _wait_for(self, act: Callable[[], T]) -> T:
        began = time.monotonic()
        self._doing = doing = self._worker.submit(act)
        try:
            return doing.result(None if self._left is None else min(self._left, threading.TIMEOUT_MAX))
        except TimeoutError:
            self._interrupt(doing)
            raise _too_long(self._limits) from None
        except duckdb.Error as problem:
            if reason := self._reason(problem):
                raise reason from problem
            raise
        except BaseException:  # Ctrl-C
            self._interrupt(doing)
            raise
        finally:
            if self._left is not None:
                self._left = max(0.0, self._left - (time.monotonic() - began))

    def _interrupt(self, doing: Future[T]) -> None:
        until = time.monotonic() + ENDS_WITHIN_S
        while not doing.done() and time.monotonic() < until:
            self._database.interrupt()
            wait([doing], 0.05)

    def _reason(self, problem: duckdb.Error) -> VigieError | None:
        """What is wrong with the machine or the lake's files, where it is not the SQL."""
        if is_full(problem):
            return full(gettempdir(), do="Make room there, or set TMPDIR to a folder with room, and ask again.")
        if isinstance(problem, duckdb.OutOfMemoryException):
            return _too_large(self._limits)
        if unread := UNREADABLE.search(str(problem)):
            return damaged(next(t.path for t in self._tables if str(t) == unread[1]), unread[2])
        return None


def _database(limits: Limits, spilled: Path) -> duckdb.DuckDBPyConnection:
    if not A_SIZE.fullmatch(limits.memory):
        raise _no_memory(limits)
    share = shutil.disk_usage(gettempdir()).free // 2  # a pipeline may be writing to the same disk
    try:
        return duckdb.connect(
            config={
                "memory_limit": limits.memory,
                "temp_directory": str(spilled),
                "max_temp_directory_size": f"{share}B",
            }
        )
    except duckdb.Error as problem:
        raise _no_memory(limits) from problem


def _no_memory(limits: Limits) -> BadSetting:
    return BadSetting(f"'{limits.memory}' is no memory", where="--memory", do="Write for example 2GB.")


def _too_long(limits: Limits) -> RunFailed:
    return RunFailed(
        f"the query was ended after {limits.seconds:g} s",
        where="--timeout",
        do="Ask for less of the table, or give it longer: --timeout 10m.",
    )


def _too_large(limits: Limits) -> RunFailed:
    return RunFailed(
        f"the query needs more than the {limits.memory} of memory that it may take, and room on the disk beside",
        where="--memory",
        do="Ask for fewer rows or columns, or give it more: --memory 4GB.",
    )


def _refused(rows: Iterator[tuple[Any, ...]], lake: Lake, tables: list[Table]) -> Iterator[tuple[Any, ...]]:
    """The rows, and what ends them in words about the lake."""
    try:
        yield from rows
    except duckdb.Error as problem:
        raise _refusal(problem, lake, tables) from problem


def _refuse_anything_but_reading(sql: str) -> None:
    # DuckDB calls DESCRIBE, SHOW, SUMMARIZE, VALUES and WITH a SELECT too, and PIVOT several statements.
    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}
    with duckdb.connect() as database:
        statements = database.extract_statements(sql)
    if len(statements) != 1:
        raise RequestError(
            "the query is empty" if not statements else f"these are {len(statements)} statements",
            do='Ask one question: vigie query "SELECT ..."',
        )
    [statement] = statements
    if statement.type not in reading:
        raise RequestError(
            f"a query only reads, and this is {statement.type.name}",
            do="Write SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN.",
        )


def _needed(tables: list[Table], sql: str) -> list[Table]:
    """The tables whose names occur in the SQL; all of them when none does, for SHOW and its like."""
    named = [table for table in tables if re.search(rf"(?<!\w){re.escape(table.last_name)}(?!\w)", sql, re.IGNORECASE)]
    return named or tables


def _add_views(database: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    database.execute("LOAD icu")  # it is inside DuckDB's wheel; without it there are no time zones
    database.execute("SET TimeZone = 'UTC'")
    namesakes = Counter(table.view for table in tables)
    for table in tables:
        with reading(table.path):
            dataset = opened(table.path).to_pyarrow_dataset()
        database.register(str(table), dataset)
        database.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.layer)}")
        names = {table.name} if namesakes[table.view] > 1 else {table.name, table.last_name}
        for name in names:
            database.execute(f"CREATE VIEW {quoted(table.layer)}.{quoted(name)} AS FROM {quoted(str(table))}")


def _refusal(problem: Exception, lake: Lake, tables: list[Table]) -> VigieError:
    missing = NO_SUCH_TABLE.search(str(problem))
    if not missing:
        return RequestError(f"DuckDB cannot answer: {problem}")
    if not tables:
        return RequestError(f"there is no table in the lake {lake} yet", do="Fill it: vigie demo flights")
    name = missing[1]
    near = difflib.get_close_matches(name, [table.view for table in tables], 1) or difflib.get_close_matches(
        name.rpartition(".")[2], [table.last_name for table in tables], 1
    )
    meant = next((table.view for table in tables if near and near[0] in {table.view, table.last_name}), "")
    return RequestError(
        f"there is no table '{name}' in the lake {lake}",
        do=(f"Did you mean {meant}? " if meant else "") + f"There are: {', '.join(t.view for t in tables)}.",
    )


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names made different, because a row is shown as an object: `a, a` becomes `a, a_2`."""
    given: list[str] = []
    for name in names:
        number, free = 1, name
        while free in given:
            number += 1
            free = f"{name}_{number}"
        given.append(free)
    return tuple(given)
