"""The warehouse as tests look at it: what `make` does there, what the marts hold, and what Polars makes of the rows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from polars.testing import assert_frame_equal

from vigie.lake import Lake
from vigie.settings import Settings

HOUSE = Path(__file__).parents[2]
MARTS = ("dim_users", "fct_daily_edits", "fct_daily_page_metrics", "fct_daily_user_metrics")
WRITES = pl.col("type").is_in(["edit", "new"])
BYTES = pl.col("bytes_changed")
INHERITED = ("MAKE", "MFLAGS", "DBT_", "AIRFLOW", "VIGIE_")


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(INHERITED)}
    own |= {"VIGIE_CACHE": str(Settings().cache)} | environment
    return subprocess.run(["make", *words], cwd=HOUSE, env=own, capture_output=True, text=True, check=False)


def marts(lake: Lake) -> dict[str, pl.DataFrame]:
    return {name: mart(lake, name) for name in MARTS}


def mart(lake: Lake, name: str) -> pl.DataFrame:
    with duckdb.connect(lake.root / "warehouse/activity.duckdb", read_only=True) as warehouse:
        warehouse.execute("SET TimeZone = 'UTC'")
        return in_order(warehouse.sql(f"FROM marts.{name}").pl())


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(frame.columns[0])


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert_frame_equal(one, other, check_dtypes=False, check_column_order=False)


def all_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name, rows in one.items():
        same(rows, other[name])


def expected(activity: pl.DataFrame, wikis: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """What the marts must hold, by Polars alone."""
    date = pl.col("event_timestamp").dt.date().alias("activity_date")
    at = pl.col("event_timestamp")

    def daily(frame: pl.DataFrame, name: str, key: str) -> Any:
        return frame.group_by((date.cast(pl.String) + "/" + pl.col(name)).alias(key), date, name)

    users = daily(activity, "user_id", "user_day").agg(
        pl.col("is_bot").any(),
        pl.len().alias("events"),
        (pl.col("action") == "view").sum().alias("views"),
        (pl.col("action") == "purchase").sum().alias("purchases"),
        pl.col("session_id").n_unique().alias("sessions"),
        pl.col("page").n_unique().alias("pages"),
        pl.col("device").n_unique().alias("devices"),
        at.dt.truncate("1m").n_unique().alias("active_minutes"),
        at.min().alias("first_event_at"),
        at.max().alias("last_event_at"),
    )
    pages = daily(activity, "page", "page_day").agg(
        pl.len().alias("events"),
        pl.col("is_bot").sum().alias("bot_events"),
        pl.col("user_id").n_unique().alias("users"),
        pl.col("session_id").n_unique().alias("sessions"),
    )
    edits = daily(wikis, "wiki", "wiki_day").agg(
        pl.len().alias("changes"),
        WRITES.sum().alias("edits"),
        (WRITES & pl.col("is_bot")).sum().alias("bot_edits"),
        (WRITES & pl.col("is_minor")).sum().alias("minor_edits"),
        BYTES.filter(BYTES > 0).sum().alias("bytes_added"),
        (-BYTES.filter(BYTES < 0)).sum().alias("bytes_removed"),
        pl.col("user").filter(WRITES).n_unique().alias("editors"),
        pl.col("title").n_unique().alias("titles"),
    )
    people = activity.group_by("user_id").agg(
        pl.col("is_bot").any(),
        at.min().alias("first_seen_at"),
        at.max().alias("last_seen_at"),
        at.dt.date().n_unique().alias("active_days"),
        pl.len().alias("events"),
    )
    found = dict(zip(MARTS, (people, edits, pages, users), strict=True))
    return {name: in_order(frame) for name, frame in found.items()}
