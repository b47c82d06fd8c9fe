"""Rows of Arrow as JSON, character for character as Spark's `to_json` writes them with `ignoreNullFields` false.

Instants are in UTC. What JSON has no number for is a text (`"NaN"`, `"-Infinity"`), bytes are in base64, and a key of a
map that is a moment is Spark's own number for it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_text import (
    TEXT,
    as_lists,
    bracketed,
    instants,
    is_bytes,
    is_text,
    joined,
    mended,
    or_null,
    texts,
    where_it_is,
)

MILLIS, MICROS = 3, 6  # digits of a second that are written
ESCAPES = {"\\": "\\\\", '"': '\\"'} | {chr(code): f"\\u{code:04X}" for code in range(32)}
ESCAPES |= {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
ESCAPED = r'[\x00-\x1f"\\]'


def objects(batch: pa.RecordBatch, digits: int = MILLIS) -> pa.Array:
    """Each row as an object."""
    return _objects(batch.schema.names, batch.columns, digits)


def values(column: pa.Array, digits: int = MILLIS) -> pa.Array:
    """Each value of a column as JSON; null, not the word, where it is null."""
    kind = column.type
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        return where_it_is(column, _objects(names, column.flatten(), digits))
    if pa.types.is_map(kind):
        lists = as_lists(column)
        keys, items = lists.flatten().flatten()
        entries = joined(_quoted(_escaped(_names(keys))), ":", or_null(values(items, digits)))
        return bracketed(lists, entries, "{}", ",")
    if pa.types.is_nested(kind):
        return bracketed(column, or_null(values(column.flatten(), digits)), "[]", ",")
    return _plain(column.dictionary_decode() if pa.types.is_dictionary(kind) else column, digits)


def _plain(column: pa.Array, digits: int) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _quoted(_moments(column, digits))
    if pa.types.is_date(kind):
        return _quoted(texts(column))
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(column), texts(column), _quoted(texts(column)))
    if is_bytes(kind):
        return _quoted(
            pa.array([None if each is None else b64encode(each).decode() for each in column.to_pylist()], TEXT)
        )
    if is_text(kind):
        return _quoted(_escaped(mended(column)))
    return texts(column)


def _objects(names: Sequence[str], columns: Sequence[pa.Array], digits: int) -> pa.Array:
    named = [_quoted(_escaped(pa.array([name], TEXT)))[0].as_py() for name in names]
    fields = [
        part
        for name, column in zip(named, columns, strict=True)
        for part in (",", f"{name}:", or_null(values(column, digits)))
    ]
    return joined("{", *fields[1:], "}")


def _moments(column: pa.Array, digits: int) -> pa.Array:
    whole = pc.replace_substring(instants(column), " ", "T")
    cut = whole if digits == MICROS else pc.utf8_slice_codeunits(whole, 0, digits - MICROS)
    return joined(cut, "Z" if column.type.tz else "")


def _names(keys: pa.Array) -> pa.Array:
    """Keys of a map as the names of fields."""
    if pa.types.is_timestamp(keys.type):
        return texts(keys.cast(pa.timestamp("us")).cast(pa.int64()))
    return texts(keys.cast(pa.int32()) if pa.types.is_date(keys.type) else keys)


def _escaped(found: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(found, ESCAPED)).as_py():
        for character, written in ESCAPES.items():
            found = pc.replace_substring(found, character, written)
    return found


def _quoted(found: pa.Array) -> pa.Array:
    return joined('"', found, '"')
