"""The columns that DDL declares as Arrow and Delta have them, without an engine: instants in microseconds, UTC."""

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
