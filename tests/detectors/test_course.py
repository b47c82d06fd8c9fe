"""What leaves its course, against the same reckoned plainly; and how often it is wrong when nothing is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detectors.readings import NOON, said
from tests.reference.detectors import SECOND, Reading
from vigie.detectors import OffCourse

RULE = OffCourse("c", one_in=40, over="4 minutes", together="30 seconds", readings=4, least=0.05)
OVER_S, TOGETHER_S, ROUNDING = 240, 30, 1e-9
NUMBER = pa.float64()


def evidence(readings: Sequence[Reading], rule: OffCourse) -> list[tuple[float, float]]:
    """Of each reading, the evidence against its key and what its last readings add to it, both as logarithms."""
    far = [distance(reading, before(readings, reading, OVER_S), rule) for reading in readings]
    known = [each for each in far if each is not None]
    found = []
    for reading in readings:
        mine = [
            (r, gain(f, known) / beside(readings, r)) for r, f in zip(readings, far, strict=True) if upto(r, reading)
        ]
        recent = [g for r, g in mine if r.at >= reading.at - OVER_S * SECOND]
        calm = max(5, sum(r.at > reading.at - 5 * TOGETHER_S * SECOND for r, _ in mine))
        worst = max(sum(recent[at:]) for at in range(len(recent)))
        found.append((worst, sum(g for _, g in mine[-calm:])))
    return found


def before(readings: Sequence[Reading], to: Reading, seconds: int) -> list[Reading]:
    return [r for r in readings if r.key == to.key and to.at - seconds * SECOND <= r.at < to.at]


def upto(one: Reading, other: Reading) -> bool:
    return one.key == other.key and one.at <= other.at


def beside(readings: Sequence[Reading], to: Reading) -> int:
    return sum(upto(r, to) and r.at > to.at - TOGETHER_S * SECOND for r in readings)


def distance(reading: Reading, past: Sequence[Reading], rule: OffCourse) -> float | None:
    """How far it is from the line through its past, in deviations."""
    if len(past) < rule.readings:
        return None
    minutes = [(r.at - reading.at) / (60 * SECOND) for r in past]
    values = [r.values["c"] for r in past]
    slope, level = np.polyfit(minutes, values, 1)
    left = sum((v - level - slope * m) ** 2 for m, v in zip(minutes, values, strict=True))
    deviation = math.sqrt(left / (len(past) - 2))
    return abs(float(reading.values["c"] - level)) / max(deviation, rule.least)


def off(reading: Reading, past: Sequence[Reading]) -> float | None:
    """By how much it is above the line through its past, where there is one."""
    if len({r.at for r in past}) < 2 or len(past) < 3:
        return None
    minutes = [(r.at - reading.at) / (60 * SECOND) for r in past]
    return float(reading.values["c"] - np.polyfit(minutes, [r.values["c"] for r in past], 1)[1])


def gain(far: float | None, known: Sequence[float]) -> float:
    if far is None:
        return 0.0
    share = sum(other >= far for other in known) / len(known)
    return math.log(1 / (2 * math.sqrt(share)))


@st.composite
def series(draw: st.DrawFn, key: str) -> list[Reading]:
    """Steps, with a remainder that is never the same, so that no rank hangs on the last digit of a sum."""
    at, readings = NOON, []
    for number in range(draw(st.integers(1, 25))):
        value = draw(st.integers(15, 25)) + 0.3 * math.sin(1 + number * 12.9898 + ord(key))
        readings.append(Reading(key, at, {"c": value}))
        at += draw(st.sampled_from([1, 5, 10, 29, 30, 31, 60, 240, 300])) * SECOND
    return readings


@settings(max_examples=100, deadline=None)
@given(one=series("a"), other=series("b"))
def test_it_says_what_the_plain_reckoning_says(one: list[Reading], other: list[Reading]) -> None:
    readings = [*one, *other]
    limit = math.log(RULE.one_in)

    found = said(RULE, readings, NUMBER)

    for reading, verdict, (against, lately) in zip(readings, found, evidence(readings, RULE), strict=True):
        if abs(against - limit) > ROUNDING:
            assert verdict.fires == (against > limit)
        if abs(lately) > ROUNDING:
            assert verdict.clears == (not verdict.fires and lately < 0)
        if (by := off(reading, before(readings, reading, OVER_S))) is not None and verdict.value is not None:
            assert verdict.value == pytest.approx(by, abs=1e-6)


def noise(keys: int, readings: int, every_s: float, hangs_s: float, seed: int) -> list[Reading]:
    """Keys at a level of their own, with noise that forgets half of itself in `hangs_s` seconds."""
    chance = np.random.default_rng(seed)
    keeps = 0.5 ** (every_s / hangs_s)
    values = np.zeros((keys, readings))
    values[:, 0] = chance.standard_normal(keys)
    for at in range(1, readings):
        values[:, at] = keeps * values[:, at - 1] + math.sqrt(1 - keeps**2) * chance.standard_normal(keys)
    return [
        Reading(f"k{key:03}", NOON + round(at * every_s * SECOND), {"c": 20 + float(values[key, at])})
        for key in range(keys)
        for at in range(readings)
    ]


def alarms(rule: OffCourse, readings: list[Reading]) -> int:
    fires = [verdict.fires for verdict in said(rule, readings, NUMBER)]
    return sum(now and not ago for ago, now in pairwise(fires))


def test_false_alarms_keep_to_the_bound() -> None:
    rule, readings = OffCourse("c", one_in=50, over="10 minutes"), noise(60, 200, every_s=30, hangs_s=5, seed=11)

    assert 0 < alarms(rule, readings) <= len(readings) / rule.one_in


def test_a_key_that_is_read_more_often_than_it_changes_keeps_to_the_bound_too() -> None:
    readings = noise(60, 1_200, every_s=5, hangs_s=20, seed=11)
    rule = OffCourse("c", one_in=50, over="10 minutes")
    bound = len(readings) * 5 / 30 / rule.one_in

    assert alarms(rule, readings) <= bound
    assert alarms(replace(rule, together="1 second"), readings) > bound, "when every reading counts by itself"


def test_a_step_is_seen_within_minutes() -> None:
    rule = OffCourse("c", one_in=1_000, over="10 minutes")
    steady = noise(400, 200, every_s=30, hangs_s=5, seed=12)
    stepped_at = NOON + 150 * 30 * SECOND
    stepped = [
        Reading(r.key, r.at, {"c": r.values["c"] + 20}) if r.key == "k007" and r.at >= stepped_at else r for r in steady
    ]

    said_of_it = zip(said(rule, stepped, NUMBER), stepped, strict=True)

    fired = [r.at for verdict, r in said_of_it if r.key == "k007" and verdict.fires]
    assert 0 <= min(fired) - stepped_at <= 5 * 60 * SECOND
