"""Bytes as they come over a socket, cut into lines of a bounded length."""

from __future__ import annotations

from collections.abc import Callable

LONGEST_LINE = 16 * 1024 * 1024  # bytes
CUT = b" [Vigie cut this line off at %d bytes]"  # no JSON ends like this, so what was cut goes to quarantine


class Lines:
    """Each byte is looked at once and kept once, however the lines are spread over what is received."""

    def __init__(self, warn: Callable[[int], None], longest: int = LONGEST_LINE) -> None:
        self._warn = warn  # told of each line that is cut off
        self._longest = longest
        self._held = bytearray()  # of the line that has no end yet
        self._length = 0  # of that line, with what was cut off

    def of(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk."""
        *ended, rest = chunk.split(b"\n")
        if ended:
            self._hold(ended[0])
            ended[0] = self._line()
            for at, line in enumerate(ended):
                if at and len(line) > self._longest:
                    self._hold(line)
                    ended[at] = self._line()
        self._hold(rest)
        return ended

    def last(self) -> list[bytes]:
        """What came after the last end of a line, if anything did."""
        return [self._line()] if self._length else []

    def _hold(self, part: bytes) -> None:
        self._held += part[: self._longest - len(self._held)]
        self._length += len(part)

    def _line(self) -> bytes:
        line = bytes(self._held)
        if self._length > self._longest:
            self._warn(self._longest)
            line += CUT % self._longest
        self._held.clear()
        self._length = 0
        return line
