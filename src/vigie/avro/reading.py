"""Framed Avro to values: each message by the schema that it was written with, field by field, and strictly.

A reader is made once for each schema. It is given the message and where to begin, and gives back the value and
where that ends. Positions only ever grow, so a message that was cut short is seen to end beyond its own end.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa

from vigie.avro import binary
from vigie.avro.binary import NotAvro, Read
from vigie.avro.schemas import Convert, Kind, Unfit, branches, conversion, definitions, fields, kind_of, meaning, parsed
from vigie.graph import HAS_SCHEMA, IS_AVRO, MATCHES

FRAME = 5  # bytes before the body: a zero, and the number of the schema
DEEPEST = 100  # values of named types within one another: only a type that holds itself has more

# What a reader meets in a message that is broken, and in a value that its column cannot hold.
BROKEN = (NotAvro, IndexError, struct.error, UnicodeDecodeError, RecursionError)
UNFIT = (Unfit, msgspec.ValidationError)

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """Messages of one schema, as a table reads them: for each field the column it goes to, and its reader; the columns
    that none goes to; and `body`, which reads the whole message for nothing but its form."""

    fields: tuple[tuple[int, Read], ...]
    lacking: tuple[int, ...]
    body: Read

    def is_sound(self, message: bytes) -> bool:
        try:
            _, end = self.body(message, FRAME)
        except BROKEN:
            return False
        return end == len(message)


def decoder(schema: pa.Schema, known: Mapping[int, str]) -> Callable[[pa.Array], tuple[list[Any], list[str | None]]]:
    """A function from messages to the values of each column and, for each message, the rule it broke.

    `known` are the schemas that messages may have been written with, by their numbers.
    """

    def values_of(messages: pa.Array) -> tuple[list[Any], list[str | None]]:
        columns: list[list[Any]] = [[] for _ in range(len(schema) + 1)]  # the last has what is no column
        takers: dict[bytes, _Taker] = {}
        broken: list[str | None] = []
        for row, message in enumerate(messages.to_pylist()):
            taker = takers.get(message[:FRAME]) if message else None
            if taker is not None:
                rule = taker(message)
            elif isinstance(found := _writer(message or b"", schema, known), str):
                rule = found
            else:
                takers[message[:FRAME]] = _taker(found, columns)
                rule = takers[message[:FRAME]](message)
            broken.append(rule)
            if rule is not None:
                for column in columns:
                    del column[row:]
                    column.append(None)
        return columns[:-1], broken

    return values_of


_Taker = Callable[[bytes], str | None]


def _taker(written: Written, columns: list[list[Any]]) -> _Taker:
    """A function that puts a message's values into the columns; the rule that is broken, if one is found on the way."""
    parts = [(read, columns[column].append) for column, read in written.fields]
    parts += [(binary.null, columns[column].append) for column in written.lacking]

    def take(message: bytes) -> str | None:
        at = FRAME
        try:
            for read, put in parts:
                value, at = read(message, at)
                put(value)
        except BROKEN:
            return IS_AVRO
        except UNFIT:
            return MATCHES if written.is_sound(message) else IS_AVRO
        return None if at == len(message) else IS_AVRO

    return take


def _writer(message: bytes, schema: pa.Schema, known: Mapping[int, str]) -> Written | str:
    """How a message is to be read, or the rule that its frame breaks."""
    if len(message) < FRAME or message[0]:
        return IS_AVRO
    text = known.get(number_in(message))
    return HAS_SCHEMA if text is None else written_with(text, schema)


def number_in(message: bytes) -> int:
    """The number of the schema that a framed message was written with."""
    return int.from_bytes(message[1:FRAME], "big")


@lru_cache(maxsize=256)
def written_with(text: str, schema: pa.Schema) -> Written:
    """How messages that were written with a schema are read into these columns: fields are matched by name."""
    kind = parsed(text)
    readers = _Readers(kind)
    body = readers.passing(kind)
    aside = len(schema)
    if branches(kind) is not None or kind_of(kind) != "record":
        return Written(((aside, _refusing(Unfit("it has no fields"))),), (), body)
    columns = {field.name: (at, field.type) for at, field in enumerate(schema)}
    there = fields(kind)
    row = []
    for name, inner in there.items():
        at, column = columns.get(name, (aside, None))
        row.append((at, readers.passing(inner) if column is None else readers.into(inner, column)))
    return Written(tuple(row), tuple(at for name, (at, _) in columns.items() if name not in there), body)


