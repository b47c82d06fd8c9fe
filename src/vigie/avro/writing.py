"""JSON messages as framed Avro: what the feed does on its way to Kafka with those of an Avro source."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, DecimalException
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union

import msgspec
from msgspec import Meta

from vigie.avro.schemas import FLOAT_LIMIT, Kind, branches, definitions, fields, kind_of, parsed
from vigie.numerals import Numeral, json_decoder

log = logging.getLogger(__name__)

UNHELD = (ValueError, TypeError, OverflowError, DecimalException)  # what fastavro raises at a value
PLAIN = {
    "null": None,
    "boolean": bool,
    "int": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "long": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "float": Annotated[float, Meta(gt=-FLOAT_LIMIT, lt=FLOAT_LIMIT)],
    "double": float,
    "bytes": bytes,
    "string": str,
    "int date": date,
    "bytes decimal": Numeral,
    "fixed decimal": Numeral,
}
INSTANTS = {"long timestamp-millis", "long timestamp-micros"}

Encode = Callable[[bytes], bytes]


def encoder(text: str, number: int) -> Encode:
    """A function from JSON messages to framed Avro, under the number that the registry gave the schema.

    Fields that the schema does not have are left out; those that can be null, or have a default, may be missing. A
    message that the schema cannot hold goes as it is: it is no valid Avro, and quarantine has it byte for byte.
    """
    from fastavro import schemaless_writer

    schema = parsed(text)
    frame = b"\0" + number.to_bytes(4, "big")
    named = definitions(schema)
    zoned, any_zone = (json_decoder(_shape(schema, named, zone)).decode for zone in (True, None))
    told: list[Exception] = []

    def encode(message: bytes) -> bytes:
        out = io.BytesIO()
        out.write(frame)
        try:
            said = message.decode()
            try:
                row = zoned(said)
            except msgspec.ValidationError:
                row = _in_utc(any_zone(said))
            schemaless_writer(out, schema, row)
        except (msgspec.MsgspecError, RecursionError, *UNHELD) as problem:
            if not told:
                log.warning("A message does not fit its schema, and goes as it is, as others like it: %s", problem)
                told.append(problem)
            return message
        return out.getvalue()

    return encode


def _in_utc(value: Any) -> Any:
    """The value with its instants that name no zone in UTC: fastavro would take them for this machine's."""
    if isinstance(value, dict):
        return {name: _in_utc(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_in_utc(part) for part in value]
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _shape(kind: Kind, named: Mapping[str, Kind], zone: bool | None, within: tuple[str, ...] = ()) -> Any:
    """A type for msgspec of the JSON that the schema holds. `zone` says whether an instant must name one."""
    union = branches(kind)
    if union is not None:
        parts = [_shape(branch, named, zone, within) for branch in union]
        if len({*parts} - {None}) > 1:  # beside another type msgspec takes none but its own
            parts = [Decimal if part is Numeral else part for part in parts]
        return Union[tuple(parts)]  # noqa: UP007  (there is no `|` of many)
    kind = named.get(kind_of(kind), kind)
    name = kind_of(kind)
    meant = f"{name} {kind.get('logicalType')}" if isinstance(kind, dict) else name
    if meant in INSTANTS:
        return Annotated[datetime, Meta(tz=zone)]
    if meant in PLAIN or name in PLAIN:
        return PLAIN.get(meant, PLAIN.get(name))
    if name == "array":
        return list[_shape(kind["items"], named, zone, within)]  # type: ignore[misc]
    if name == "map":
        return dict[str, _shape(kind["values"], named, zone, within)]  # type: ignore[misc]
    return _named_shape(kind, named, zone, within)


def _named_shape(kind: Kind, named: Mapping[str, Kind], zone: bool | None, within: tuple[str, ...]) -> Any:
    if kind_of(kind) == "enum":
        return Literal[tuple(kind["symbols"])]
    if kind_of(kind) == "fixed":
        return Annotated[bytes, Meta(min_length=kind["size"], max_length=kind["size"])]
    if kind["name"] in within:
        return Any  # a type that holds itself: fastavro looks at what is in it
    within = (*within, kind["name"])
    optional = {field["name"] for field in kind["fields"] if "default" in field or _may_be_null(field["type"])}
    parts = {each: _shape(inner, named, zone, within) for each, inner in fields(kind).items()}
    shape = {each: NotRequired[part] if each in optional else part for each, part in parts.items()}
    return TypedDict("Record", shape)  # type: ignore[operator]


def _may_be_null(kind: Kind) -> bool:
    return kind_of(kind) == "null" or "null" in (branches(kind) or ())
