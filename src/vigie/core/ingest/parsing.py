"""Bytes to rows: strict JSON, one object a message, and types that are what the schema says.

Spark's own `from_json` takes `NaN`, single quotes, text after the object and two objects on a line, and gives
a null for a value of the wrong type. A typed decoder refuses them all, and tells which of two rules was broken.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import json
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Annotated, Any, TypedDict

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT
from vigie.graph import IS_JSON, MATCHES
from vigie.numerals import Numeral, json_decoder

REFUSED = (pa.ArrowException, decimal.DecimalException)
FLOAT_LIMIT = (2 - 2**-24) * 2.0**127  # from here on, the nearest number of four bytes is infinity
FIRST_MICROS, LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999  # of the years 1 to 9999, from 1970
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
AT_ONCE = 2_048  # messages: so many stay in the processor's cache from their bytes to the columns

Batches = Iterable[pa.RecordBatch]
# From messages to the values of each column and, for each message, the rule it broke.
Values = Callable[[pa.Array], tuple[list[Any], list[str | None]]]


def parser(
    schema: pa.Schema, origin: tuple[str, ...], format_of: Callable[[], Values] | None = None
) -> Callable[[Batches], Batches]:
    """A function for `mapInArrow`, from bronze rows to the fields of `schema`, `received_at`, `_origin` (where
    the message stood) and `_broken` (the rule that it broke, if any).

    `format_of` makes what reads messages, where they are not JSON.
    """

    def parse(batches: Batches) -> Batches:
        values_of = format_of() if format_of is not None else _json(schema)
        for batch in batches:
            messages = batch.column("value")
            parts = [_read(messages.slice(at, AT_ONCE), schema, values_of) for at in _starts(messages)]
            columns = [pa.concat_arrays(column) for column in zip(*(columns for columns, _ in parts), strict=True)]
            broken = pa.array([rule for _, rules in parts for rule in rules], pa.string())
            place = pa.StructArray.from_arrays([batch.column(name) for name in origin], names=list(origin))
            yield pa.RecordBatch.from_arrays(
                [*columns, batch.column("received_at"), place, broken],
                names=[*schema.names, "received_at", "_origin", "_broken"],
            )

    return parse


def parsed_schema(fields: pa.Schema, origin: pa.Schema) -> pa.Schema:
    """The columns of what a parser gives."""
    tail = [("received_at", INSTANT), ("_origin", pa.struct(origin)), ("_broken", pa.string())]
    return pa.schema([*fields, *tail])


def _starts(messages: pa.Array) -> range:
    return range(0, max(len(messages), 1), AT_ONCE)  # no messages have columns too


def _read(messages: pa.Array, schema: pa.Schema, values_of: Values) -> tuple[list[pa.Array], list[str | None]]:
    values, broken = values_of(messages)
    return [_column(field.type, column, broken) for field, column in zip(schema, values, strict=True)], broken


def _json(schema: pa.Schema) -> Values:
    decode = decoder(schema)

    def values_of(messages: pa.Array) -> tuple[list[Any], list[str | None]]:
        rows, broken = decode(messages)
        return [list(map(attrgetter(f"f{at}"), rows)) for at in range(len(schema))], broken

    return values_of


def decoder(schema: pa.Schema) -> Callable[[pa.Array], tuple[list[Any], list[str | None]]]:
    """A function from messages to rows (objects with `f0`, `f1` ...) and, for each, the rule it broke."""
    shape = _row(schema)
    nothing = shape()
    decode = json_decoder(shape).decode

    def decode_text(value: bytes) -> Any:
        value.decode()
        return decode(value)

    def rows_of(messages: pa.Array) -> tuple[list[Any], list[str | None]]:
        values = pc.fill_null(messages, b"").to_pylist()
        rows: list[Any] = []
        broken: list[str | None] = [None] * len(values)
        read = map(decode if _is_text(messages) else decode_text, values)
        while len(rows) < len(values):
            try:
                rows.extend(read)  # up to the first that fails; what came before it stays, and `read` goes on after it
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                at = len(rows)
                rows.append(nothing)
                broken[at] = _rule_broken(values[at])
        return rows, broken

    return rows_of


def _column(kind: pa.DataType, values: list[Any], broken: list[str | None]) -> pa.Array:
    """The values as a column; one that its type cannot hold (a decimal with too many digits) breaks the schema."""
    try:
        return _array(values, kind)
    except REFUSED:
        kept = [value if _fits(value, kind) else None for value in values]
    for at, (value, held) in enumerate(zip(values, kept, strict=True)):
        if value is not None and held is None:
            broken[at] = MATCHES
    return _array(kept, kind)


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        _array([value], kind)
    except REFUSED:
        return False
    return True


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The values, each exactly as it is; one of REFUSED when the type cannot hold one of them."""
    if pa.types.is_timestamp(kind):
        column = _instants(values, kind)
    else:
        column = pa.array([_exact(value, kind) for value in values] if _has_decimals(kind) else values, kind)
    if not _in_years(column):
        raise pa.ArrowInvalid("an instant outside the years 1 to 9999")
    return column


