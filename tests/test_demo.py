"""When the demo's feed begins: in the past, so that windows close at once, and never over what the lake has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.dashboard.lakes import a_lake
from vigie.demo import begin
from vigie.lake import Lake
from vigie.pipeline import load

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_first_demo_begins_so_long_ago_that_every_window_closes_at_once(tmp_path: Path) -> None:
    began = begin(load("flights").graph(), Lake(tmp_path), NOW.timestamp())

    assert NOW.timestamp() - began == 11 * 60, "five minutes, which are settled six minutes after they are over"


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(timedelta(minutes=2), timedelta(minutes=2)), (timedelta(hours=3), timedelta(minutes=11))],
    ids=["minutes ago", "hours ago"],
)
def test_a_demo_that_is_started_again_begins_after_what_its_lake_has(
    ago: timedelta, expected: timedelta, tmp_path: Path
) -> None:
    lake = a_lake(tmp_path / "lake", until=NOW - ago)

    began = begin(load("flights").graph(), lake, NOW.timestamp())

    assert began == pytest.approx((NOW - expected).timestamp(), abs=11), "a report of each aircraft every ten seconds"


def test_events_from_the_future_do_not_put_the_feed_off(tmp_path: Path) -> None:
    lake = a_lake(tmp_path / "lake", until=NOW + timedelta(hours=1))

    assert begin(load("flights").graph(), lake, NOW.timestamp()) <= NOW.timestamp()