def record_reader(known: Mapping[int, str], meanings: Mapping[str, Convert]) -> Callable[[bytes], Record | str]:
    """A function from messages to their records, with every field that they were written with, or the rule they break.

    `known` are the schemas that messages may have been written with, by their numbers, and `meanings` make of instants
    and days what the caller has for them, by the names of their types (`long timestamp-millis`).
    """
    readers: dict[bytes, Read] = {}

    def read(message: bytes) -> Record | str:
        frame = message[:FRAME]
        if frame not in readers:
            if len(message) < FRAME or message[0]:
                return IS_AVRO
            text = known.get(number_in(message))
            if text is None:
                return HAS_SCHEMA
            readers[frame] = _WholeReaders(parsed(text), meanings).passing(parsed(text))
        try:
            record, end = readers[frame](message, FRAME)
        except BROKEN:
            return IS_AVRO
        if end != len(message):
            return IS_AVRO
        return record if isinstance(record, dict) else MATCHES

    return read


class _Depth(threading.local):
    """How many values of named types are being read within one another: readers are shared by threads."""

    level = 0


class _Readers:
    """The readers of one schema, by the types in it."""

    def __init__(self, kind: Kind) -> None:
        self._named = definitions(kind)
        self._passing: dict[str, Read] = {}
        self._depth = _Depth()

    def into(self, kind: Kind, column: pa.DataType) -> Read:
        """A reader of values that a column holds; it raises Unfit at a value that the column does not."""
        union = branches(kind)
        if union is not None:
            return binary.union_of([self.into(branch, column) for branch in union])
        kind = self._named.get(kind_of(kind), kind)
        name = kind_of(kind)
        if name == "record" and pa.types.is_struct(column):
            inner = {column.field(at).name: column.field(at).type for at in range(column.num_fields)}
            parts = fields(kind).items()
            return binary.record_of(
                [
                    (part, self.into(each, inner[part])) if part in inner else (None, self.passing(each))
                    for part, each in parts
                ]
            )
        if name == "array" and pa.types.is_list(column):
            return binary.array_of(self.into(kind["items"], column.value_type))
        if name == "map" and pa.types.is_map(column):
            return binary.map_of(self.into(kind["values"], column.item_type))
        try:
            convert = conversion(kind, column)
        except Unfit as reason:
            return _refusing(reason)
        read = self.passing(kind)
        return read if convert is None else binary.converted_of(read, convert)

    def passing(self, kind: Kind) -> Read:
        """A reader of values as they are, for those that are no column and for their form alone."""
        union = branches(kind)
        if union is not None:
            return binary.union_of([self.passing(branch) for branch in union])
        name = kind["name"] if isinstance(kind, dict) and "name" in kind else kind_of(kind)
        if name in binary.PRIMITIVES:
            return binary.PRIMITIVES[name]
        if name not in self._named:
            return self._made(kind)

        def read(message: bytes, at: int) -> tuple[Any, int]:
            self._depth.level += 1
            try:
                if self._depth.level > DEEPEST:
                    raise NotAvro("values within one another, too many")
                return self._passing[name](message, at)  # looked up when it is met, because a type may hold itself
            finally:
                self._depth.level -= 1

        if name not in self._passing:
            self._passing[name] = read
            self._passing[name] = self._made(self._named[name])
        return read

    def _made(self, kind: Kind) -> Read:
        match kind_of(kind):
            case "record" | "error":
                parts = fields(kind).items()
                return binary.record_of([(self._kept_as(name), self.passing(each)) for name, each in parts])
            case "array":
                return binary.array_of(self.passing(kind["items"]))
            case "map":
                return binary.map_of(self.passing(kind["values"]))
            case "enum":
                return binary.enum_of(kind["symbols"])
            case "fixed":
                return binary.fixed_of(kind["size"])
        raise TypeError(f"{kind_of(kind)} is no type of Avro")

    def _kept_as(self, _name: str) -> str | None:
        """Under which name a field of a record is kept that is no column."""
        return None


class _WholeReaders(_Readers):
    """Readers that keep every field, and give values as what their logical types mean."""

    def __init__(self, kind: Kind, meanings: Mapping[str, Convert]) -> None:
        super().__init__(kind)
        self._meanings = meanings

    def passing(self, kind: Kind) -> Read:
        read = super().passing(kind)
        convert = meaning(self._named.get(kind_of(kind), kind), self._meanings)
        return read if convert is None else binary.converted_of(read, convert)

    def _kept_as(self, name: str) -> str | None:
        return name


def _refusing(reason: Unfit) -> Read:
    def read(_message: bytes, _at: int) -> tuple[Any, int]:
        raise Unfit(str(reason))

    return read
