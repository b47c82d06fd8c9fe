"""The columns that DDL declares as Arrow and Delta have them, without an engine: instants in microseconds, UTC. And
what Spark calls a type of Arrow."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from vigie import ddl

INSTANT = pa.timestamp("us", "UTC")
PLAIN = {
    "TEXT": pa.string(), "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INT": pa.int32(), "BIGINT": pa.int64(),
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "BINARY": pa.binary(),
    "TIMESTAMP": INSTANT, "TIMESTAMPTZ": INSTANT, "TIMESTAMPLTZ": INSTANT, "TIMESTAMPNTZ": pa.timestamp("us"),
}  # fmt: skip

NAMES = {
    pa.bool_(): "boolean", pa.int8(): "tinyint", pa.int16(): "smallint", pa.int32(): "int", pa.int64(): "bigint",
    pa.float32(): "float", pa.float64(): "double", pa.date32(): "date", pa.null(): "void",
    pa.string(): "string", pa.large_string(): "string", pa.string_view(): "string",
    pa.binary(): "binary", pa.large_binary(): "binary", pa.binary_view(): "binary",
}  # fmt: skip


def arrow_schema(text: str) -> pa.Schema:
    """The columns of a schema, each of which may be null."""
    return pa.schema([(name, arrow_type(kind)) for name, kind in ddl.columns(text).items()])


def arrow_type(kind: ddl.Type) -> pa.DataType:
    name = kind.this.name
    if name == "DECIMAL":
        digits = [int(each.name) for each in kind.expressions] or [10, 0]
        return pa.decimal128(digits[0], digits[1] if len(digits) > 1 else 0)
    if name == "ARRAY":
        return pa.list_(arrow_type(kind.expressions[0]))
    if name == "MAP":
        of, to = kind.expressions
        return pa.map_(arrow_type(of), arrow_type(to))
    if name == "STRUCT":
        return pa.struct([_field(each) for each in kind.expressions])
    if name in {"VARCHAR", "CHAR"}:
        return pa.string()
    if name in PLAIN:
        return PLAIN[name]
    raise ddl.NotSql(f"{kind.sql(dialect='spark')} is no type that a table can have")


def _field(field: exp.Expr) -> pa.Field:
    kind = field.args["kind"]
    assert isinstance(kind, exp.DataType)
    return pa.field(field.name, arrow_type(kind))


def nullable(kind: pa.DataType) -> pa.DataType:
    """The same type where whatever is in it may be null: one engine says of an element that it never is, another does
    not."""
    if pa.types.is_list(kind):
        return pa.list_(nullable(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(nullable(kind.key_type), nullable(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, nullable(field.type)) for field in kind])
    return kind


def all_nullable(schema: pa.Schema) -> pa.Schema:
    """The columns of a table that may lack whatever it holds."""
    return pa.schema([pa.field(field.name, nullable(field.type)) for field in schema])


def spark_name(kind: pa.DataType) -> str:
    """What Spark calls a type, as in `bigint`, `decimal(10,2)` or `array<string>`."""
    if pa.types.is_timestamp(kind):
        return "timestamp" if kind.tz else "timestamp_ntz"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_map(kind):
        return f"map<{spark_name(kind.key_type)},{spark_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{spark_name(field.type)}' for field in kind)}>"
    if pa.types.is_nested(kind):
        return f"array<{spark_name(kind.value_type)}>"
    if kind in NAMES:
        return NAMES[kind]
    raise ddl.NotSql(f"{kind} is no type that a table can have")
