"""What breaks a message on its way, whatever it is about."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable
from typing import Any

import msgspec

Message = tuple[bytes | None, bytes]  # key and value
# A spoiler gets a whole message and a draw of 0..1, and never puts a line end into it.
Spoiler = Callable[[bytes, float], bytes]


class Held:
    """Messages that are on their way, each until a moment of its own."""

    def __init__(self) -> None:
        self._messages: list[tuple[float, int, Message]] = []
        self._put = 0

    def put(self, until: float, message: Message) -> None:
        self._put += 1
        heapq.heappush(self._messages, (until, self._put, message))

    def due(self, at: float) -> list[Message]:
        """Those that arrive up to a moment, in the order in which they do."""
        arrived = []
        while self._messages and self._messages[0][0] <= at:
            arrived.append(heapq.heappop(self._messages)[2])
        return arrived


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


def without(message: bytes, field: str) -> bytes:
    """The message without one of its fields."""
    fields = msgspec.json.decode(message)
    del fields[field]
    return msgspec.json.encode(fields)
