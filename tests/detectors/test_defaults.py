"""What each detector is when only what it cannot do without is said; how far it looks, and what a person is told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

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
from vigie.detectors.judgement import Needs

MINUTE = timedelta(minutes=1)
PLAIN: dict[str, Any] = {
    "above": Above("c", 30),
    "below": Below("c", 10),
    "sudden change": SuddenChange("c", by=5),
    "above usual": AboveUsual("c"),
    "outlier": Outlier("c"),
    "far from median": FarFromMedian("c"),
    "in a row": InARow("c > 1"),
    "rising": Rising("c"),
    "stuck": Stuck("c"),
    "silent": Silent(),
    "burst": Burst(),
    "back and forth": BackAndForth("c"),
    "off course": OffCourse("c"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "above": {"column": "c", "limit": 30, "clears_at": None},
    "below": {"column": "c", "limit": 10, "clears_at": None},
    "sudden change": {"column": "c", "by": 5, "within": "1 minute"},
    "above usual": {"column": "c", "deviations": 2.0, "over": "30 minutes", "readings": 10, "least": 0.0},
    "outlier": {"column": "c", "z": 3.0, "over": "30 minutes", "readings": 10},
    "far from median": {"column": "c", "deviations": 3.0, "over": "30 minutes", "readings": 10, "least": 0.01},
    "in a row": {"condition": "c > 1", "times": 3, "within": "1 hour"},
    "rising": {"column": "c", "over": "15 minutes", "by": 0.0, "dips": 0.0},
    "stuck": {"column": "c", "over": "30 minutes"},
    "silent": {"after": "10 minutes"},
    "burst": {"condition": "", "times": 100, "within": "1 minute"},
    "back and forth": {"column": "c", "times": 4, "within": "1 hour"},
    "off course": {
        "column": "c", "one_in": 100_000, "over": "20 minutes", "together": "30 seconds", "readings": 10, "least": 0.05
    },
}  # fmt: skip
# How far each looks before a reading, and how many readings it needs in a span.
LOOKS: dict[str, tuple[timedelta, Needs | None]] = {
    "above": (0 * MINUTE, None),
    "below": (0 * MINUTE, None),
    "sudden change": (1 * MINUTE, None),
    "above usual": (30 * MINUTE, Needs(10, 30 * MINUTE)),
    "outlier": (30 * MINUTE, Needs(10, 30 * MINUTE)),
    "far from median": (30 * MINUTE, Needs(10, 30 * MINUTE)),
    "in a row": (60 * MINUTE, None),
    "rising": (30 * MINUTE, None),
    "stuck": (60 * MINUTE, None),
    "burst": (1 * MINUTE, None),
    "back and forth": (120 * MINUTE, None),
    "off course": (40 * MINUTE, Needs(10, 20 * MINUTE)),
}
# What each says of a value of 90 and a limit of 120.
SAYS = {
    "above": "c is 90, above 120",
    "below": "c is 90, below 120",
    "sudden change": "c changed by +90 within 1 minute, more than 120",
    "above usual": "c is 90, above what was usual in the last 30 minutes: up to 120",
    "outlier": "c is 90, below 120, which is 3 standard deviations from its mean of the last 30 minutes",
    "far from median": "c is +90 deviations from its median of the last 30 minutes, beyond 120",
    "in a row": "90 readings in a row: c > 1",
    "rising": "c has risen without a break for 2 minutes, by 90",
    "stuck": "c has been 90 in every reading for 2 minutes",
    "silent": "no reading for 1.5 minutes",
    "burst": "90 readings within 1 minute",
    "back and forth": "c went back and forth 90 times within 1 hour",
    "off course": "c has left its course of the last 20 minutes, now by +90",
}
# The first value that each setting must not have, and the last that it may.
EDGES: dict[tuple[str, str], tuple[Any, Any]] = {
    ("sudden change", "by"): (0, 0.001),
    ("above usual", "deviations"): (0, 0.001),
    ("above usual", "readings"): (1, 2),
    ("above usual", "least"): (-0.001, 0),
    ("outlier", "z"): (0, 0.001),
    ("outlier", "readings"): (1, 2),
    ("far from median", "deviations"): (0, 0.001),
    ("far from median", "readings"): (1, 2),
    ("far from median", "least"): (0, 0.001),
    ("in a row", "times"): (1, 2),
    ("rising", "by"): (-0.001, 0),
    ("rising", "dips"): (-0.001, 0),
    ("burst", "times"): (1, 2),
    ("back and forth", "times"): (1, 2),
    ("off course", "one_in"): (1, 1.001),
    ("off course", "readings"): (2, 3),
    ("off course", "least"): (0, 0.001),
    ("off course", "together"): ("20 minutes", "19 minutes 59 seconds"),
    ("off course", "over"): ("30 seconds", "31 seconds"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_not_said_has_the_value_that_is_documented(name: str) -> None:
    assert {each.name: getattr(PLAIN[name], each.name) for each in fields(PLAIN[name])} == SETTINGS[name]


@pytest.mark.parametrize("name", LOOKS)
def test_it_looks_so_far_before_a_reading_and_needs_so_many(name: str) -> None:
    judgement = PLAIN[name].judgement

    assert (judgement.looks_back, judgement.needs) == LOOKS[name]


@pytest.mark.parametrize("name", SAYS)
def test_a_person_is_told_with_units_and_signs(name: str) -> None:
    assert PLAIN[name].says(90, 120) == SAYS[name]


def test_a_burst_says_of_what_it_is_one() -> None:
    assert Burst("c > 1").says(90, 120) == "90 readings within 1 minute: c > 1"


@pytest.mark.parametrize(("name", "setting"), EDGES)
def test_a_setting_is_refused_up_to_its_edge_and_not_beyond(name: str, setting: str) -> None:
    refused, taken = EDGES[name, setting]

    assert len(list(replace(PLAIN[name], **{setting: refused}).problems())) == 1
    assert list(replace(PLAIN[name], **{setting: taken}).problems()) == []


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        (name, setting)
        for name, settings in SETTINGS.items()
        for setting in settings
        if setting in {"column", "condition", "within", "over", "after", "together"}
    ],
)
def test_a_text_that_is_a_number_is_refused_for_every_setting_that_is_text(name: str, setting: str) -> None:
    problems = list(replace(PLAIN[name], **{setting: 7}).problems())

    assert len(problems) == 1
    assert "7 is no " in problems[0]
