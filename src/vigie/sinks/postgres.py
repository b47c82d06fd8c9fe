"""A table of PostgreSQL, at the address that VIGIE_POSTGRES holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.errors import BadSetting
from vigie.sinks import Columns, Refused, several
from vigie.sinks import postgres_sql as sql
from vigie.sinks.dead_letters import letter, log_refused
from vigie.sinks.postgres_errors import OTHER_COLUMNS, answer, is_of_a_row, message

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection
    from pydantic import SecretStr

    from vigie.contracts import Surroundings

CONNECTION: dict[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 20_000, "application_name": "vigie"}
PART = 1_000  # rows that are written together in a batch of which a row is refused

Row = tuple[str | None, ...]
Fault = tuple[Row, str]  # a row and why it was refused


@dataclass(frozen=True, slots=True)
class Postgres:
    """Each row as a row of a table, one for each value of the columns `id`; a row that comes again replaces it.

    The table is made when it is not there. A batch is one transaction: it is there, or it is not, and a repeat
    changes nothing. Arrays, maps and structs become `jsonb`. A NUL in a text, which PostgreSQL cannot hold, becomes
    U+FFFD. A row that PostgreSQL refuses goes to another table, `dead_letters` (the table's name and `_dead_letters`,
    unless said), with the reason.
    """

    table: str
    id: Columns
    every: str | None = None
    dead_letters: str = ""
    module: ClassVar[str] = "psycopg"
    extra: ClassVar[str] = "postgres"

    @property
    def columns(self) -> tuple[str, ...]:
        return several(self.id)

    @property
    def letters(self) -> str:
        return self.dead_letters or f"{self.table}_dead_letters"

    def problems(self) -> Iterator[str]:
        """What is wrong with what it was given."""
        for name in (self.table, self.letters):
            if any(len(part.encode()) > sql.LONGEST_NAME for part in name.split(".")):
                yield f"'{name}' is longer than PostgreSQL's {sql.LONGEST_NAME} bytes: name another, or dead_letters="
        if self.table == self.letters:
            yield "what is refused cannot go to the table that refuses it"

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.postgres else "VIGIE_POSTGRES is not set"

    def opened(self, around: Surroundings) -> PostgresTable:
        assert around.settings.postgres is not None
        return PostgresTable(self.table, self.columns, self.letters, around.settings.postgres)


class PostgresTable:
    """The table, over a connection for each batch."""

    def __init__(self, table: str, key: tuple[str, ...], letters: str, address: SecretStr) -> None:
        import psycopg

        try:
            psycopg.conninfo.conninfo_to_dict(address.get_secret_value())
        except psycopg.Error:
            raise BadSetting(  # not from what was raised, which repeats a part of the address
                "it is not an address of PostgreSQL",
                where="VIGIE_POSTGRES",
                do="Write VIGIE_POSTGRES as postgresql://user:password@host:5432/database.",
            ) from None
        self._name = table
        self._key = key
        self._letters = letters
        self._address = address
        self._is_ready = False

    def write(self, rows: pa.RecordBatchReader, _batch: int) -> None:
        parts, columns = list(rows), rows.schema.names  # a batch of which a row is refused is gone through twice
        with self._connected() as connection:
            self._prepare(connection, rows.schema)
            if self._refusal(connection, _rows(parts), columns) is None:
                refused = list[Fault]()
            else:
                refused = list(self._sifted(connection, _rows(parts), columns))
            self._keep(connection, refused, columns)
        if refused:
            log_refused(self._name, "PostgreSQL", self._letters, refused[0][1], len(refused))

    def _prepare(self, connection: Connection[Any], schema: pa.Schema) -> None:
        connection.execute(sql.creation(self._name, schema, self._key))
        if not self._is_ready:
            there = connection.execute(sql.COLUMNS_THERE, [sql.identifier(self._name).as_string(connection)])
            for reason in sql.misfits(schema, there):
                raise Refused(
                    f"PostgreSQL has a table that does not fit: {reason}",
                    where=self._name,
                    do=OTHER_COLUMNS,
                )
            self._is_ready = True
        connection.execute(sql.basket(self._name))

    def _sifted(self, connection: Connection[Any], rows: Iterator[Row], columns: list[str]) -> Iterator[Fault]:
        """Write the rows that PostgreSQL takes, a part after another; those that it refuses."""
        while part := list(islice(rows, PART)):
            yield from self._halved(connection, part, columns)

    def _halved(self, connection: Connection[Any], rows: Sequence[Row], columns: list[str]) -> Iterator[Fault]:
        why = self._refusal(connection, rows, columns)
        if why is None:
            return
        if len(rows) == 1:
            yield rows[0], why
            return
        middle = len(rows) // 2
        yield from self._halved(connection, rows[:middle], columns)
        yield from self._halved(connection, rows[middle:], columns)

    def _refusal(self, connection: Connection[Any], rows: Iterable[Row], columns: list[str]) -> str | None:
        """Write the rows, all or none; why a row among them is refused, if one is."""
        import psycopg

        try:
            with connection.transaction():  # within that of the batch: a savepoint
                with connection.cursor().copy(sql.filling(columns)) as copy:
                    for row in rows:
                        copy.write_row(row)
                connection.execute(sql.upsert(self._name, columns, self._key))
                connection.execute(sql.EMPTY_BASKET)
        except psycopg.Error as problem:
            if not is_of_a_row(problem):
                raise
            return f"{message(problem)} ({problem.sqlstate})"
        return None

    def _keep(self, connection: Connection[Any], refused: list[Fault], columns: list[str]) -> None:
        import psycopg

        if not refused:
            return
        letters = [letter(self._name, json.dumps(dict(zip(columns, row, strict=True))), why) for row, why in refused]
        try:
            connection.execute(sql.creation_of_letters(self._letters))
            connection.cursor().executemany(sql.insertion_of_letter(self._letters), letters)
        except psycopg.Error as problem:
            raise answer(problem, self._letters, ("_id",)) from None

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        """One transaction, in UTC; whatever PostgreSQL says of it, as an error of ours."""
        import psycopg

        try:
            with psycopg.connect(self._address.get_secret_value(), **CONNECTION) as connection:
                connection.execute(sql.TIMES_AND_CHECKS)
                yield connection
        except psycopg.Error as problem:
            raise answer(problem, self._name, self._key) from None


def _rows(parts: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """The rows, each value as PostgreSQL reads it from text."""
    for part in parts:
        yield from zip(*(sql.as_text(column).to_pylist() for column in part.columns), strict=True)
