"""What follows a batch is read while it is judged, and comes to nothing else than reading it afterwards would."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.core.partitions import Partitions
from vigie.core.source import Bounds, Span, There
from vigie.engines.arrow.read_ahead import ReadAhead
from vigie.errors import RunFailed, SourceAway

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BOUNDS = Bounds(10, 10)


@dataclass(slots=True)
class Told(Partitions):
    """One partition of ten messages, four at a time; it fails in the reading or in the looking when it is told to."""

    read_parts: list[list[list[int]]] = field(default_factory=list)
    fails_once: Exception | None = None
    is_away_once: Exception | None = None
    second: threading.Event = field(default_factory=threading.Event)

    def there(self, position: object, bounds: Bounds) -> There:
        self._raised("is_away_once", bool(position))
        return super(Told, self).there(position, bounds)

    def read(self, span: Span) -> pa.Table:
        self.read_parts.append(span.part)
        if len(self.read_parts) == 2:
            self.second.set()
        self._raised("fails_once", span.part != [[0, 4]])
        return super(Told, self).read(span)

    def _raised(self, name: str, is_due: bool) -> None:  # noqa: FBT001
        problem: Exception | None = getattr(self, name)
        if problem is not None and is_due:
            setattr(self, name, None)
            raise problem


def told(take: int = 4) -> Told:
    return Told([[(b"%d" % number, NOON) for number in range(10)]], lambda _left: [take])


@contextmanager
def reading(source: Told) -> Iterator[ReadAhead]:
    with closing(ReadAhead(source, BOUNDS, lambda rows: rows.select(["value"]))) as ahead:
        yield ahead


def values(rows: pa.Table) -> list[bytes]:
    found: list[bytes] = rows["value"].to_pylist()
    return found


def the_first(ahead: ReadAhead) -> Span:
    span = ahead.look(None, NOON).found.span
    assert span is not None
    assert values(ahead.read(span).messages) == [b"0", b"1", b"2", b"3"]
    return span


def the_second(ahead: ReadAhead, after: Span) -> list[bytes]:
    span = ahead.look(after.after, NOON).found.span
    assert span is not None
    return values(ahead.read(span).messages)


def test_the_next_messages_are_read_and_parsed_before_anybody_asks_for_them() -> None:
    source = told()
    with reading(source) as ahead:
        first = the_first(ahead)

        assert source.second.wait(20)
        span = ahead.look(first.after, NOON).found.span
        assert span is not None
        read = ahead.read(span)

    assert values(read.messages) == [b"4", b"5", b"6", b"7"]
    assert read.parsed is not None
    assert values(read.parsed) == values(read.messages)
    assert source.read_parts == [[[0, 4]], [[4, 8]], [[8, 10]]], "none is read twice"


def test_nothing_is_read_ahead_of_a_batch_that_takes_all_there_is() -> None:
    source = told(take=10)
    with reading(source) as ahead:
        span = ahead.look(None, NOON).found.span
        assert span is not None
        assert len(ahead.read(span).messages) == 10

    assert source.read_parts == [[[0, 10]]]


def test_the_messages_of_a_batch_that_is_tried_again_are_those_that_were_read() -> None:
    source = told()
    with reading(source) as ahead:
        first = the_first(ahead)

        again = ahead.read(Span(first.part, first.after, None)).messages

        assert values(again) == [b"0", b"1", b"2", b"3"]
        assert source.read_parts.count([[0, 4]]) == 1


def test_what_could_not_be_read_ahead_is_read_when_its_batch_is_due() -> None:
    source = told()
    source.fails_once = RunFailed("a disk that does not answer")
    with reading(source) as ahead:
        assert the_second(ahead, the_first(ahead)) == [b"4", b"5", b"6", b"7"]

    assert source.read_parts[:3] == [[[0, 4]], [[4, 8]], [[4, 8]]]


def test_a_source_that_goes_away_meanwhile_is_waited_for_like_any_other() -> None:
    source = told()
    source.is_away_once = SourceAway("the broker went away")
    with reading(source) as ahead:
        first = the_first(ahead)

        with pytest.raises(SourceAway):
            ahead.look(first.after, NOON)
        assert the_second(ahead, first) == [b"4", b"5", b"6", b"7"]


def test_what_was_there_is_told_as_of_when_it_was_looked_for() -> None:
    source = told()
    with reading(source) as ahead:
        before = datetime.now(UTC)
        first = the_first(ahead)
        assert source.second.wait(20)

        look = ahead.look(first.after, datetime(2031, 1, 1, tzinfo=UTC))

    assert before <= look.at <= datetime.now(UTC)
    assert look.found.unread == {"0": True}
