"""Reading a schema as DDL (`icao24 STRING, sensors ARRAY<INT>`) and conditions as SQL, without Spark."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

Type = exp.DataType


class NotSql(ValueError):
    """Text that is not the SQL it should be."""


NO_CONDITIONS = (exp.Literal, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.Concat)
CHANGING = (exp.Rand, exp.Randn, exp.Uuid, exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime)
MOST_DIGITS = 38
# The parser of messages has no name for a field with one of these in its name.
UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')
TYPES = (
    "STRING", "BOOLEAN", "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL", "TIMESTAMP",
    "DATE", "ARRAY", "MAP", "STRUCT", "BYTE", "SHORT", "LONG", "REAL", "DEC", "NUMERIC", "BINARY", "VARIANT",
    "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "INTERVAL", "CHAR", "VARCHAR",
)  # fmt: skip
READABLE = frozenset(
    {"TEXT", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", "DATE"}
    | {"TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ", "ARRAY", "MAP", "STRUCT"}
)


def unreadable(kind: Type) -> str | None:
    """The first part of a type that JSON has no form for, if any."""
    parts = (part for part in kind.find_all(exp.DataType))
    return next((part.sql(dialect="spark") for part in parts if part.this.name not in READABLE), None)


@functools.lru_cache(maxsize=256)
def columns(ddl: str) -> dict[str, Type]:
    """The columns of a schema in their order, each with its type."""
    try:
        _refuse_names_in_quotes(ddl)
        statement = sqlglot.parse_one(f"CREATE TABLE t ({ddl})", dialect="spark")
    except SqlglotError as problem:
        raise NotSql(_no_type(ddl) or _first_line(problem)) from problem
    except RecursionError as problem:
        raise NotSql("types stand within types, deeper than can be read") from problem
    found: dict[str, Type] = {}
    schema = statement.this if isinstance(statement, exp.Create) else None
    for column in schema.expressions if isinstance(schema, exp.Schema) else ():
        kind = column.args.get("kind") if isinstance(column, exp.ColumnDef) else None
        if not isinstance(kind, exp.DataType) or kind.this == exp.DataType.Type.USERDEFINED:
            raise NotSql(f"'{column.sql(dialect='spark')}' is not a column and a type")
        if column.name.lower() in {name.lower() for name in found}:
            raise NotSql(f"column '{column.name}' stands twice (small and large letters count as the same)")
        if "." in column.name or "`" in column.name:
            raise NotSql(f"a column cannot be named '{column.name}': a dot means a field within one")
        if column.name.startswith("_"):
            raise NotSql(f"the name '{column.name}' is the engine's own")
        _refuse_too_many_digits(kind)
        for name in _names(column):
            if not name or UNNAMEABLE.search(name):
                raise NotSql(f"a column cannot be named {name!r}: no double quotes, backslashes or control characters")
        found[column.name] = kind
    if not found:
        raise NotSql("there are no columns in it")
    return found


def _no_type(ddl: str) -> str | None:
    """What stands in the place of a column's type and is none, where it is that."""
    for word in re.findall(r"(?:^|,)\s*(?:\w+|`[^`]+`)\s+([A-Za-z_]\w*)", ddl):
        if word.upper() not in TYPES:
            near = difflib.get_close_matches(word.upper(), TYPES, n=1)
            return f"'{word}' is no type" + (f"; did you mean {near[0]}?" if near else "")
    return None


def _refuse_too_many_digits(kind: Type) -> None:
    for part in kind.find_all(exp.DataType):
        digits = [int(each.name) for each in part.expressions] if part.this.name == "DECIMAL" else []
        if digits and not (0 < digits[0] <= MOST_DIGITS and 0 <= digits[-1] <= digits[0]):
            raise NotSql(f"{part.sql(dialect='spark')} has no place: a DECIMAL has up to {MOST_DIGITS} digits")


def _refuse_names_in_quotes(ddl: str) -> None:
    """sqlglot takes `"q" INT` for a column named q, and Spark takes it for a text that has no place there."""
    before = ","
    for token in sqlglot.tokenize(ddl, dialect="spark"):
        if token.token_type.name == "STRING" and before in {",", "<"}:
            raise NotSql(f"the name '{token.text}' stands in quotes: write it without them, or in `backticks`")
        before = token.text


def _names(column: exp.ColumnDef) -> list[str]:
    """The name of a column, and those of the fields within it."""
    return [part.name for part in column.find_all(exp.ColumnDef)]


def condition(text: str) -> exp.Expr:
    """The condition that a rule states, parsed."""
    try:
        statements = sqlglot.parse(text, dialect="spark")
    except SqlglotError as problem:
        raise NotSql(_first_line(problem)) from problem
    if len(statements) != 1 or statements[0] is None:
        raise NotSql("it is empty, or more than one statement")
    parsed = statements[0]
    if isinstance(parsed, exp.Alias | exp.Command | exp.Query | exp.DDL | exp.DML):
        raise NotSql("it is not a condition")
    if isinstance(parsed.unnest(), NO_CONDITIONS):
        raise NotSql("it gives a value, and not whether something holds")
    if parsed.find(*CHANGING):
        raise NotSql("a rule gives the same answer whenever it is asked: nothing random, and not what time it is now")
    if parsed.find(exp.Query, exp.AggFunc, exp.Window):
        raise NotSql("a rule speaks of one row: no subquery, aggregate or window")
    return parsed


def in_duckdb(text: str) -> str:
    """The condition that a rule states, for DuckDB. As for Spark, a number that is too large is null, and so is the
    logarithm of nothing."""
    return f"TRY({condition(text).transform(_of_more_than_nothing).sql(dialect='duckdb')})"


def columns_in_duckdb(kinds: Mapping[str, Type]) -> str:
    """The columns of a table, as DuckDB declares them."""
    return ", ".join(
        f"{exp.to_identifier(name, quoted=True).sql(dialect='duckdb')} {kind.sql(dialect='duckdb')}"
        for name, kind in kinds.items()
    )


def _of_more_than_nothing(part: exp.Expr) -> exp.Expr:
    if isinstance(part, exp.Ln | exp.Log):
        of = "expression" if isinstance(part, exp.Log) and part.expression else "this"
        number = part.args[of]
        part.set(
            of, exp.Case(ifs=[exp.If(this=exp.GT(this=number.copy(), expression=exp.Literal.number(0)), true=number)])
        )
    return part


def named_columns(parsed: exp.Expr) -> list[str]:
    """The columns a condition names, in their order."""
    return list(dict.fromkeys(_root(column) for column in parsed.find_all(exp.Column)))


def _root(column: exp.Column) -> str:
    return column.parts[0].name  # `position.latitude` names the column `position`


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0].replace("\x1b[4m", "").replace("\x1b[0m", "")
