"""The benchmark compares like with like: the same bytes each time, and two programs that make the same tables."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from bench.footprint import measured
from bench.handwritten import SILVER
from bench.messages import START, loaded, messages, originals
from bench.speed import compare, span
from deltalake import DeltaTable

from vigie.engine.broker import Broker
from vigie.engine.jars import kafka_jars
from vigie.engine.java import java_home
from vigie.settings import read_settings

ROWS = 60_000  # nearly four minutes of event time: one window closes


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What each program made of the same topic."""
    folder = tmp_path_factory.mktemp("bench")
    settings = read_settings()
    java = java_home(settings.cache)
    by_hand, ours = folder / "by-hand", folder / "vigie"
    with Broker(folder / "kafka", java, kafka_jars(settings.cache, java)) as broker:
        topic = loaded(broker, ROWS)
        for module, lake in (("bench.handwritten", by_hand), ("bench.pipeline", ours)):
            measured(module, broker.servers, topic, str(lake), log=folder / f"{module}.log")
    return by_hand, ours


def test_the_messages_are_the_same_each_time_and_a_quarter_are_repeats() -> None:
    first = list(messages(8_000))

    assert first == list(messages(8_000))
    assert len(set(first)) == originals(8_000) == 6_000


def test_a_longer_topic_begins_as_a_shorter_one() -> None:
    assert list(islice(messages(9_000), 500)) == list(messages(500))


def test_event_times_never_go_back_by_more_than_repeats_do() -> None:
    times = [int(value.split(b'"time_position":')[1].split(b",")[0]) for _, value in messages(20_000)]

    newest = START
    for at in times:
        assert at > newest - 20
        newest = max(newest, at)


def test_both_programs_make_the_same_three_tables(lakes: tuple[Path, Path]) -> None:
    by_hand, ours = lakes

    compare(by_hand, ours, ROWS)

    assert span(by_hand) > 0
    assert span(ours) > 0


def test_a_row_that_one_program_lost_is_found(lakes: tuple[Path, Path]) -> None:
    by_hand, ours = lakes
    table = DeltaTable(str(ours / SILVER))
    before = table.version()
    table.delete(f"time_position = {START} AND icao24 = '380000'")

    try:
        with pytest.raises(SystemExit, match="holds 44,999 rows, and should hold 45,000"):
            compare(by_hand, ours, ROWS)
    finally:
        table.restore(before)
