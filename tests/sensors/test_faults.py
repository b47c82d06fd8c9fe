"""The faults of simulated sensors: each is what its label says, and there are as many as were asked for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sensors.feeds import HOUR, START, Feed, a_feed, a_simulation, digest, instant, messages, utc
from vigie.sensors.kinds import KINDS, SPOILERS, wrong_type
from vigie.spoiling import Spoiler

SHARE = 0.1
LEVELS = {"hot": "temperature", "cold": "temperature", "damp": "humidity"}
Reading = dict[str, Any]
Label = dict[str, Any]


@pytest.fixture(scope="module")
def feed() -> Feed:
    return a_feed(SHARE, hours=14)


def before_and_after(feed: Feed, label: Label) -> list[tuple[Reading, Reading]]:
    """Each reading of a fault: as it would have been, and as it was sent."""
    return [(json.loads(feed.sound[each]), feed.heard[each]) for each in feed.under(label)]


def warmed(feed: Feed, label: Label) -> list[float]:
    return [after["temperature"] - before["temperature"] for before, after in before_and_after(feed, label)]


def test_the_share_that_was_asked_for_is_touched(feed: Feed) -> None:
    touched = sum(len(feed.under(label)) for label in feed.labels)

    assert 0.85 * SHARE < touched / len(feed.sound) < 1.15 * SHARE


@pytest.mark.parametrize(("share", "interval"), [(0.01, 60.0), (0.3, 10.0), (0.9, 600.0), (1.0, 30.0)])
def test_the_share_is_kept_whatever_the_interval(share: float, interval: float) -> None:
    feed = a_feed(share, hours=interval / 10, interval=interval, keys=100)

    touched = sum(len(feed.under(label)) for label in feed.labels)
    assert touched / len(feed.sound) == pytest.approx(share, rel=0.35)


def test_there_are_as_many_faults_of_each_kind_as_of_the_others(feed: Feed) -> None:
    counts = Counter(label["kind"] for label in feed.labels)

    assert counts.keys() == KINDS.keys()
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_no_label_speaks_of_is_sent_as_it_would_have_been(feed: Feed) -> None:
    labelled = {each for label in feed.labels for each in feed.under(label)}
    sent = {value for _, value in feed.sent}

    assert all(value in sent for reading, value in feed.sound.items() if reading not in labelled)


def test_nothing_is_sent_that_is_neither_sound_nor_labelled(feed: Feed) -> None:
    allowed = set(feed.sound.values())
    touched = defaultdict(list)
    for label in feed.labels:
        touched[label["sensor_id"]].append((instant(label["from"]), instant(label["to"])))

    for at, value in feed.sent:
        if value not in allowed:
            sensors = [sensor for sensor in touched if sensor.encode() in value] or list(touched)
            assert any(begins <= at < ends + 1 for sensor in sensors for begins, ends in touched[sensor])


def test_a_label_says_what_where_and_when(feed: Feed) -> None:
    for label in feed.labels:
        assert list(label)[:5] == ["kind", "sensor_id", "from", "to", "location"]
        assert START <= instant(label["from"]) <= instant(label["to"])
        assert label["location"] == json.loads(feed.sound[label["sensor_id"], label["from"]])["location"]


def test_a_sensor_has_one_fault_at_a_time_and_is_well_for_an_hour_after() -> None:
    by_sensor = defaultdict(list)
    for label in a_feed(0.01, hours=14).labels:
        by_sensor[label["sensor_id"]].append((instant(label["from"]), instant(label["to"])))

    repeated = [pair for spans in by_sensor.values() for pair in pairwise(sorted(spans))]
    assert repeated
    assert all(after[0] - before[1] > HOUR for before, after in repeated)


def test_a_spike_is_one_or_two_readings_far_off(feed: Feed) -> None:
    for label in feed.of("spike"):
        by = warmed(feed, label)
        assert len(by) in (1, 2) and 6 <= abs(label["by_c"]) <= 15
        assert by == pytest.approx([label["by_c"]] * len(by), abs=0.02)


def test_a_change_is_a_step_that_stays_for_minutes(feed: Feed) -> None:
    for label in feed.of("change"):
        by = warmed(feed, label)
        assert 10 <= len(by) <= 40 and 6 <= abs(label["by_c"]) <= 12
        assert by == pytest.approx([label["by_c"]] * len(by), abs=0.02)


def test_a_rise_goes_on_by_a_tenth_to_three_tenths_of_a_degree_a_reading(feed: Feed) -> None:
    for label in feed.of("rise"):
        by = warmed(feed, label)
        assert 40 <= len(by) <= 80
        assert all(0.07 < after - before < 0.33 for before, after in pairwise([0.0, *by]))


def test_a_stuck_sensor_repeats_its_first_reading_for_long(feed: Feed) -> None:
    for label in feed.of("stuck"):
        [first, *others] = [after for _, after in before_and_after(feed, label)]
        assert 35 * 2 <= len(others) + 1 <= 90 * 2
        assert all({**other, "timestamp": ""} == {**first, "timestamp": ""} for other in others)
        assert first["temperature"] == label["temperature"]


def test_a_silent_sensor_says_nothing(feed: Feed) -> None:
    for label in feed.of("silent"):
        missing = feed.under(label)
        assert 24 <= len(missing) <= 120
        assert not any(each in feed.heard for each in missing)


def test_a_value_out_of_range_is_one_that_no_office_has(feed: Feed) -> None:
    limits = {"temperature": (-50, 50), "humidity": (0, 100), "pressure": (870, 1085)}
    why = set()

    for label in feed.of("out_of_range"):
        [(_, after)] = before_and_after(feed, label)
        lowest, highest = limits[label["field"]]
        assert not lowest <= after[label["field"]] <= highest
        assert after[label["field"]] == pytest.approx(label["value"], abs=0.05)
        why.add(label["why"])

    assert len(why) > 3


@pytest.mark.parametrize("kind", LEVELS)
def test_a_room_gets_hot_cold_or_damp_within_two_minutes_and_stays_so(feed: Feed, kind: str) -> None:
    field = LEVELS[kind]
    for label in feed.of(kind):
        values = [after[field] for _, after in before_and_after(feed, label)]
        assert 16 <= len(values) <= 40
        assert values[3:-3] == pytest.approx([label["level"]] * (len(values) - 6), abs=0.06)
        assert {"hot": label["level"] > 31, "cold": label["level"] < 9, "damp": 83 < label["level"] < 97}[kind]


def test_a_repeat_is_the_same_message_again_within_ten_minutes(feed: Feed) -> None:
    moments = defaultdict(list)
    for at, value in feed.sent:
        moments[value].append(at)

    for label in feed.of("repeat"):
        first, again = moments[feed.sound[label["sensor_id"], label["from"]]]
        assert 0 <= again - first <= 601
        assert again - first == pytest.approx(label["again_after_s"], abs=4)


def test_a_late_reading_comes_one_to_twenty_minutes_later_as_it_was(feed: Feed) -> None:
    moments = {value: at for at, value in feed.sent}

    for label in feed.of("late"):
        late = moments[feed.sound[label["sensor_id"], label["from"]]] - instant(label["from"])
        assert 60 <= late <= 1_205
        assert late == pytest.approx(label["late_s"], abs=4)


def test_a_wrong_clock_is_hours_off_and_its_label_is_true(feed: Feed) -> None:
    for label in feed.of("clock"):
        assert 3_600 <= abs(label["ahead_s"]) <= 43_200
        for sensor, stamp in feed.under(label):
            said = feed.heard[sensor, utc(instant(stamp) + label["ahead_s"])]
            assert said["location"] == label["location"]

    assert {label["ahead_s"] < 0 for label in feed.of("clock")} == {True, False}


def test_a_malformed_message_takes_the_place_of_a_sound_one(feed: Feed) -> None:
    sent = {value for _, value in feed.sent}

    for label in feed.of("malformed"):
        [reading] = feed.under(label)
        assert feed.sound[reading] not in sent
        assert label["how"] in {spoiler.__name__ for spoiler in SPOILERS}


def test_an_unknown_place_is_no_floor_of_a_building(feed: Feed) -> None:
    for label in feed.of("location"):
        said = {after["location"] for _, after in before_and_after(feed, label)}
        assert said == {label["says"]}
        assert "Floor" not in label["says"]


def test_no_fault_breaks_a_line_in_two() -> None:
    sent = messages(a_simulation(faults=1.0), 20_000)

    assert not any(b"\n" in value or b"\r" in value for _, value in sent)


def test_faults_change_nothing_about_the_readings_of_the_well() -> None:
    assert digest(messages(a_simulation(), 1_000)) == digest(messages(a_simulation(faults=1e-12), 1_000))


SOUND = messages(a_simulation(), 1)[0][1]


def refuse(constant: str) -> None:
    raise ValueError(constant)


@given(draw=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_malformed_message_is_no_json_unless_its_types_are_wrong(spoiler: Spoiler, draw: float) -> None:
    spoilt = spoiler(SOUND, draw)

    assert spoilt != SOUND
    if spoiler is wrong_type:
        fields, sound = json.loads(spoilt), json.loads(SOUND)
        [field] = [name for name in sound if fields[name] != sound[name]]
        assert type(fields[field]) is not type(sound[field]) or field == "timestamp"
    else:
        with pytest.raises(ValueError):
            json.loads(spoilt.decode(), parse_constant=refuse)
