"""Where a table lives, and reading it without Spark."""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.errors import BadAddress, BadSetting, LakeDamaged, RequestError, VigieError
from vigie.redaction import redacted

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

LAYERS = ("bronze", "silver", "gold", "quarantine", "late")
AT_ONCE = 10_000  # rows taken from DuckDB at a time: `SELECT *` of a large table must not fill the memory
PUT_BACK = "Put it back from a copy of the lake, or read everything again into another one with --lake."
UNREADABLE = re.compile(r"reading the stream registered as '([^']+)' failed: (?:\w+: )?(.*)", re.DOTALL)
NO_SUCH_TABLE = re.compile(r'Table with name "?([^"!]+?)"?(?: does not exist|!)')


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table of a lake."""

    layer: str
    name: str
    path: Path

    def __str__(self) -> str:
        """The table as the ledger names it: `silver/flights_ml`."""
        return f"{self.layer}/{self.name}"

    @property
    def last_name(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def view(self) -> str:
        """The table as SQL names it: `silver.flights_ml`."""
        return f"{self.layer}.{self.last_name}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: its columns at once, its rows as they are read."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder of Delta tables."""

    root: Path

    @classmethod
    def at(cls, address: str | Path) -> Lake:
        """The lake that a person named; it need not be there yet."""
        text = str(address)
        if text.startswith("s3a://"):
            raise BadAddress(
                "a lake on object storage comes with a later version", where=redacted(text), do="Name a folder."
            )
        if "://" in text or not text.strip():
            raise BadAddress(f"'{redacted(text)}' is not a place for a lake", do="Name a folder, for example ./lake.")
        root = Path(text).expanduser()
        if root.exists() and not root.is_dir():
            raise BadAddress("the lake is a file, not a folder", where=text, do="Name a folder.")
        return cls(root)

    def __str__(self) -> str:
        return str(self.root)

    def path(self, table: str) -> Path:
        """Where the table lives that the ledger calls `silver/flights_ml`."""
        return self.root / table

    def bronze(self, name: str) -> Path:
        return self.root / "bronze" / name

    def silver(self, name: str) -> Path:
        return self.root / "silver" / name

    def gold(self, name: str) -> Path:
        return self.root / "gold" / name

    def quarantine(self, pipeline: str) -> Path:
        return self.root / "quarantine" / pipeline

    def late(self, pipeline: str) -> Path:
        return self.root / "late" / pipeline

    def vigie(self, pipeline: str) -> Path:
        """What Vigie keeps for itself about one pipeline."""
        return self.root / "_vigie" / pipeline

    def ledger(self, pipeline: str) -> Path:
        return self.vigie(pipeline) / "ledger"

    def alerts(self, pipeline: str) -> Path:
        return self.vigie(pipeline) / "alerts"

    def alert_events(self, pipeline: str) -> Path:
        """What opened and closed, in the order in which it was found."""
        return self.vigie(pipeline) / "alert_events"

    def dead_letters(self, pipeline: str) -> Path:
        """What a receiver of alerts refused for good while it took others."""
        return self.vigie(pipeline) / "dead_letters"

    def commands(self, pipeline: str) -> Path:
        """What was said from the command line: acknowledged, silenced."""
        return self.vigie(pipeline) / "commands"

    def schemas(self, pipeline: str, source: str) -> Path:
        """The Avro schemas that messages of a source were written with, as `NUMBER.avsc`."""
        return self.vigie(pipeline) / "schemas" / source

    def checkpoints(self, pipeline: str) -> Path:
        """The folder that holds a checkpoint for each query."""
        return self.vigie(pipeline) / "checkpoints"

    def checkpoint(self, pipeline: str, query: str) -> Path:
        return self.checkpoints(pipeline) / query

    def inbox(self, source: str) -> Path:
        return self.root / "_inbox" / source

    def tables(self) -> list[Table]:
        """Every table that has been written, found by looking at folders alone."""
        found = [
            Table(layer, str(path.relative_to(self.root / layer)), path)
            for layer in LAYERS
            for path in _tables_under(self.root / layer)
        ]
        for pipeline in self.pipelines():
            inside = _folders(self.vigie(pipeline))
            found += [Table("vigie", f"{pipeline}_{path.name}", path) for path in inside if is_table(path)]
        return found

    def pipelines(self) -> list[str]:
        """The pipelines that have run here."""
        return [folder.name for folder in _folders(self.root / "_vigie")]


