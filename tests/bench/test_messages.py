"""What the benchmark sends: the same bytes each time, and what a feed has of repeats and impossible values."""

from __future__ import annotations

from itertools import islice

import msgspec

from bench.flights.messages import START, messages, originals
from bench.sensors.messages import messages as readings

READINGS, SENSORS = 20_000, 150


def test_the_messages_are_the_same_each_time_and_a_quarter_are_repeats() -> None:
    first = list(messages(8_000))

    assert first == list(messages(8_000))
    assert len(set(first)) == originals(8_000) == 6_000


def test_a_longer_topic_begins_as_a_shorter_one() -> None:
    assert list(islice(messages(9_000), 500)) == list(messages(500))
    assert list(islice(readings(9_000), 500)) == list(readings(500))


def test_event_times_never_go_back_by_more_than_repeats_do() -> None:
    times = [int(value.split(b'"time_position":')[1].split(b",")[0]) for _, value in messages(20_000)]

    newest = START
    for at in times:
        assert at > newest - 20
        newest = max(newest, at)


def test_readings_are_json_in_the_order_of_their_times_with_repeats_and_impossible_values_among_them() -> None:
    sent = [value for _, value in readings(READINGS, SENSORS)]
    said = [msgspec.json.decode(value) for value in sent]
    stamps = [each["timestamp"] for each in said]

    assert stamps == sorted(stamps)
    assert len(set(sent)) < len(sent)
    assert any(isinstance(each["temperature"], float) and abs(each["temperature"]) > 50 for each in said)
