"""Rows of a table in Arrow, from what tests write down: columns as DDL, values as Python has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from vigie.arrow_types import arrow_schema
from vigie.contracts import Writer
from vigie.core.delivery import ROWS_AT_ONCE


def a_table(ddl: str, *rows: Sequence[Any]) -> pa.Table:
    """The rows, in two parts where there are several, as a batch may come."""
    schema = arrow_schema(ddl)
    parts = [part for part in (rows[:1], rows[1:]) if part] or [()]
    return pa.concat_tables(
        pa.table([_column(part, at, field.type) for at, field in enumerate(schema)], schema=schema) for part in parts
    )


def a_batch(writer: Writer, rows: pa.Table, number: int) -> Callable[[], None]:
    """The rows as a batch of a delivery, to be written as often as it takes."""
    return lambda: writer.write(rows.to_reader(max_chunksize=ROWS_AT_ONCE), number)


def texts_as_they_are(*values: bytes) -> pa.Array:
    """Texts that need not be UTF-8."""
    return pa.array(values, pa.binary()).view(pa.string())


def _column(rows: Sequence[Sequence[Any]], at: int, kind: pa.DataType) -> pa.Array:
    return pa.array([_value(row[at], kind) for row in rows], kind)


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is not None and pa.types.is_map(kind):
        return list(value.items())
    if value is not None and pa.types.is_struct(kind):
        return dict(zip((field.name for field in kind), value, strict=True))
    return value