def _instants(values: list[Any], kind: pa.TimestampType) -> pa.Array:
    """The instants as a column. Arrow asks each one for its zone, which takes five times as long as to subtract."""
    try:
        since = [None if value is None else value - EPOCH for value in values]
    except TypeError:  # one without a zone
        return pa.array(values, kind)
    return pa.array(since, pa.duration(kind.unit)).view(pa.int64()).view(kind)


def _has_decimals(kind: pa.DataType) -> bool:
    return pa.types.is_decimal(kind) or any(_has_decimals(kind.field(at).type) for at in range(kind.num_fields))


def _exact(value: Any, kind: pa.DataType) -> Any:
    """The value, with the decimals in it given the very digits of their column.

    Arrow itself takes an exponent for a length: 1e-999999999 ends the process, and 1e-77 becomes 0.
    """
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        least, context = _digits(kind)
        return value.quantize(least, context=context)
    if pa.types.is_list(kind):
        return [_exact(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return {key: _exact(item, kind.item_type) for key, item in value.items()}
    if pa.types.is_struct(kind):
        return {name: _exact(item, kind.field(name).type) for name, item in value.items()}
    return value


@functools.cache
def _digits(kind: pa.Decimal128Type) -> tuple[decimal.Decimal, decimal.Context]:
    """The least step of a decimal column, and arithmetic that refuses to round to it."""
    context = decimal.Context(kind.precision, traps=[decimal.Inexact, decimal.InvalidOperation])
    return decimal.Decimal((0, (1,), -kind.scale)), context


def _in_years(column: pa.Array) -> bool:
    """Whether every instant within is in a year that readers have a name for; an offset can carry it beyond."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        ends = pc.min_max(column)
        return not ends["min"].is_valid or (ends["min"].value >= FIRST_MICROS and ends["max"].value <= LAST_MICROS)
    if pa.types.is_map(kind):
        return _in_years(column.items)
    if pa.types.is_list(kind):
        return _in_years(column.flatten())
    return not pa.types.is_struct(kind) or all(map(_in_years, column.flatten()))


def _rule_broken(value: bytes) -> str:
    """A wrong type can be met before the point where the text stops being JSON, so the text is read again, by
    Python's own reader: it has no types in mind, and reads numbers and letters that no column could hold."""
    try:
        json.loads(value.decode(), parse_constant=_refused, parse_int=len)
    except (ValueError, RecursionError):
        return IS_JSON
    return MATCHES


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_text(values: pa.Array) -> bool:
    try:
        pc.cast(values, pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _row(schema: pa.Schema) -> Any:
    """A msgspec type for an object whose every field may be null or missing."""
    names = {f"f{at}": field for at, field in enumerate(schema)}  # a field's own name need not be Python's
    return msgspec.defstruct(
        "Row",
        [(name, _python_type(field.type) | None, None) for name, field in names.items()],
        rename={name: field.name for name, field in names.items()},
        gc=False,
    )


def _python_type(kind: pa.DataType) -> Any:
    if pa.types.is_signed_integer(kind):
        limit = 2 ** (kind.bit_width - 1)
        return Annotated[int, msgspec.Meta(ge=-limit, le=limit - 1)]
    if pa.types.is_list(kind):
        return list[_python_type(kind.value_type) | None]  # type: ignore[misc]
    if pa.types.is_map(kind):
        return dict[str, _python_type(kind.item_type) | None]  # type: ignore[misc]
    if pa.types.is_struct(kind):
        inner = {kind.field(at).name: _python_type(kind.field(at).type) | None for at in range(kind.num_fields)}
        return TypedDict("Inner", inner, total=False)  # type: ignore[operator]
    if pa.types.is_float32(kind):
        return Annotated[float, msgspec.Meta(gt=-FLOAT_LIMIT, lt=FLOAT_LIMIT)]
    for is_kind, python in PLAIN_TYPES:
        if is_kind(kind):
            return python
    raise TypeError(f"a field of type {kind} cannot be read from JSON")


PLAIN_TYPES: tuple[tuple[Callable[[pa.DataType], bool], Any], ...] = (
    (pa.types.is_string, str),
    (pa.types.is_floating, float),
    (pa.types.is_boolean, bool),
    (pa.types.is_timestamp, datetime.datetime),
    (pa.types.is_date, datetime.date),
    (pa.types.is_decimal, Numeral),
)
