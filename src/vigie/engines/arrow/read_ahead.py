"""The next batch, read and parsed while this one is judged: the engine computes in a process of its own meanwhile.

Only where more is there than a batch takes: the next batch would come out smaller for having been looked for early.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from vigie.core.engine import Look
from vigie.core.source import Bounds, Position, Source, Span
from vigie.errors import VigieError


@dataclass(frozen=True, slots=True)
class Read:
    """Messages as they came, and parsed where that could be done ahead."""

    messages: pa.Table
    parsed: pa.Table | None = None


class ReadAhead:
    """Looks at one source and reads it, for one batch at a time. What it has looked for is the next batch, whatever
    becomes of reading it."""

    def __init__(self, source: Source, bounds: Bounds, parsed: Callable[[pa.Table], pa.Table | None]) -> None:
        self._source, self._bounds, self._parsed = source, bounds, parsed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._next: Future[tuple[Look, Read | None]] | None = None
        self._span: Span | None = None
        self._read: Read | None = None

    def look(self, position: Position | None, now: datetime | None) -> Look:
        """What is there after a position, or what was when the batch before was read."""
        self._span = self._read = None
        ahead, self._next = self._next, None
        look, self._read = (self._look(position, now), None) if ahead is None else ahead.result()
        self._span = look.found.span
        return look

    def _look(self, position: Position | None, now: datetime | None = None) -> Look:
        return Look(now or datetime.now(UTC), self._source.there(position, self._bounds))

    def read(self, span: Span) -> Read:
        """The messages of what was planned; the same again until another look. What follows is read in the meantime."""
        if self._span is None or self._span.part != span.part:
            self._span, self._read = span, None
        if self._read is None:
            self._read = Read(self._source.read(span))
        if self._span.is_cut and self._next is None:
            self._next = self._thread.submit(self._ahead, self._span.after)
        return self._read

    def _ahead(self, position: Position | None) -> tuple[Look, Read | None]:
        look = self._look(position)
        if look.found.span is None:
            return look, None
        try:
            messages = self._source.read(look.found.span)
        except VigieError:  # it is read again when its batch is due, and says so then
            return look, None
        return look, Read(messages, self._parsed(messages))

    def close(self) -> None:
        """Wait for what is being read: nobody may close the source before."""
        self._thread.shutdown()
