"""The statements by which rows come into a table of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_json import values
from vigie.arrow_text import TEXT, texts
from vigie.arrow_types import spark_name

if TYPE_CHECKING:
    from psycopg.sql import Composed, Identifier

LONGEST_NAME = 63  # bytes: PostgreSQL cuts off the rest, and two names may become one
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
# Into which of PostgreSQL's categories of types (N numbers, B booleans, D dates) no column of these is delivered.
# https://www.postgresql.org/docs/current/catalog-pg-type.html#CATALOG-TYPCATEGORY-TABLE
MISFITS = {"boolean": "ND", "text": "NB", "bytea": "NBD", "jsonb": "NBD", "date": "NB", "timestamptz": "NB",
           "timestamp": "NB"}  # fmt: skip
COLUMNS_THERE = """SELECT a.attname, t.typname, t.typcategory,
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
TIMES_AND_CHECKS = "SET TIME ZONE 'UTC'; SET CONSTRAINTS ALL IMMEDIATE"  # or a row is refused at the commit, unnamed
EMPTY_BASKET = "DELETE FROM vigie_rows"


def identifier(name: str) -> Identifier:
    from psycopg.sql import Identifier

    return Identifier(*name.split("."))


def creation(table: str, schema: pa.Schema, key: Iterable[str]) -> Composed:
    from psycopg.sql import SQL, Identifier

    columns = [SQL("{} {}").format(Identifier(f.name), SQL(type_of(f.type))) for f in schema]
    return SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
        identifier(table), SQL(", ").join(columns), _listed(key)
    )


def basket(table: str) -> Composed:
    from psycopg.sql import SQL

    return SQL("CREATE TEMPORARY TABLE vigie_rows (LIKE {}, vigie_place bigserial) ON COMMIT DROP").format(
        identifier(table)
    )


def filling(columns: Iterable[str]) -> Composed:
    from psycopg.sql import SQL

    return SQL("COPY vigie_rows ({}) FROM STDIN").format(_listed(columns))


def upsert(table: str, columns: Iterable[str], key: tuple[str, ...]) -> Composed:
    """Of several rows of a batch with one id, the last; a row that is there as it is, is left alone."""
    from psycopg.sql import SQL, Identifier

    columns = list(columns)
    others = [Identifier(name) for name in columns if name not in key]
    insert = SQL(
        "INSERT INTO {} AS held ({columns}) SELECT DISTINCT ON ({key}) {columns} FROM vigie_rows "
        "ORDER BY {key}, vigie_place DESC ON CONFLICT ({key}) "
    ).format(identifier(table), columns=_listed(columns), key=_listed(key))
    if not others:
        return insert + SQL("DO NOTHING")
    return insert + SQL("DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
        SQL(", ").join(SQL("{0} = excluded.{0}").format(name) for name in others),
        SQL(", ").join(SQL("held.{}").format(name) for name in others),
        SQL(", ").join(SQL("excluded.{}").format(name) for name in others),
    )


def creation_of_letters(table: str) -> Composed:
    from psycopg.sql import SQL

    return SQL(
        'CREATE TABLE IF NOT EXISTS {} (_id text PRIMARY KEY, collection text, reason text, "row" text, '
        "characters bigint, refused_at timestamptz)"
    ).format(identifier(table))


def insertion_of_letter(table: str) -> Composed:
    from psycopg.sql import SQL

    return SQL(
        'INSERT INTO {} (_id, collection, reason, "row", characters, refused_at) VALUES (%(_id)s, %(collection)s, '
        "%(reason)s, %(row)s, %(characters)s, %(refused_at)s) ON CONFLICT (_id) DO NOTHING"
    ).format(identifier(table))


def misfits(schema: pa.Schema, there: Iterable[tuple[str, str, str, bool]]) -> Iterator[str]:
    """Why no row of the schema can come into a table with the columns that are there, if so."""
    types = {field.name: type_of(field.type) for field in schema}
    for name, type_there, category, is_needed in there:
        if name not in types:
            if is_needed:
                yield f"its column '{name}' must not be null, and is not delivered"
        elif category in MISFITS.get(types[name], ""):
            yield f"its column '{name}' is {type_there}, and what is delivered is {types[name]}"


def type_of(kind: pa.DataType) -> str:
    name = spark_name(kind)
    if name.startswith("decimal"):
        return name.replace("decimal", "numeric")
    return "jsonb" if name.startswith(NESTED) else TYPES.get(name, "text")


def as_text(column: pa.Array) -> pa.Array:
    """The column as PostgreSQL reads it from text."""
    kind = type_of(column.type)
    if kind == "bytea":
        return pa.array([None if each is None else f"\\x{each.hex().upper()}" for each in column.to_pylist()], TEXT)
    if kind == "jsonb":
        return pc.replace_substring(values(column), "\\u0000", "\\ufffd")
    return pc.replace_substring(texts(column), "\0", "\ufffd")


def _listed(names: Iterable[str]) -> Composed:
    from psycopg.sql import SQL, Identifier

    return SQL(", ").join([Identifier(name) for name in names])
