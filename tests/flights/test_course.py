"""What aircraft did over the minutes to a report is what is worked out by hand, on either engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from vigie.flights.course import COURSE
from vigie.flights.features import KINDS, REPORT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SCHEMA = """icao24 STRING, event_timestamp TIMESTAMP, velocity_kmh DOUBLE, altitude_meters DOUBLE,
    vertical_rate_ms DOUBLE, heading_deg DOUBLE"""
Row = tuple[str, datetime, float | None, float | None, float | None, float | None]


@pytest.fixture(params=["spark", "sail"])
def session(request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    yield request.getfixturevalue(request.param)


def made(rows: DataFrame) -> pl.DataFrame:
    found = pl.from_arrow(KINDS["minutes"].made(rows).toArrow())
    assert isinstance(found, pl.DataFrame)
    return found.sort("icao24", "event_timestamp")


def course_by_hand(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The last five minutes of each report, worked out report by report."""
    found = []
    for row in rows:
        mine = sorted((other for other in rows if other[0] == row[0]), key=lambda other: other[1])
        lately = [other for other in mine if timedelta() <= row[1] - other[1] <= timedelta(minutes=5)]
        turns, faster = [], []
        for other in lately:
            before = mine[mine.index(other) - 1] if mine.index(other) else None
            if before is None or not timedelta() < other[1] - before[1] <= timedelta(minutes=5):
                continue
            apart = (other[1] - before[1]).total_seconds()
            if other[5] is not None and before[5] is not None:
                angle = abs(other[5] - before[5]) % 360
                turns.append(min(angle, 360 - angle) / apart)
            if other[2] is not None and before[2] is not None:
                faster.append(abs(other[2] - before[2]) / 3.6 / apart)
        speeds = [other[2] for other in lately if other[2] is not None]
        heights = [other[3] for other in lately if other[3] is not None]
        climbs = [other[4] for other in lately if other[4] is not None]
        mean = [sum(each) / len(each) if each else None for each in (speeds, turns, faster)]
        ends = [pick(each) if each else None for pick, each in (
            (min, speeds), (max, speeds), (min, heights), (max, heights), (min, climbs), (max, climbs)
        )]  # fmt: skip
        values = (ends[0], mean[0], ends[1], *ends[2:], *mean[1:])
        found.append({"icao24": row[0], "event_timestamp": row[1], **dict(zip(COURSE, values, strict=True))})
    return found


def reports() -> list[Row]:
    """Of three aircraft, some of whose figures are missing; out of order, and at distances about five minutes."""
    rng = np.random.default_rng(11)

    def maybe(value: float) -> float | None:
        return None if rng.random() < 0.15 else value

    rows: list[Row] = []
    for aircraft in ("aa", "bb", "cc"):
        at = 0.0
        for _ in range(30):
            at += float(rng.choice([1, 15, 60, 200, 299, 300, 300.000001, 301, 900]))
            rows.append((
                aircraft, NOON + timedelta(seconds=at), maybe(rng.uniform(0, 900)), maybe(rng.uniform(0, 12_000)),
                maybe(rng.uniform(-20, 20)), maybe(rng.uniform(0, 360)),
            ))  # fmt: skip
    return [rows[at] for at in rng.permutation(len(rows))]


def test_the_minutes_before_a_report_are_what_they_are_worked_out_by_hand(session: SparkSession) -> None:
    rows = reports()
    first, second = session.createDataFrame(rows[:40], SCHEMA), session.createDataFrame(rows[40:], SCHEMA)

    found = made(first.union(second))  # so that an aircraft begins in more than one partition

    wanted = pl.DataFrame(course_by_hand(rows), schema=found.select("icao24", "event_timestamp", *COURSE).schema)
    assert_frame_equal(found.select(wanted.columns), wanted.sort("icao24", "event_timestamp"), rel_tol=1e-9)
    kept = pl.DataFrame(rows, schema=["icao24", "event_timestamp", *REPORT, "heading_deg"], orient="row")
    assert_frame_equal(found.select(*REPORT), kept.sort("icao24", "event_timestamp").select(*REPORT))


def test_figures_that_cannot_be_are_left_out_and_not_learnt_from(session: SparkSession) -> None:
    rows = session.createDataFrame([("aa", NOON, 1e308, 60_000.0, -1e9, None)], SCHEMA)

    [row] = made(rows).rows(named=True)

    assert [row[name] for name in (*REPORT, *COURSE)] == [None] * (len(REPORT) + len(COURSE))


def test_no_reports_have_no_course(session: SparkSession) -> None:
    found = made(session.createDataFrame([], SCHEMA))

    assert found.is_empty()
    assert found.columns[-len(COURSE) :] == [*COURSE]
