"""Avro's binary encoding: readers of values, each bounded by the bytes that are there.

A reader is given a message and where to begin, and gives back the value and where that ends. None does more than the
message's bytes pay for, whatever lengths and counts it claims. https://avro.apache.org/docs/current/specification/
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

Read = Callable[[bytes, int], tuple[Any, int]]

SHIFTS = range(7, 70, 7)  # a number of 64 bits has ten bytes at most
EMPTY_ITEMS = 100  # of an array whose items take no bytes (nulls, records without fields): nothing else bounds them


class NotAvro(ValueError):
    """Bytes that are not what their schema says."""


def _long(message: bytes, at: int) -> tuple[int, int]:
    number = message[at]
    at += 1
    if number > 127:
        number &= 127
        for shift in SHIFTS:
            byte = message[at]
            at += 1
            number |= (byte & 127) << shift
            if byte < 128:
                break
        else:
            raise NotAvro("a number of more than ten bytes")
        if number >> 64:
            raise NotAvro("a number of more than 64 bits")
    return (number >> 1) ^ -(number & 1), at


def _int(message: bytes, at: int) -> tuple[int, int]:
    number, at = _long(message, at)
    if not -(2**31) <= number < 2**31:
        raise NotAvro("an int of more than 32 bits")
    return number, at


def _length(message: bytes, at: int) -> tuple[int, int]:
    length, at = _long(message, at)
    if not 0 <= length <= len(message) - at:
        raise NotAvro("a length below nothing, or beyond the end of the message")
    return length, at


def _place(message: bytes, at: int) -> tuple[int, int]:
    """The place of a symbol or a branch; one that is not there is seen when it is looked up."""
    place, at = _long(message, at)
    if place < 0:
        raise NotAvro("a place before the first")
    return place, at


def _bytes(message: bytes, at: int) -> tuple[bytes, int]:
    length, at = _length(message, at)
    return message[at : at + length], at + length


def _string(message: bytes, at: int) -> tuple[str, int]:
    length = message[at]
    if length < 128 and not length & 1:  # most are short: their length is one byte
        end = at + 1 + (length >> 1)
        return message[at + 1 : end].decode(), end
    length, at = _length(message, at)
    return message[at : at + length].decode(), at + length


def _boolean(message: bytes, at: int) -> tuple[bool, int]:
    byte = message[at]
    if byte > 1:
        raise NotAvro("neither true nor false")
    return byte == 1, at + 1


def null(_message: bytes, at: int) -> tuple[None, int]:
    return None, at


def _number(form: str) -> Read:
    unpack = struct.Struct(form).unpack_from
    size = struct.calcsize(form)

    def read(message: bytes, at: int) -> tuple[Any, int]:
        return unpack(message, at)[0], at + size

    return read


def fixed_of(size: int) -> Read:
    return lambda message, at: (message[at : at + size], at + size)


def enum_of(symbols: list[str]) -> Read:
    def read(message: bytes, at: int) -> tuple[str, int]:
        place, at = _place(message, at)
        return symbols[place], at

    return read


def union_of(readers: list[Read]) -> Read:
    short = {2 * branch: read for branch, read in enumerate(readers[:64])}  # by its one byte, as most are

    def read(message: bytes, at: int) -> tuple[Any, int]:
        read_branch = short.get(message[at])
        if read_branch is not None:
            return read_branch(message, at + 1)
        branch, at = _place(message, at)
        return readers[branch](message, at)

    return read


def record_of(parts: list[tuple[str | None, Read]]) -> Read:
    def read(message: bytes, at: int) -> tuple[dict[str, Any], int]:
        row = {}
        for name, read_part in parts:
            value, at = read_part(message, at)
            if name is not None:
                row[name] = value
        return row, at

    return read


def array_of(read_item: Read) -> Read:
    def read(message: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        empty = 0
        while True:
            count, end, at = _block(message, at)
            if not count:
                return items, at
            for _ in range(count):
                item, after = read_item(message, at)
                if after == at:
                    empty += 1
                    if empty > EMPTY_ITEMS:
                        raise NotAvro("items of no bytes, too many")
                at = after
                items.append(item)
            _ends(at, end)

    return read


def map_of(read_value: Read) -> Read:
    def read(message: bytes, at: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            count, end, at = _block(message, at)
            if not count:
                return found, at
            for _ in range(count):
                key, at = _string(message, at)
                found[key], at = read_value(message, at)
            _ends(at, end)

    return read


def _block(message: bytes, at: int) -> tuple[int, int | None, int]:
    """How many items follow, where they end if that is said, and where they begin."""
    count, at = _long(message, at)
    end = None
    if count < 0:
        size, at = _length(message, at)
        count, end = -count, at + size
    if count > max(len(message) - at, EMPTY_ITEMS):
        raise NotAvro("more items than the message has bytes left")
    return count, end, at


def _ends(at: int, end: int | None) -> None:
    if end is not None and at != end:
        raise NotAvro("items that end elsewhere than was said")


def converted_of(read: Read, convert: Callable[[Any], Any]) -> Read:
    def read_and_convert(message: bytes, at: int) -> tuple[Any, int]:
        value, at = read(message, at)
        return convert(value), at

    return read_and_convert


PRIMITIVES: dict[str, Read] = {
    "null": null,
    "boolean": _boolean,
    "int": _int,
    "long": _long,
    "float": _number("<f"),
    "double": _number("<d"),
    "bytes": _bytes,
    "string": _string,
}
