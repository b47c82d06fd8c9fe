"""How a value moves: a jump, a rise that goes on, a value that never does."""

from __future__ import annotations

import pytest

from tests.detectors.readings import firing
from vigie.detectors import Rising, Stuck, SuddenChange


def test_a_jump_within_a_minute_fires_and_one_that_took_longer_does_not() -> None:
    jump = SuddenChange("c", by=5, within="1 minute")

    assert firing(jump, 20, 25.5, every=60) == [False, True]
    assert firing(jump, 20, 25.5, every=60.000001) == [False, False]


def test_a_jump_of_just_as_much_is_none() -> None:
    assert firing(SuddenChange("c", by=5), 20, 25) == [False, False]


@pytest.mark.parametrize(
    ("before", "after", "by"), [(11.1, 16.1, 5), (16.1, 11.1, 5), (0.1, 0.4, 0.3), (100.2, 100.9, 0.7)]
)
def test_what_is_just_as_much_in_decimals_is_no_jump_whatever_doubles_make_of_it(
    before: float, after: float, by: float
) -> None:
    assert firing(SuddenChange("c", by=by), before, after) == [False, False]
    assert firing(SuddenChange("c", by=by), before, after + (1e-9 if after > before else -1e-9)) == [False, True]


@pytest.mark.parametrize(("first", "last"), [(17.9, 19.9), (20.1, 22.1), (18.3, 20.3)])
def test_a_rise_by_just_as_much_in_decimals_is_enough(first: float, last: float) -> None:
    assert firing(Rising("c", over="1 minute", by=2), first, first + 1, last) == [False, False, True]
    assert not any(firing(Rising("c", over="1 minute", by=2), first, first + 1, last - 1e-9))


def test_a_dip_of_just_as_much_in_decimals_ends_a_rise() -> None:
    rise = Rising("c", over="2 minutes", by=1, dips=0.1)

    assert not any(firing(rise, 20, 21, 21.4, 21.3, 22))
    assert firing(rise, 20, 21, 21.4, 21.31, 22)[-1]


def test_a_fall_is_a_change_as_a_rise_is() -> None:
    assert firing(SuddenChange("c", by=5), 20, 14.5) == [False, True]


def test_a_change_is_over_once_all_of_its_minute_are_near() -> None:
    assert firing(SuddenChange("c", by=5), 20, 30, 30, 30, 30) == [False, True, True, False, False]


def test_a_rise_fires_once_it_has_lasted() -> None:
    assert firing(Rising("c", over="2 minutes", by=3), 1, 2, 3, 4, 5, 6) == [False] * 4 + [True, True]


def test_a_rise_with_a_small_dip_goes_on() -> None:
    values = 1, 2, 1.95, 4, 5

    assert firing(Rising("c", over="2 minutes", by=3, dips=0.1), *values)[-1]
    assert not firing(Rising("c", over="2 minutes", by=3), *values)[-1]


def test_a_fall_ends_a_rise() -> None:
    assert firing(Rising("c", over="1 minute", by=1), 1, 2, 3, 2, 3) == [False, False, True, False, False]


def test_a_rise_that_is_too_small_is_none() -> None:
    assert not any(firing(Rising("c", over="1 minute", by=3), 1.0, 1.5, 2.0, 2.5, 3.0, 3.5))


def test_a_gap_longer_than_the_span_ends_a_rise() -> None:
    assert firing(Rising("c", over="1 minute"), 1, 2, 3, every=60) == [False, True, True]
    assert firing(Rising("c", over="1 minute"), 1, 2, 3, every=61) == [False, False, False]


def test_a_value_that_never_moves_is_stuck_until_it_does() -> None:
    assert firing(Stuck("c", over="1 minute"), 5, 5, 5, 5, 5.1, 5.1) == [False, False, True, True, False, False]


def test_a_reading_without_a_value_neither_ends_a_run_nor_an_alert() -> None:
    assert firing(Stuck("c", over="1 minute"), 5.0, None, 5, None, 6) == [False, False, True, True, False]
    assert firing(Rising("c", over="1 minute"), 1.0, None, 2, None, 1) == [False, False, True, True, False]


def test_it_is_stuck_for_as_long_as_it_likes() -> None:
    assert firing(Stuck("c", over="1 minute"), *[5.0] * 50)[2:] == [True] * 48
