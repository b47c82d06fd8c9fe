"""What is usual for a key, and what is not."""

from __future__ import annotations

import pytest

from tests.detectors.readings import firing
from vigie.detectors import AboveUsual, FarFromMedian, Outlier
from vigie.graph import Detector

CALM = [20.0, 20.5, 19.5, 20.0, 20.5, 19.5, 20.0, 20.5, 19.5, 20.0]


def test_what_is_far_above_the_mean_is_unusual() -> None:
    assert firing(AboveUsual("c"), *CALM, 21.5) == [False] * 10 + [True]


def test_what_is_far_below_the_mean_is_not_above_it() -> None:
    assert not any(firing(AboveUsual("c"), *CALM, 5))


def test_what_is_not_far_enough_in_degrees_is_usual_however_calm_it_was() -> None:
    assert not any(firing(AboveUsual("c", least=2), *CALM, 21.5))


@pytest.mark.parametrize("value", [0.1, 21.3, 1e-7, 123456.789, 0.0])
def test_a_value_that_never_changes_is_usual(value: float) -> None:
    assert not any(firing(AboveUsual("c"), *[value] * 100))
    assert not any(firing(Outlier("c"), *[value] * 100))
    assert not any(firing(FarFromMedian("c"), *[value] * 100))


def test_it_is_over_when_the_value_is_half_the_way_back() -> None:
    alternating = [10.0, 12.0] * 5  # a mean of 11, a deviation of 1.054

    assert firing(AboveUsual("c", deviations=4), *alternating, 16, 15.5, 14)[-3:] == [True, True, False]


@pytest.mark.parametrize("rule", [AboveUsual("c"), Outlier("c"), FarFromMedian("c")])
def test_nothing_is_unusual_before_enough_is_known(rule: Detector) -> None:
    assert firing(rule, *CALM[:9], 99.0)[-1] is False
    assert firing(rule, *CALM, 99.0)[-1] is True


@pytest.mark.parametrize(
    "rule", [AboveUsual("c", over="5 minutes"), Outlier("c", over="5 minutes"), FarFromMedian("c", over="5 minutes")]
)
def test_when_too_little_is_known_of_the_last_while_it_is_over(rule: Detector) -> None:
    assert firing(rule, *CALM, 99.0, None, 99.0)[-3:] == [True, True, False]


def test_an_outlier_is_a_z_above_three_by_the_mean_and_standard_deviation_of_what_came_before() -> None:
    alternating = [19.0, 21.0] * 10  # a mean of 20, a deviation of 1.026

    assert not any(firing(Outlier("c"), *alternating))
    assert firing(Outlier("c"), *alternating, 23.5)[-1] is True
    assert firing(Outlier("c"), *alternating, 16.5)[-1] is True
    assert firing(Outlier("c"), *alternating, 23.0)[-1] is False


def test_where_all_was_the_same_any_other_value_is_an_outlier() -> None:
    assert firing(Outlier("c"), *[20.0] * 10, 20.1)[-1] is True


def test_what_is_far_from_the_median_does_not_widen_what_is_usual() -> None:
    far_out = [*CALM, 90.0, *CALM, 22.5]

    assert firing(FarFromMedian("c", least=0.1), *far_out)[10] is True
    assert firing(FarFromMedian("c", least=0.1), *far_out)[-1] is True
    assert firing(AboveUsual("c"), *far_out)[-1] is False


def test_what_is_far_from_the_median_may_be_on_either_side() -> None:
    assert firing(FarFromMedian("c"), *CALM, 15.0)[-1] is True


def test_a_calm_sensor_is_not_held_to_its_noise() -> None:
    calm = [20.0] * 10

    assert firing(FarFromMedian("c", least=0.5), *calm, 21.4)[-1] is False
    assert firing(FarFromMedian("c", least=0.5), *calm, 21.6)[-1] is True


@pytest.mark.parametrize("rule", [AboveUsual("c"), Outlier("c"), FarFromMedian("c")])
def test_what_is_beyond_all_measure_is_passed_over(rule: Detector) -> None:
    beyond = [1e200, float("inf"), float("nan"), None, -1e300]

    assert firing(rule, *CALM, *beyond, 99.0) == [False] * 15 + [True]
