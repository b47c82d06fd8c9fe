"""Days of activity for tests: silver's two tables with rows drawn at random, and what they come to, by Polars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from deltalake import write_deltalake

from vigie.lake import Lake

FIRST = date(2026, 3, 27)  # clocks change on the 29th in Europe, and did on the 8th in America
DAY_US = 86_400_000_000
UTC_US = pl.Datetime("us", "UTC")
USER_ACTIVITY = pl.Schema(
    {
        "event_id": pl.String(),
        "user_id": pl.String(),
        "session_id": pl.String(),
        "event_timestamp": UTC_US,
        "action": pl.String(),
        "page": pl.String(),
        "device": pl.String(),
        "is_bot": pl.Boolean(),
        "schema_version": pl.Int32(),
    }
)
RECENT_CHANGES = pl.Schema(
    {
        "event_id": pl.String(),
        "event_timestamp": UTC_US,
        "wiki": pl.String(),
        "type": pl.String(),
        "title": pl.String(),
        "user": pl.String(),
        "is_bot": pl.Boolean(),
        "is_minor": pl.Boolean(),
        "bytes_changed": pl.Int64(),
    }
)


def an_event(**fields: object) -> dict[str, object]:
    event = {
        "event_id": "e-1",
        "user_id": "user_1",
        "session_id": "s-1",
        "event_timestamp": datetime(2026, 3, 28, 12, tzinfo=UTC),
        "action": "view",
        "page": "/",
        "device": "mobile",
        "is_bot": False,
        "schema_version": 1,
    }
    return event | fields


def a_change(**fields: object) -> dict[str, object]:
    change = {
        "event_id": "c-1",
        "event_timestamp": datetime(2026, 3, 28, 12, tzinfo=UTC),
        "wiki": "frwiki",
        "type": "edit",
        "title": "Vigie",
        "user": "Ada",
        "is_bot": False,
        "is_minor": False,
        "bytes_changed": 10,
    }
    return change | fields


def events(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, USER_ACTIVITY)


def changes(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, RECENT_CHANGES)


def random_events(count: int, days: int, seed: int) -> pl.DataFrame:
    """Events of so many days from FIRST on, the first and last instant of each day among them."""
    rng = np.random.default_rng(seed)
    users = rng.integers(0, 60, count)
    return pl.DataFrame(
        {
            "event_id": [f"e-{seed}-{number}" for number in range(count)],
            "user_id": [f"user_{user}" for user in users],
            "session_id": [f"s-{user}-{visit}" for user, visit in zip(users, rng.integers(0, 9, count), strict=True)],
            "event_timestamp": _instants(rng, count, days),
            "action": rng.choice(["view", "click", "search"], count),
            "page": rng.choice(["/", "/café", "/a/b?c=1", "it's"], count, p=[0.4, 0.3, 0.2, 0.1]),
            "device": rng.choice(["desktop", "mobile", "tablet"], count),
            "is_bot": users % 10 == 0,
            "schema_version": rng.integers(1, 3, count),
        },
        USER_ACTIVITY,
    )


def random_changes(count: int, days: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["edit", "new", "log", "categorize"], count, p=[0.6, 0.1, 0.2, 0.1])
    written = np.isin(kinds, ["edit", "new"])
    grown = rng.integers(-500, 900, count)
    return pl.DataFrame(
        {
            "event_id": [f"c-{seed}-{number}" for number in range(count)],
            "event_timestamp": _instants(rng, count, days),
            "wiki": rng.choice(["frwiki", "dewiki", "commonswiki"], count),
            "type": kinds,
            "title": [f"Page {page}" for page in rng.integers(0, 300, count)],
            "user": [f"Editor {editor}" for editor in rng.integers(0, 80, count)],
            "is_bot": rng.random(count) < 0.2,
            "is_minor": [bool(minor) if edit else None for minor, edit in zip(grown > 600, written, strict=True)],
            "bytes_changed": [int(by) if edit else None for by, edit in zip(grown, written, strict=True)],
        },
        RECENT_CHANGES,
    )


def _instants(rng: np.random.Generator, count: int, days: int) -> pl.Series:
    start = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp() * 1e6)
    edges = [start + day * DAY_US + at for day in range(days) for at in (0, DAY_US - 1)]
    drawn = start + rng.integers(0, days * DAY_US, count - len(edges))
    return pl.Series(np.concatenate([edges, drawn])).cast(UTC_US)


def kept(lake: Lake, activity: pl.DataFrame, wikis: pl.DataFrame) -> Lake:
    """The lake with these rows too."""
    for name, frame in (("user_activity", activity), ("recent_changes", wikis)):
        write_deltalake(lake.silver(name), frame.to_arrow(), mode="append")
    return lake


def after(number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """An event and a change of ten minutes after the end of a day: with them the day has been read to its end."""
    at = datetime(FIRST.year, FIRST.month, FIRST.day, 0, 10, tzinfo=UTC) + timedelta(days=number + 1)
    return events(an_event(event_id="after", event_timestamp=at)), changes(
        a_change(event_id="after", event_timestamp=at)
    )


def on(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return frame.filter(pl.col("event_timestamp").dt.date() == day)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)
