"""Too many readings within a span."""

from __future__ import annotations

from tests.detectors.readings import firing
from vigie.detectors import BackAndForth, Burst


def test_a_burst_fires_with_the_reading_that_is_one_too_many_and_is_over_when_half_are_left() -> None:
    crowd = Burst(times=4, within="1 minute")

    assert firing(crowd, 1, 1, 1, 1, 1, every=20) == [False, False, False, True, True]
    assert not any(firing(crowd, 1, 1, 1, 1, 1, every=21))


def test_only_readings_of_which_the_condition_holds_count() -> None:
    crowd = Burst("c > 30", times=3, within="2 minutes")

    assert firing(crowd, 31, 29, 31, None, 31, 29, 29, 29, every=30) == [False] * 4 + [True] * 2 + [True, False]


def test_what_is_undone_again_and_again_goes_back_and_forth() -> None:
    war = BackAndForth("c", times=3, within="1 hour")

    assert firing(war, 120, -120, 120, -120) == [False, False, False, True]


def test_a_change_by_another_amount_undoes_nothing_and_does_not_end_a_war() -> None:
    war = BackAndForth("c", times=3, within="1 hour")

    assert not any(firing(war, 120, -119, 120, -121, 122))
    assert firing(war, 120, -120, 5, 120, -120, 120)[-1] is True


def test_changes_of_nothing_undo_nothing() -> None:
    assert not any(firing(BackAndForth("c", times=2, within="1 hour"), 0, 0, 0, 0, 0))


def test_what_took_longer_than_the_span_is_no_war() -> None:
    war = BackAndForth("c", times=3, within="2 minutes")

    assert firing(war, 7, -7, 7, -7, every=60)[-1] is True
    assert not any(firing(war, 7, -7, 7, -7, every=61))


def test_a_war_is_over_when_half_as_much_is_undone() -> None:
    war = BackAndForth("c", times=3, within="2 minutes")

    assert firing(war, 7, -7, 7, -7, 1, 1, 1, every=40) == [False, False, False, True, True, True, False]


def test_unless_told_otherwise_a_burst_is_a_hundred_in_a_minute_and_a_war_four_in_an_hour() -> None:
    hundred = firing(Burst(), *[1] * 101, every=0.6)
    war = [9 * (-1) ** number for number in range(5)]

    assert hundred == [False] * 99 + [True] * 2
    assert not any(firing(Burst(), *[1] * 101, every=0.61))
    assert firing(BackAndForth("c"), *war, every=900) == [False] * 4 + [True]
    assert not any(firing(BackAndForth("c"), *war, every=1_201))


def test_it_says_how_many_and_of_what() -> None:
    assert Burst().says(100, 100) == "100 readings within 1 minute"
    assert Burst("c > 30", within="2 minutes").says(3, 3) == "3 readings within 2 minutes: c > 30"
