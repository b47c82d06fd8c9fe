"""The gold tables of activity as plain functions, on an hour of rows: DuckDB and Python say what is in them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.activity import reference
from vigie.activity.pipeline import (
    RECENT_CHANGES,
    USER_ACTIVITY,
    activity_per_minute,
    devices_per_minute,
    edits_per_minute,
    sessions,
    top_pages,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
TABLES = {
    "activity_per_minute": activity_per_minute,
    "devices_per_minute": devices_per_minute,
    "top_pages": top_pages,
    "edits_per_minute": edits_per_minute,
}


def events() -> list[dict[str, Any]]:
    """Two hours of a few sessions; users and devices are mixed within them, so that it shows which one is given."""
    draw = random.Random(9)
    return [
        {
            "event_id": f"e-{number}",
            "user_id": f"user_{draw.randrange(6)}",
            "session_id": f"s-{draw.randrange(25)}",
            "event_timestamp": NOON + timedelta(seconds=draw.randrange(7_200)),
            "action": draw.choice(["view", "click"]),
            "page": f"/{min(draw.randrange(30), 13 + draw.randrange(4))}",
            "device": draw.choice(["desktop", "mobile"]),
            "is_bot": draw.random() < 0.2,
            "schema_version": 1,
        }
        for number in range(600)
    ]


def edits() -> list[dict[str, Any]]:
    """Ten minutes of two wikis, and an edit of a third whose length is not known."""
    draw = random.Random(10)
    made = [
        {
            "event_id": f"c-{number}",
            "event_timestamp": NOON + timedelta(seconds=draw.randrange(600)),
            "wiki": draw.choice(["frwiki", "dewiki"]),
            "type": draw.choice(["edit", "edit", "new", "log", "categorize"]),
            "title": "Phare",
            "user": f"user {draw.randrange(5)}",
            "is_bot": draw.random() < 0.3,
            "is_minor": False,
            "bytes_changed": draw.randrange(-500, 500),
            "wiki_page": "frwiki:Phare",
        }
        for number in range(300)
    ]
    return [*made, {**made[0], "event_id": "c-none", "wiki": "eswiki", "type": "edit", "bytes_changed": None}]


def silver(rows: list[dict[str, Any]]) -> reference.Silver:
    """As the reference knows it, with every window closed."""
    return reference.Silver({row["event_id"]: row for row in rows}, newest=NOON + timedelta(days=1))


def collected(table: DataFrame) -> list[dict[str, Any]]:
    """Its rows, with `window` as two columns and instants in UTC."""
    found = []
    for row in table.collect():
        values = row.asDict()
        if window := values.pop("window", None):
            values |= {"window_start": window.start, "window_end": window.end}
        found.append(values)
    return in_order(found)


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def plain(value: object) -> object:
        return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value

    return sorted(({name: plain(row[name]) for name in sorted(row)} for row in rows), key=str)


@pytest.mark.parametrize("name", TABLES)
def test_windows_are_what_duckdb_makes_of_the_same_rows(sail: SparkSession, name: str) -> None:
    rows, schema = (edits(), RECENT_CHANGES) if name == "edits_per_minute" else (events(), USER_ACTIVITY)

    found = collected(TABLES[name](sail.createDataFrame(rows, schema)))

    assert found == in_order(reference.gold(name, silver(rows)))
    assert len(found) > 15


def test_sessions_are_what_python_makes_of_the_same_rows(sail: SparkSession) -> None:
    rows = events()

    found = collected(sessions(sail.createDataFrame(rows, USER_ACTIVITY)))

    assert found == in_order(reference.sessions(silver(rows)))
    assert {row["is_whole"] for row in found} == {True, False}
    assert len(found) > 25
