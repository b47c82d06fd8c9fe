"""The daily DAG, run by Airflow itself, with SQLite and without any of its servers.

Airflow's environment (290 MB) comes from the registry of packages once; each run of the DAG takes half a minute.
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from tests.activity import days
from tests.activity.warehouse import HOUSE, all_same, expected, make, marts
from tests.tier import NIGHTLY, nightly
from vigie.activity import daily
from vigie.lake import Lake, rows

DAYS = 4

pytestmark = pytest.mark.timeout(1_500)


def run(lake: Lake, day: object, *settings: str) -> subprocess.CompletedProcess[str]:
    own = f"LAKE={lake}", f"DAY={day}", f"AIRFLOW_HOME={lake.root.parent / 'airflow'}"
    return make("airflow", "-o", "setup", *own, *settings)


def would_backfill(lake: Lake, first: date, last: date) -> list[date]:
    """The days that Airflow would run for this span."""
    own = os.environ | {"AIRFLOW_HOME": str(lake.root.parent / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    asked = ["backfill", "create", "--dry-run", "--dag-id", "daily_statistics", "--from-date", f"{first}", "--to-date"]
    answer = subprocess.run([HOUSE / ".venv-airflow/bin/airflow", *asked, f"{last}"], env=own, capture_output=True,
                            text=True, check=True)  # fmt: skip
    return [date.fromisoformat(found) for found in re.findall(r"^\| (\S+) 00:00:00", answer.stdout, re.MULTILINE)]


@nightly
def test_a_day_that_runs_twice_comes_to_the_same(tmp_path: Path) -> None:
    activity, wikis = days.random_events(2_000, DAYS, seed=1), days.random_changes(1_000, DAYS, seed=1)
    lake = days.kept(Lake.at(tmp_path / "lake"), activity, wikis)
    day = days.day(DAYS - 1)
    if NIGHTLY:
        too_early = run(lake, day)
        assert too_early.returncode != 0
        assert f"{day} has not been read to its end" in too_early.stdout + too_early.stderr
    days.kept(lake, *days.after(DAYS - 1))

    first = run(lake, day)
    once = rows(lake.gold(daily.TABLE)), marts(lake)
    second = run(lake, day)

    assert (first.returncode, second.returncode) == (0, 0), first.stdout + second.stdout
    [row] = once[0]
    assert (row["day"], row["events"]) == (day, days.on(activity, day).height)
    built = pl.col("event_timestamp").dt.date() >= days.day(DAYS - 3)
    all_same(once[1], expected(activity.filter(built), wikis.filter(built)))
    assert rows(lake.gold(daily.TABLE)) == once[0]
    all_same(marts(lake), once[1])
    to_come = [days.day(DAYS + more) for more in range(3)]
    assert would_backfill(lake, to_come[0], to_come[-1]) == to_come


def test_a_day_that_fails_says_so_and_ends_there_also_with_the_dag_of_the_example(tmp_path: Path) -> None:
    lake = days.kept(
        Lake.at(tmp_path / "lake"), days.events(days.an_event(), days.an_event()), days.changes(days.a_change())
    )
    days.kept(lake, *days.after(1))

    answer = run(lake, days.day(1), f"AIRFLOW__CORE__DAGS_FOLDER={HOUSE / 'examples/activity/dags'}")

    assert answer.returncode != 0
    said = answer.stdout + answer.stderr
    assert "Failure in test unique_stg_user_activity_event_id" in said
    assert "Looking after" not in said
    assert len(rows(lake.gold(daily.TABLE))) == 1
