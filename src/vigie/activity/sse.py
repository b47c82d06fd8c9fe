"""Server-sent events, as they come out of bytes that are cut anywhere.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vigie.backoff import Setback

BOM = b"\xef\xbb\xbf"
LONGEST_FRAME = 16 << 20  # bytes


class Frame(NamedTuple):
    """One event: the id to come back with, as it was sent, and what it holds."""

    id: bytes
    data: bytes


class Frames:
    """Puts events together. An event that is not ended by an empty line was never sent."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._begins = True
        self._cut_after_cr = False
        self._id = b""
        self._data: list[bytes] = []
        self._size = 0

    def take(self, chunk: bytes) -> Iterator[Frame]:
        """The events that these bytes end."""
        for line in self._lines(chunk):
            self._size += len(line)
            if self._size > LONGEST_FRAME:
                raise Setback(f"an event has more than {LONGEST_FRAME >> 20} MiB")
            if line:
                self._field(line)
                continue
            if self._data:
                yield Frame(self._id, b"\n".join(self._data))
            self._data, self._size = [], 0

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that these bytes end; they end with CR, LF or both."""
        if self._cut_after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._cut_after_cr = False
        self._bytes += chunk
        if len(self._bytes) > LONGEST_FRAME:
            raise Setback(f"a line has more than {LONGEST_FRAME >> 20} MiB")
        if b"\n" not in chunk and b"\r" not in chunk:
            return
        self._cut_after_cr = self._bytes.endswith(b"\r")
        *lines, rest = bytes(self._bytes).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._bytes = bytearray(rest)
        if self._begins:
            self._begins = False
            lines[0] = lines[0].removeprefix(BOM)
        yield from lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id" and b"\0" not in value:
            self._id = value
