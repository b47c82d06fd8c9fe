"""The same thing several times in a row."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.detectors.readings import firing, readings_of, said
from vigie.detectors import InARow


def test_three_in_a_row_fire_and_the_first_that_is_not_ends_it() -> None:
    assert firing(InARow("c > 30"), 31, 31, 31, 31, 29, 31, 31) == [False, False, True, True, False, False, False]


def test_two_and_two_are_no_three() -> None:
    assert not any(firing(InARow("c > 30"), 31, 31, 29, 31, 31))


def test_a_row_that_takes_too_long_is_none() -> None:
    assert firing(InARow("c > 30", within="2 minutes"), 31, 31, 31, every=60)[-1] is True
    assert firing(InARow("c > 30", within="2 minutes"), 31, 31, 31, every=61)[-1] is False


def test_a_row_takes_an_hour_at_most_unless_it_is_told_otherwise() -> None:
    assert firing(InARow("c > 30"), 31, 31, 31, every=1_800)[-1] is True
    assert firing(InARow("c > 30"), 31, 31, 31, every=1_801)[-1] is False
    assert [problem.partition(":")[0] for problem in InARow("c > 30", within="soon").problems()] == ["within"]


def test_what_cannot_be_told_does_not_hold() -> None:
    assert firing(InARow("c > 30"), 31.0, 31.0, None, 31, 31, 31) == [False] * 5 + [True]


@pytest.mark.parametrize(
    "nothing", ["CAST(c AS BIGINT) * 9000000000000000000 > 3", "ln(c - 40) > 0", "log(c - 40) > 0"]
)
def test_what_has_no_answer_does_not_hold_and_ends_nothing(nothing: str) -> None:
    assert firing(InARow(nothing), 31, 31, 31) == [False] * 3


def test_the_condition_is_spark_s_sql() -> None:
    assert firing(InARow("`c` BETWEEN 30 AND 40 AND c <=> 31"), 31, 31, 31)[-1] is True
    assert firing(InARow("is_alert"), True, True, True, column="is_alert")[-1] is True


def test_a_reading_says_how_many_in_a_row_it_makes() -> None:
    readings = readings_of("c", 31, 31, 29, 31, 31, 31, 31)
    assert [each.value for each in said(InARow("c > 30"), readings, pa.float64())] == [1, 2, 0, 1, 2, 3, 3]
