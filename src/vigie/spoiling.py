"""What breaks a message on its way, whatever it is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

Message = tuple[bytes | None, bytes]  # key and value
# A spoiler gets a whole message and a draw of 0..1, and never puts a line end into it.
Spoiler = Callable[[bytes, float], bytes]


def truncated(message: bytes, draw: float) -> bytes:
    return message[: 1 + int(draw * (len(message) - 1))]


def single_quotes(message: bytes, _: float) -> bytes:
    return message.replace(b'"', b"'")


def trailing_text(message: bytes, draw: float) -> bytes:
    return message + (b" ok", b"}", b";", b",")[int(draw * 4)]


def two_objects(message: bytes, draw: float) -> bytes:
    return message + (b"", b" ")[int(draw * 2)] + message


def empty(_: bytes, draw: float) -> bytes:
    return (b"", b" ")[int(draw * 2)]


def without_number(message: bytes, field: bytes) -> bytes:
    """The message with NaN, which no JSON has, in a field of which it has a number."""
    return re.sub(rb'("%b": ?)[^,]+' % field, rb"\1NaN", message)


def with_bad_utf8(message: bytes, before: bytes, draw: float) -> bytes:
    """The message with bytes that are no text, straight after the text `before`."""
    cut = message.index(before) + len(before)
    return message[:cut] + (b"\xff\xfe", b"C\xf4te ", b"\xed\xa0\x80")[int(draw * 3)] + message[cut:]


def changed(message: bytes, fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(message), **fields})
