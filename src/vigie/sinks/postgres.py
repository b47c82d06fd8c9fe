"""A table of PostgreSQL, at the address that VIGIE_POSTGRES holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.errors import BadSetting
from vigie.sinks import Columns, NotNow, Refused, several

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed, Identifier
    from pydantic import SecretStr
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType, StructField, StructType

    from vigie.graph import Surroundings

CONNECTION: dict[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 20_000, "application_name": "vigie"}
TYPES = {
    "boolean": "boolean",
    "tinyint": "smallint",
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "float": "real",
    "double": "double precision",
    "string": "text",
    "binary": "bytea",
    "date": "date",
    "timestamp": "timestamptz",
    "timestamp_ntz": "timestamp",
}
NESTED = ("array", "map", "struct")


@dataclass(frozen=True, slots=True)
class Postgres:
    """Each row as a row of a table, one for each value of the columns `id`; a row that comes again replaces it.

    The table is made when it is not there. A batch is one transaction: it is there, or it is not, and a repeat
    changes nothing. Arrays, maps and structs become `jsonb`. A NUL in a text, which PostgreSQL cannot hold, becomes
    U+FFFD.
    """

    table: str
    id: Columns
    every: str | None = None
    module: ClassVar[str] = "psycopg"
    extra: ClassVar[str] = "postgres"

    @property
    def columns(self) -> tuple[str, ...]:
        return several(self.id)

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.postgres else "VIGIE_POSTGRES is not set"

    def opened(self, around: Surroundings) -> PostgresTable:
        assert around.settings.postgres is not None
        return PostgresTable(self.table, self.columns, around.settings.postgres)


class PostgresTable:
    """The table, over a connection for each batch."""

    def __init__(self, table: str, key: tuple[str, ...], address: SecretStr) -> None:
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
        self._address = address

    def write(self, rows: DataFrame, _batch: int) -> None:
        with self._connected() as connection:
            connection.execute(self._creation(rows.schema))
            connection.execute(self._basket())
            with connection.cursor().copy(self._filling(rows.columns)) as copy:
                for row in rows.select([_text(rows, field) for field in rows.schema]).toLocalIterator():
                    copy.write_row(row)
            connection.execute(self._upsert(rows.columns))

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        """One transaction, in UTC; whatever PostgreSQL says of it, as an error of ours."""
        import psycopg

        try:
            with psycopg.connect(self._address.get_secret_value(), **CONNECTION) as connection:
                connection.execute("SET TIME ZONE 'UTC'")
                yield connection
        except (psycopg.OperationalError, psycopg.errors.SerializationFailure) as problem:
            raise NotNow(f"PostgreSQL is away: {_said(problem)}") from None
        except psycopg.Error as problem:
            raise Refused(
                f"PostgreSQL refused a batch: {_said(problem)}",
                where=self._name,
                do=_remedy(problem, self._name, self._key),
            ) from None

    @property
    def _table(self) -> Identifier:
        from psycopg.sql import Identifier

        return Identifier(*self._name.split("."))

    def _creation(self, schema: StructType) -> Composed:
        from psycopg.sql import SQL, Identifier

        columns = [SQL("{} {}").format(Identifier(f.name), SQL(_type(f.dataType))) for f in schema]
        return SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
            self._table, SQL(", ").join(columns), _listed(self._key)
        )

    def _basket(self) -> Composed:
        from psycopg.sql import SQL

        return SQL("CREATE TEMPORARY TABLE vigie_rows (LIKE {}, vigie_place bigserial) ON COMMIT DROP").format(
            self._table
        )

    def _filling(self, columns: list[str]) -> Composed:
        from psycopg.sql import SQL

        return SQL("COPY vigie_rows ({}) FROM STDIN").format(_listed(columns))

    def _upsert(self, columns: list[str]) -> Composed:
        """Of several rows of a batch with one id, the last; a row that is there as it is, is left alone."""
        from psycopg.sql import SQL, Identifier

        others = [Identifier(name) for name in columns if name not in self._key]
        insert = SQL(
            "INSERT INTO {} AS held ({columns}) SELECT DISTINCT ON ({key}) {columns} FROM vigie_rows "
            "ORDER BY {key}, vigie_place DESC ON CONFLICT ({key}) "
        ).format(self._table, columns=_listed(columns), key=_listed(self._key))
        if not others:
            return insert + SQL("DO NOTHING")
        return insert + SQL("DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
            SQL(", ").join(SQL("{0} = excluded.{0}").format(name) for name in others),
            SQL(", ").join(SQL("held.{}").format(name) for name in others),
            SQL(", ").join(SQL("excluded.{}").format(name) for name in others),
        )


def _listed(names: list[str] | tuple[str, ...]) -> Composed:
    from psycopg.sql import SQL, Identifier

    return SQL(", ").join([Identifier(name) for name in names])


def _type(kind: DataType) -> str:
    name = kind.simpleString()
    if name.startswith("decimal"):
        return name.replace("decimal", "numeric")
    return "jsonb" if name.startswith(NESTED) else TYPES.get(name, "text")


def _text(rows: DataFrame, field: StructField) -> Column:
    """The column as PostgreSQL reads it from text."""
    from pyspark.sql import functions as F

    column, kind = rows[f"`{field.name}`"], _type(field.dataType)
    if kind == "bytea":
        text = F.concat(F.lit("\\x"), F.hex(column))
    elif kind == "jsonb":
        text = F.replace(F.to_json(column, {"ignoreNullFields": "false"}), F.lit("\\u0000"), F.lit("\\ufffd"))
    else:
        text = F.replace(column.cast("string"), F.lit("\0"), F.lit("\ufffd"))
    return text.alias(field.name)


def _said(problem: Exception) -> str:
    """What PostgreSQL or its client says in one line, without the address that it was asked at."""
    said = getattr(getattr(problem, "diag", None), "message_primary", None) or str(problem)
    return str(said).strip().splitlines()[0].rpartition("failed: ")[2] if str(said).strip() else type(problem).__name__


def _remedy(problem: Exception, table: str, key: tuple[str, ...]) -> str:
    from psycopg import errors

    if isinstance(problem, errors.InvalidColumnReference):
        return f"Let these columns be unique there: ALTER TABLE {table} ADD UNIQUE ({', '.join(key)})."
    if isinstance(problem, errors.UndefinedColumn | errors.DatatypeMismatch | errors.DataError):
        return "The table there has other columns than the one that is delivered: mend it, or name another."
    if isinstance(problem, errors.InsufficientPrivilege):
        return "Grant the user of VIGIE_POSTGRES the right to do that."
    return "Mend what it says and start again: the batch is delivered again."
