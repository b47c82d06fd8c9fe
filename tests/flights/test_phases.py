"""The rules of one report: its phase of flight and its aircraft's class."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from vigie.flights.classes import aircraft_class
from vigie.flights.phases import flight_phase

Motion = tuple[bool | None, float | None, float | None]

MOTION = "on_ground BOOLEAN, vertical_rate DOUBLE, baro_altitude DOUBLE"
CASES: list[tuple[Motion, str]] = [
    ((True, None, None), "GROUND"),
    ((True, 12.0, 300.0), "GROUND"),
    ((True, -12.0, 300.0), "GROUND"),
    ((False, 12.0, 300.0), "TAKEOFF"),
    ((False, 12.0, -40.0), "TAKEOFF"),
    ((False, 12.0, 999.9), "TAKEOFF"),
    ((False, 12.0, 1_000.0), "CLIMB"),
    ((False, 12.0, 9_000.0), "CLIMB"),
    ((False, 12.0, None), "CLIMB"),
    ((False, 2.6, 300.0), "TAKEOFF"),
    ((False, 2.5, 300.0), "CRUISE"),
    ((False, 0.0, 300.0), "CRUISE"),
    ((False, None, 300.0), "CRUISE"),
    ((False, None, None), "CRUISE"),
    ((False, -2.5, 300.0), "CRUISE"),
    ((False, -2.6, 300.0), "DESCENT"),
    ((False, -12.0, None), "DESCENT"),
    ((None, 12.0, 300.0), "TAKEOFF"),
    ((None, None, None), "CRUISE"),
]


def phases(sail: SparkSession, motions: list[Motion]) -> list[str]:
    """The phase of each report, in order: one partition keeps the rows in theirs."""
    rows = sail.createDataFrame(motions, MOTION).coalesce(1)
    return [row.flight_phase for row in rows.select(flight_phase().alias("flight_phase")).collect()]


def phase_in_words(on_ground: bool | None, rate: float | None, altitude: float | None) -> str:
    """The design's rule, told again without Spark: which way does it go, then where is it?"""
    if on_ground:
        return "GROUND"
    speed = abs(rate or 0.0)
    if speed <= 2.5:
        return "CRUISE"
    if math.copysign(1, rate or 0.0) < 0:
        return "DESCENT"
    return "TAKEOFF" if altitude is not None and altitude < 1_000 else "CLIMB"


def test_each_case_of_the_rule_has_its_phase(sail: SparkSession) -> None:
    motions = [motion for motion, _ in CASES]

    found = dict(zip(motions, phases(sail, motions), strict=True))

    assert found == dict(CASES)


rates = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 2.5, -2.5, math.nextafter(2.5, 3), math.nextafter(-2.5, -3)]),
    st.floats(-80, 80),
)
altitudes = st.one_of(st.none(), st.sampled_from([1_000.0, math.nextafter(1_000, 0)]), st.floats(-500, 15_000))


# One DataFrame of many motions an example: Spark's price is the job, not the row.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([True, False, False, None]), rates, altitudes), min_size=50, max_size=300))
def test_spark_and_the_rule_in_words_agree_on_any_motion(sail: SparkSession, motions: list[Motion]) -> None:
    assert phases(sail, motions) == [phase_in_words(*motion) for motion in motions]


@pytest.mark.parametrize(
    ("categories", "name"),
    [
        ([None, -1, 0, 1, 21, 22, 40], None),
        ([2, 3], "Light"),
        ([4, 5, 6], "Heavy"),
        ([7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], "Other"),
    ],
)
def test_a_category_has_the_class_of_its_kind(
    sail: SparkSession, categories: list[int | None], name: str | None
) -> None:
    rows = sail.createDataFrame([(category,) for category in categories], "category INT")

    classes = [row.name for row in rows.select(aircraft_class().alias("name")).collect()]

    assert classes == [name] * len(categories)
