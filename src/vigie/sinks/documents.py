"""Rows of Arrow as documents of BSON."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa

from vigie.arrow_text import is_text, mended

if TYPE_CHECKING:
    from bson.codec_options import CodecOptions
    from bson.raw_bson import RawBSONDocument
    from pyarrow import RecordBatch

Document = dict[str, Any]
Fault = tuple[Document, str]  # a document and why it was refused

LARGEST = 16 * 1024 * 1024  # the client leaves it to the server to say so, which says it of a whole bulk


class Bulk(NamedTuple):
    """The documents that MongoDB can take, the same in BSON, and those that have no form there or are too large."""

    sound: list[Document]
    forms: list[RawBSONDocument]
    refused: list[Fault]

    def take(self, document: Document, form: RawBSONDocument | str) -> None:
        """Put a document in, in its form, or with the reason for which it has none."""
        if isinstance(form, str):
            self.refused.append((document, form))
        else:
            self.sound.append(document)
            self.forms.append(form)


class Form(Protocol):
    """What becomes of rows."""

    def bulk(self, batch: RecordBatch) -> Bulk: ...


@dataclass(frozen=True, slots=True)
class Rows:
    """The form of a table's rows: a document each, with the columns as fields, under what `key` has."""

    key: tuple[str, ...]

    def bulk(self, batch: RecordBatch) -> Bulk:
        return written(documents(batch, self.key))


def documents(batch: RecordBatch, key: tuple[str, ...]) -> list[Document]:
    """The rows, each under its `_id`: the value of its key, or an object of them when there are several."""
    columns = dict(zip(batch.schema.names, map(values_of, batch.columns), strict=True))
    parts = [columns[name] for name in key]
    ids = parts[0] if len(key) == 1 else [dict(zip(key, of_one, strict=True)) for of_one in zip(*parts, strict=True)]
    names = ("_id", *columns)
    return [dict(zip(names, row, strict=True)) for row in zip(ids, *columns.values(), strict=True)]


def written(rows: list[Document]) -> Bulk:
    """The documents, written down and sifted."""
    bulk = Bulk([], [], [])
    for document in rows:
        bulk.take(document, encoded(document))
    return bulk


def encoded(document: Document) -> RawBSONDocument | str:
    """The document in BSON, or why it has no form there or is too large."""
    from bson import encode
    from bson.errors import BSONError
    from bson.raw_bson import RawBSONDocument

    try:
        form = encode(document, codec_options=codec())
    except (BSONError, ArithmeticError) as problem:  # a NUL in a name, a number with too many digits
        return f"it cannot be written as BSON: {problem}"
    if len(form) > LARGEST:
        return f"it is too large: {len(form):,} bytes, and MongoDB takes {LARGEST:,}"
    return RawBSONDocument(form)


def as_text(document: Document) -> str:
    """The document for a person, in a dead letter."""
    try:
        return json.dumps(document, default=str)
    except TypeError:  # a map whose keys are no texts
        return repr(document)


@functools.cache
def codec() -> CodecOptions[Document]:
    """How values are written that BSON has no form for: exact decimals, and days as their midnight in UTC."""
    from bson.codec_options import CodecOptions, TypeRegistry

    return CodecOptions(document_class=dict, type_registry=TypeRegistry(fallback_encoder=_nearest))


def _nearest(value: Any) -> Any:
    from bson.decimal128 import Decimal128

    if isinstance(value, Decimal):
        return Decimal128(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value  # BSON then says of it that it has no form


def values_of(column: pa.Array) -> list[Any]:
    """What is in a column, as Python has it."""
    from bson.datetime_ms import DatetimeMS

    values: list[Any]
    if pa.types.is_timestamp(column.type):  # the instants of BSON have milliseconds; without a zone, they are of UTC
        values = column.cast(pa.timestamp("ms"), safe=False).to_numpy(zero_copy_only=False).tolist()
        values = [DatetimeMS(value) if isinstance(value, int) else value for value in values]  # beyond Python's years
    elif pa.types.is_nested(column.type):
        values = column.to_pylist(maps_as_pydicts="strict")
    elif is_text(column.type):
        values = mended(column).to_pylist()
    else:  # Arrow is ten times as fast when it is not told what to do with maps
        values = column.to_pylist()
    return values
