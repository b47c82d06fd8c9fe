"""A source whose server is away is waited for, while the others go on; for ten minutes, and no longer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.core.loops import unexpected
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.backoff import Clock
from vigie.core.away import Away
from vigie.core.ledger import Entry, Ledger
from vigie.core.loop import Loop
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Span, There
from vigie.engines.embedded.engine import Embedded
from vigie.errors import SourceAway
from vigie.lake import Lake, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCHEMA = "id STRING, t TIMESTAMP"

stoves = Pipeline("stoves")
heat, draught = stoves.source("heat", schema=SCHEMA, key="id"), stoves.source("draught", schema=SCHEMA, key="id")


@stoves.silver("warm", reads=heat, schema=SCHEMA, event_time="t", late_by="1 minute")
def warm(rows: DataFrame) -> DataFrame:
    return rows


@stoves.silver("airy", reads=draught, schema=SCHEMA, event_time="t", late_by="1 minute")
def airy(rows: DataFrame) -> DataFrame:
    return rows


class Broker(Partitions):
    """A source that may be away when it is asked what is there, or in the middle of being read. Nothing of it is read
    ahead: a batch begins after it was told to be away."""

    is_away = False
    dies_in_reading = False

    def there(self, position: object, bounds: Bounds) -> There:
        if self.is_away:
            raise SourceAway("the Kafka broker went away")
        found = super().there(position, bounds)
        return found if found.span is None else replace(found, span=replace(found.span, is_cut=False))

    def read(self, span: Span) -> pa.Table:
        if self.dies_in_reading or self.is_away:
            self.is_away, self.dies_in_reading = True, False
            raise SourceAway("the Kafka broker went away")
        return super().read(span)


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.clock = Clock(lambda: self.now, Event.wait)


def messages(count: int) -> list[list[tuple[bytes, datetime]]]:
    values = [json.dumps({"id": "a", "t": (NOON + timedelta(seconds=at)).isoformat()}).encode() for at in range(count)]
    return [[(value, NOON + timedelta(hours=1)) for value in values]]


def begun(lake: Path, engine: Embedded, first: Broker, second: Broker, hand: Hand, told: list[Entry]) -> Loop:
    place, graph = Lake(lake), stoves.graph()
    context = RunContext(graph, place, Ledger(place.ledger("stoves"), "stoves", "embedded"))
    sources = {"heat": first, "draught": second}
    loop = Loop.over(context, engine, sources, Bounds(10**9, 10**9), told.extend, unexpected)
    loop.away = Away(hand.clock)
    return loop


def test_the_other_sources_go_on_and_what_was_begun_is_taken_once(
    engine: Embedded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, hand = Broker(messages(30), lambda _left: [10]), Broker(messages(20), lambda _left: [5]), Hand()
    loop = begun(tmp_path, engine, first, second, hand, [])
    loop.ingest()
    first.dies_in_reading = True

    while loop.ingest():
        pass

    assert len(rows(Lake(tmp_path).silver("warm"))) == 10
    assert len(rows(Lake(tmp_path).silver("airy"))) == 20
    assert loop.away, "there may be more"
    assert "heat: the Kafka broker went away. It is asked for again in 5 s; given up in 10 minutes." in caplog.text

    hand.now += 5
    assert not loop.ingest(), "it is away still"
    first.is_away = False
    assert not loop.ingest(), "and not asked before its time"
    hand.now += 5
    while loop.ingest():
        pass

    assert len(rows(Lake(tmp_path).silver("warm"))) == 30
    assert len({row["t"] for row in rows(Lake(tmp_path).silver("warm"))}) == 30
    assert not loop.away


def test_what_stays_away_is_given_up_after_ten_minutes(engine: Embedded, tmp_path: Path) -> None:
    first, second, hand = Broker(messages(30), lambda _left: [10]), Broker(messages(20), lambda _left: [5]), Hand()
    loop = begun(tmp_path, engine, first, second, hand, [])
    first.is_away = True
    loop.ingest()
    hand.now += 599
    loop.ingest()
    hand.now += 5

    with pytest.raises(SourceAway):
        loop.ingest()


def test_one_that_is_away_every_hour_is_waited_for_each_time(engine: Embedded, tmp_path: Path) -> None:
    first, second, hand = Broker(messages(30), lambda _left: [1]), Broker(messages(20), lambda _left: [5]), Hand()
    loop = begun(tmp_path, engine, first, second, hand, [])
    for _ in range(5):
        first.is_away = True
        loop.ingest()
        first.is_away = False
        hand.now += 3_600
        loop.ingest()

    assert len(rows(Lake(tmp_path).silver("warm"))) == 5
