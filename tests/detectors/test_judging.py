"""Where rules turn, however many readings are judged at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detectors.readings import NOON, RULES, readings_of, said, series, table_of, turned
from tests.reference.detectors import SECOND, Reading
from vigie.detectors import Above, OffCourse, Silent, SuddenChange, judging, readings
from vigie.detectors.readings import instant
from vigie.graph import Detector

HIGH: dict[str, Detector] = {"HIGH": Above("c", 29)}
OFF_COURSE = OffCourse("halves", one_in=5, over="4 minutes", readings=3)


def test_keys_that_are_judged_a_few_at_a_time_turn_as_they_do_together(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        replace(reading, key=f"k{key}")
        for key in range(20)
        for reading in readings_of("c", *(20 + (key + at) % 13 for at in range(30)))
    ]
    rules: dict[str, Detector] = {"HIGH": Above("c", 29), "JUMP": SuddenChange("c", by=5)}
    fires = {("HIGH", "k3"): 0, ("JUMP", "k4"): 0}

    together = turned(rules, table_of(many, {"c": pa.float64()}), fires)
    monkeypatch.setattr(judging, "AT_ONCE", 100)

    assert turned(rules, table_of(many, {"c": pa.float64()}), fires) == together != []


@settings(max_examples=60, deadline=None)
@given(one=series("a"), other=series("b"), at_once=st.integers(1, 40), data=st.data())
def test_readings_that_are_laid_out_a_few_at_a_time_are_judged_as_they_are_together(
    one: list[Reading], other: list[Reading], at_once: int, data: st.DataObject
) -> None:
    rules = [rule for rule in RULES.values() if not isinstance(rule, Silent)]
    rule = data.draw(st.sampled_from([*rules, OFF_COURSE]))
    together = said(rule, [*one, *other])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings, "AT_ONCE", at_once)
        assert said(rule, [*one, *other]) == together


def test_turns_stand_in_the_order_of_time_then_of_rules_then_of_keys() -> None:
    rules: dict[str, Detector] = {"ZEAL": Above("c", 29), "HIGH": Above("c", 30)}
    rows = [Reading(key, NOON + at * SECOND, {"c": value}) for key in "ba" for at, value in ((0, 20.0), (1, 35.0))]
    rows.append(Reading("c", NOON, {"c": 40.0}))

    found = turned(rules, table_of(rows, {"c": pa.float64()}))

    assert [turn[:3] for turn in found] == [
        ["HIGH", "c", NOON], ["ZEAL", "c", NOON],
        ["HIGH", "a", NOON + SECOND], ["HIGH", "b", NOON + SECOND],
        ["ZEAL", "a", NOON + SECOND], ["ZEAL", "b", NOON + SECOND],
    ]  # fmt: skip


@pytest.mark.parametrize("first", [20.0, 35.0])
def test_two_readings_of_one_moment_are_one_that_fires_when_either_does(first: float) -> None:
    rows = [Reading("a", NOON, {"c": value}) for value in (first, 55 - first)]

    assert turned(HIGH, table_of(rows, {"c": pa.float64()})) == [["HIGH", "a", NOON, True]]


@pytest.mark.parametrize(("since", "ends"), [(NOON - 1, True), (NOON, True), (NOON + 1, False)])
def test_what_fires_since_a_moment_is_ended_by_no_reading_of_before(since: int, ends: bool) -> None:
    row = Reading("a", NOON, {"c": 20.0})

    found = turned(HIGH, table_of([row], {"c": pa.float64()}), {("HIGH", "a"): since})

    assert found == ([["HIGH", "a", NOON, False]] if ends else [])


def test_of_readings_that_come_in_any_order_time_tells_which_is_the_last() -> None:
    rows = [Reading("a", NOON + at * SECOND, {"c": value}) for at, value in ((2, 20.0), (0, 20.0), (1, 35.0))]

    found = turned(HIGH, table_of(rows, {"c": pa.float64()}))

    assert [turn[2:] for turn in found] == [[NOON + SECOND, True], [NOON + 2 * SECOND, False]]


@pytest.mark.parametrize("moment", [0, 1_500_000, -1, 253_402_300_799_999_999])
def test_a_moment_is_so_many_microseconds_after_1970(moment: int) -> None:
    assert instant(moment) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