def is_table(path: Path) -> bool:
    """Whether a Delta table was written there; a folder whose first commit is under way is none yet."""
    try:
        with _allowed(), os.scandir(path / "_delta_log") as log:
            return any(entry.name.endswith(".json") for entry in log)
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _allowed() -> Iterator[None]:
    """What a person may not read, as BadSetting that names it."""
    try:
        yield
    except PermissionError as problem:
        raise BadSetting(
            "the lake may not be read by who asks",
            where=str(problem.filename),
            do="Ask as who wrote it, or have whoever did give you the right to read it.",
        ) from None


def rows(path: Path) -> list[dict[str, Any]]:
    """Every row of a small table, in no promised order."""
    with reading(path):
        read: list[dict[str, Any]] = opened(path).to_pyarrow_table().to_pylist()
    return read


def opened(path: Path, version: int | None = None) -> DeltaTable:
    """The Delta table there, as it is or was; LakeDamaged when its log cannot be read."""
    from deltalake import DeltaTable

    with reading(path):
        return DeltaTable(str(path), version)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever is wrong with the files of the table that is read in here, as LakeDamaged that names it."""
    from deltalake.exceptions import DeltaError
    from pyarrow import ArrowException

    try:
        yield
    except (DeltaError, ArrowException, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise  # the machine's own words, and not those of a reader of files
        raise _damaged(path, str(problem)) from problem


def _damaged(path: Path, said: str) -> LakeDamaged:
    return LakeDamaged(f"the table cannot be read: {in_a_line(said)}", where=str(path), do=PUT_BACK)


def in_a_line(said: str) -> str:
    """What a library says over several lines, in colours and with a trace of its own, in one line."""
    plain, _, _ = re.sub(r"\x1b\[\d*m", "", said).partition("\n   0: ")
    plain, _, _ = plain.partition(" Detail: Python exception")
    return ": ".join(line.strip(" ↳.") for line in plain.splitlines() if line.strip(" ↳."))


def query(lake: Lake, sql: str) -> Answer:
    """Ask DuckDB about the lake; the lake cannot be changed, and nothing outside it read, from there."""
    if not lake.root.is_dir():
        raise BadAddress("there is no lake", where=str(lake), do="Make one: vigie demo flights")
    import duckdb

    tables = lake.tables()
    connection = duckdb.connect()
    try:
        _refuse_anything_but_reading(connection, sql)
        _add_views(connection, _needed(tables, sql))
        # Only what has been registered can be read from here on: no file, no network, no extension.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute(sql)
        columns = _distinct([column[0] for column in connection.description or []])
        first = connection.fetchmany(AT_ONCE)  # most queries that fail do so before the first row is out
    except duckdb.Error as problem:
        raise _refusal(problem, lake, tables) from problem
    return Answer(columns, _rest(connection, first, lake, tables))


def _rest(
    connection: DuckDBPyConnection, rows: list[tuple[Any, ...]], lake: Lake, tables: list[Table]
) -> Iterator[tuple[Any, ...]]:
    import duckdb

    while rows:
        yield from rows
        try:
            rows = connection.fetchmany(AT_ONCE)
        except duckdb.Error as problem:
            raise _refusal(problem, lake, tables) from problem


def _refuse_anything_but_reading(connection: DuckDBPyConnection, sql: str) -> None:
    import duckdb

    # DuckDB calls DESCRIBE, SHOW, SUMMARIZE, VALUES and WITH a SELECT too, and PIVOT several statements.
    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}
    statements = connection.extract_statements(sql)
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


def _add_views(connection: DuckDBPyConnection, tables: list[Table]) -> None:
    connection.execute("LOAD icu")  # it is inside DuckDB's wheel; without it there are no time zones
    connection.execute("SET TimeZone = 'UTC'")
    namesakes = Counter(table.view for table in tables)
    for table in tables:
        with reading(table.path):
            dataset = opened(table.path).to_pyarrow_dataset()
        connection.register(str(table), dataset)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.layer)}")
        names = {table.name} if namesakes[table.view] > 1 else {table.name, table.last_name}
        for name in names:
            connection.execute(f"CREATE VIEW {quoted(table.layer)}.{quoted(name)} AS FROM {quoted(str(table))}")


def _refusal(problem: Exception, lake: Lake, tables: list[Table]) -> VigieError:
    if unread := UNREADABLE.search(str(problem)):
        return _damaged(next((t.path for t in tables if str(t) == unread[1]), lake.root), unread[2])
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


def _tables_under(folder: Path) -> Iterator[Path]:
    for inner in _folders(folder):
        if is_table(inner):
            yield inner
        if not inner.name.startswith("_"):  # `traffic/by_hour` may live within `traffic`
            yield from _tables_under(inner)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # Among the many files of a table, it need not ask what each of them is.
    with _allowed(), os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if entry.is_dir())


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


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
