"""What an Avro schema says, and which columns can hold it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from vigie import ddl
from vigie.errors import BadDeclaration
from vigie.instants import MICROSECOND
from vigie.numerals import decimal_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
FIRST_DAY, LAST_DAY = date.min.toordinal() - EPOCH_DAY, date.max.toordinal() - EPOCH_DAY
DAY_US = 86_400_000_000
FIRST_US, END_US = FIRST_DAY * DAY_US, (LAST_DAY + 1) * DAY_US
FLOAT_LIMIT = (2 - 2**-24) * 2.0**127  # from here on, the nearest number of four bytes is infinity
DECIMAL_BYTES = 256  # a DECIMAL has 38 digits: 16 bytes
EXACT = Context(prec=700)

Kind = Any  # a type as fastavro's parser leaves it: a name, a union as a list, or a dict
Convert = Callable[[Any], Any]


class NotASchema(ValueError):
    """Text that is no Avro schema."""


class Unfit(ValueError):
    """A value, or a type, that a column cannot hold."""


@lru_cache(maxsize=256)
def parsed(text: str) -> Kind:
    """The schema, with every name in it written out; NotASchema with the reason."""
    from fastavro import parse_schema
    from fastavro.schema import SchemaParseException, UnknownType

    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise NotASchema(f"it is not JSON: {problem}") from problem
    try:
        return parse_schema(said)
    except (SchemaParseException, UnknownType) as problem:
        raise NotASchema(_said(problem)) from problem
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise NotASchema(f"{type(problem).__name__}: {problem}") from problem


def _said(problem: Exception) -> str:
    name = getattr(problem, "name", None)
    return f"it names the type {name}, which it does not define" if name else str(problem)


def text_of(path: Path) -> str:
    """The text of an `.avsc` file; BadDeclaration when it is not there or is no schema of a record."""
    try:
        text = path.read_text(encoding="utf-8")
        if branches(parsed(text)) is not None or kind_of(parsed(text)) != "record":
            raise NotASchema("it is the schema of no record, and a message has fields")
    except OSError as problem:
        raise BadDeclaration(
            f"the Avro schema cannot be read: {problem.strerror}", where=str(path), do="Name an .avsc file."
        ) from problem
    except ValueError as problem:
        raise BadDeclaration(f"this is no Avro schema: {problem}", where=str(path), do="Mend the file.") from problem
    return text


def kind_of(kind: Kind) -> str:
    """The name of a type that is no union: `long`, `record`, or the full name of one that is defined elsewhere."""
    return str(kind["type"] if isinstance(kind, dict) else kind)


def branches(kind: Kind) -> list[Kind] | None:
    """The types of a union; none of what is no union."""
    return kind if isinstance(kind, list) else None


def fields(kind: Kind) -> dict[str, Kind]:
    """The fields of a record, each with its type, in their order."""
    return {field["name"]: field["type"] for field in kind["fields"]}


def definitions(kind: Kind) -> dict[str, Kind]:
    """Every type that is named within, by its full name."""
    found: dict[str, Kind] = {}
    waiting = [kind]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if "name" in each:
                found[each["name"]] = each
            waiting += [field["type"] for field in each.get("fields", ())]
            waiting += [each[part] for part in ("items", "values") if part in each]
    return found


def misfit(kind: Kind, column: pa.DataType, named: Mapping[str, Kind]) -> str | None:
    """Why a column cannot hold every value of a type, if so."""
    union = branches(kind)
    if union is not None:
        found = (misfit(branch, column, named) for branch in union)
        return next((reason for reason in found if reason), None)
    kind = named.get(kind_of(kind), kind)
    name = kind_of(kind)
    if name == "record" and pa.types.is_struct(column):
        inner = fields(kind)
        within = [column.field(at) for at in range(column.num_fields)]
        found = (misfit(inner[field.name], field.type, named) for field in within if field.name in inner)
        return next((reason for reason in found if reason), None)
    if name == "array" and pa.types.is_list(column):
        return misfit(kind["items"], column.value_type, named)
    if name == "map" and pa.types.is_map(column):
        return misfit(kind["values"], column.item_type, named)
    try:
        conversion(kind, column)
    except Unfit as reason:
        return str(reason)
    return None


def conversion(kind: Kind, column: pa.DataType) -> Convert | None:
    """What makes of a plain value what the column holds; none when it is that already, Unfit when nothing does."""
    name = kind_of(kind)
    logical = kind.get("logicalType") if isinstance(kind, dict) else None
    meant = f"{name} {logical}" if (name, logical) in LOGICAL else name
    for wanted, holds, convert in PLACES:
        if meant in wanted and holds(column):
            return convert
    if logical == "decimal" and name in {"bytes", "fixed"} and pa.types.is_decimal(column):
        return partial(_decimal, scale=kind.get("scale", 0))
    raise Unfit(f"{_article(logical or name)} has no place in {_article(str(column))}")


def meaning(kind: Kind, meanings: Mapping[str, Convert]) -> Convert | None:
    """What makes of a plain value what its logical type means: one of `meanings`, or a decimal; none where it has none.

    A decimal of more digits than any column has stays as its bytes.
    """
    logical = kind.get("logicalType") if isinstance(kind, dict) else None
    name = kind_of(kind) if branches(kind) is None else ""
    if (name, logical) in {("bytes", "decimal"), ("fixed", "decimal")}:
        scale = kind.get("scale", 0)
        return lambda value: value if len(value) > DECIMAL_BYTES else _decimal(value, scale)
    return meanings.get(f"{name} {logical}")


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def _decimal(value: bytes, scale: int) -> Decimal:
    if len(value) > DECIMAL_BYTES:
        raise Unfit(f"a decimal of {len(value):,} bytes")  # to make digits of it takes the square of its length
    return Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale, EXACT)


def _finite(value: float) -> float:
    if value - value != 0:
        raise Unfit(f"{value} is no number")
    return value


def _rounded(value: float) -> float:
    if not -FLOAT_LIMIT < value < FLOAT_LIMIT:
        raise Unfit(f"{value} is beyond a FLOAT")
    return value


def _millis(value: int) -> int:
    value *= 1000
    if not FIRST_US <= value < END_US:
        raise Unfit("an instant outside the years 1 to 9999")
    return value


def _micros(value: int) -> int:
    if not FIRST_US <= value < END_US:
        raise Unfit("an instant outside the years 1 to 9999")
    return value


def _days(value: int) -> int:
    if not FIRST_DAY <= value <= LAST_DAY:
        raise Unfit("a day outside the years 1 to 9999")
    return value


def _spelled(text: str) -> Decimal:
    try:
        return decimal_of(text)
    except ValueError as problem:
        raise Unfit(str(problem)) from problem


def _instant(text: str) -> int:
    """An instant as JSON has it: without a zone it is UTC."""
    said = msgspec.convert(text, datetime)
    return _micros(((said if said.tzinfo else said.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND)


LOGICAL = {("long", "timestamp-millis"), ("long", "timestamp-micros"), ("int", "date"),
           ("bytes", "decimal"), ("fixed", "decimal")}  # fmt: skip
# Which types a column holds, and how. What is not in it has no place.
PLACES: tuple[tuple[set[str], Callable[[pa.DataType], bool], Convert | None], ...] = (
    ({"null"}, lambda _: True, None),
    ({"boolean"}, pa.types.is_boolean, None),
    ({"int", "long"}, pa.types.is_signed_integer, None),
    ({"int", "long"}, pa.types.is_floating, None),
    ({"int", "long"}, pa.types.is_decimal, Decimal),
    ({"float", "double"}, pa.types.is_float32, _rounded),
    ({"float", "double"}, pa.types.is_floating, _finite),
    ({"string", "enum"}, pa.types.is_string, None),
    ({"string"}, pa.types.is_timestamp, _instant),
    ({"string"}, pa.types.is_date, partial(msgspec.convert, type=date)),
    ({"string"}, pa.types.is_decimal, _spelled),
    ({"long timestamp-millis"}, pa.types.is_timestamp, _millis),
    ({"long timestamp-micros"}, pa.types.is_timestamp, _micros),
    ({"int date"}, pa.types.is_date, _days),
)


def arrow(kind: ddl.Type) -> pa.DataType:
    """The column that DDL declares, as Arrow has it."""
    inner = list(kind.expressions)
    match kind.this.name:
        case "ARRAY":
            return pa.list_(arrow(inner[0]))
        case "MAP":
            return pa.map_(arrow(inner[0]), arrow(inner[1]))
        case "STRUCT":
            return pa.struct([(part.name, arrow(part.args["kind"])) for part in inner])
        case "DECIMAL":
            digits = [int(part.name) for part in inner] or [10, 0]
            return pa.decimal128(*digits)
    return COLUMNS[kind.this.name]


COLUMNS = {
    "TEXT": pa.string(), "BOOLEAN": pa.bool_(), "DATE": pa.date32(),
    "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INT": pa.int32(), "BIGINT": pa.int64(),
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ"), pa.timestamp("us", tz="UTC")),
}  # fmt: skip


def misfits(columns: Mapping[str, ddl.Type], text: str) -> Iterator[str]:
    """Which columns a schema gives what they cannot hold, and why."""
    schema = parsed(text)
    there, named = fields(schema), definitions(schema)
    for name, kind in columns.items():
        if name in there and ddl.unreadable(kind) is None:
            reason = misfit(there[name], arrow(kind), named)
            if reason:
                yield f"the field '{name}' is declared as {kind.sql(dialect='spark')}: {reason}"
