"""Settings that no detector can work with, and what it says of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.detectors.readings import RULES
from vigie.detectors import (
    Above,
    AboveUsual,
    BackAndForth,
    Below,
    Burst,
    FarFromMedian,
    InARow,
    OffCourse,
    Outlier,
    Rising,
    Silent,
    Stuck,
    SuddenChange,
)
from vigie.graph import Detector

NO_NUMBERS: list[Any] = [math.nan, math.inf, -math.inf, "30", True, None, 10**400, [1]]
BAD: dict[str, tuple[Any, str]] = {
    "clears beyond its limit": (Above("c", 30, clears_at=31), "it clears at 31, which is above its limit of 30"),
    "clears short of its limit": (Below("c", 10, clears_at=9), "it clears at 9, which is below its limit of 10"),
    "clears at no number": (Above("c", 30, clears_at="x"), "clears_at is 'x': it must be a number"),  # type: ignore[arg-type]
    "no column": (Above("", 30), "'' is no column: give its name, as 'temperature_c'"),
    "a taken column": (
        Stuck("Moment"),
        "a column that is looked at cannot be called 'Moment': give it another name in the table",
    ),
    "another taken column": (
        Above("key", 1),
        "a column that is looked at cannot be called 'key': give it another name in the table",
    ),
    "a third": (
        InARow("is_new OR x > 1"),
        "a column that is looked at cannot be called 'is_new': give it another name in the table",
    ),
    "a fourth": (
        Above("heard_at", 1),
        "a column that is looked at cannot be called 'heard_at': give it another name in the table",
    ),
    "a year and a day": (Stuck("c", over="367 days"), "over is 367 days: a year is the most"),
    "a jump of nothing": (SuddenChange("c", by=0), "by is 0: it must be a number above 0"),
    "a negative jump": (SuddenChange("c", by=-5), "by is -5: it must be a number above 0"),
    "a span of nothing": (
        SuddenChange("c", 5, within="0"),
        "within: '0' is not a span of time; write for example '6 minutes', '5s' or '1 hour'",
    ),
    "a burst within nothing": (
        Burst(within="0"),
        "within: '0' is not a span of time; write for example '6 minutes', '5s' or '1 hour'",
    ),
    "a war within nothing": (
        BackAndForth("c", within="0"),
        "within: '0' is not a span of time; write for example '6 minutes', '5s' or '1 hour'",
    ),
    "no seconds": (Silent("0s"), "after is nothing: give it a span, as '15 minutes'"),
    "a span that is a number": (
        Stuck("c", over=30),  # type: ignore[arg-type]
        "over: 30 is no text; write for example '6 minutes', '5s' or '1 hour'",
    ),
    "twenty years": (Stuck("c", over="7300 days"), "over is 7300 days: a year is the most"),
    "no deviations": (AboveUsual("c", deviations=0), "deviations is 0: it must be a number above 0"),
    "less than nothing": (AboveUsual("c", least=-1), "least is -1: it must be a number, and not less than 0"),
    "one reading": (AboveUsual("c", readings=1), "readings is 1: it must be a whole number from 2 to 100000"),
    "half a reading": (Outlier("c", readings=2.5), "readings is 2.5: it must be a whole number from 2 to 100000"),  # type: ignore[arg-type]
    "no z": (Outlier("c", z=0), "z is 0: it must be a number above 0"),
    "no least": (FarFromMedian("c", least=0), "least is 0: it must be a number above 0"),
    "a fall": (Rising("c", by=-1), "by is -1: it must be a number, and not less than 0"),
    "dips that rise": (Rising("c", by=1, dips=-1), "dips is -1: it must be a number, and not less than 0"),
    "dips and no rise": (
        Rising("c", dips=0.1),
        "with dips of 0.1, a value that only trembles rises: say by how much it must, with by",
    ),
    "once in a row": (InARow("c > 1", times=1), "times is 1: it must be a whole number from 2 to 100000"),
    "no condition": (InARow(3), "3 is no condition: write it in SQL, as 'temperature_c > 30'"),  # type: ignore[arg-type]
    "no SQL": (InARow("c >"), "'c >' is not a condition in SQL: "),
    "a value": (
        InARow("c + 1"),
        "'c + 1' is not a condition in SQL: it gives a value, and not whether something holds",
    ),
    "a burst of one": (Burst(times=1), "times is 1: it must be a whole number from 2 to 100000"),
    "a burst of nothing in SQL": (Burst("c >"), "'c >' is not a condition in SQL: "),
    "a burst of what holds always": (Burst("1 = 1"), "'1 = 1' looks at no column: it holds always, or never"),
    "a burst in no time": (Burst(within="0s"), "within is nothing: give it a span, as '15 minutes'"),
    "back and forth once": (BackAndForth("c", times=1), "times is 1: it must be a whole number from 2 to 100000"),
    "nothing back and forth": (BackAndForth(""), "'' is no column: give its name, as 'temperature_c'"),
    "all of it together": (
        OffCourse("c", over="1 minute", together="2 minutes"),
        "together is 2 minutes: it must be shorter than over, 1 minute",
    ),
    "no column in it": (InARow("1 = 1"), "'1 = 1' looks at no column: it holds always, or never"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_setting_that_cannot_work_is_said(name: str) -> None:
    detector, problem = BAD[name]

    found = list(detector.problems())

    assert len(found) == 1
    assert found[0].startswith(problem) if problem.endswith(": ") else found == [problem]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused_wherever_one_is_asked_for(value: Any) -> None:
    detectors: dict[str, list[Detector]] = {
        "limit": [Above("c", value), Below("c", value)],
        "by": [SuddenChange("c", by=value), Rising("c", by=value)],
        "dips": [Rising("c", by=1, dips=value)],
        "deviations": [AboveUsual("c", deviations=value), FarFromMedian("c", deviations=value)],
        "least": [AboveUsual("c", least=value), FarFromMedian("c", least=value)],
        "readings": [kind("c", readings=value) for kind in (AboveUsual, Outlier, FarFromMedian)],
        "z": [Outlier("c", z=value)],
        "times": [InARow("c > 1", times=value), Burst(times=value), BackAndForth("c", times=value)],
    }

    for name, those in detectors.items():
        for detector in those:
            assert [problem.split(" is ")[0] for problem in detector.problems()] == [name], detector


def test_a_leap_year_is_not_too_long() -> None:
    assert list(Stuck("c", over="366 days").problems()) == []


@pytest.mark.parametrize("name", RULES)
def test_settings_that_work_are_left_in_peace(name: str) -> None:
    assert list(RULES[name].problems()) == []
