"""The activity pipeline: what becomes of a message, and silver and gold against Python and DuckDB."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import Row
from pyspark.sql import functions as F

from tests.activity import reference
from tests.activity.feeds import a_simulation
from tests.runs import an_inbox, run_once
from vigie.activity import edits, simulator
from vigie.activity.pipeline import (
    EVENT,
    USER_ACTIVITY,
    activity,
    edits_per_minute,
    recent_changes,
    sessions,
    user_activity,
)
from vigie.activity.wikimedia import RECENT_CHANGE
from vigie.arrow_types import arrow_schema
from vigie.check import problems
from vigie.engines.embedded.nulls import nothing_beneath_nulls
from vigie.feed import Simulate
from vigie.instants import LAST_SECOND

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
CHANGE: dict[str, Any] = {
    "meta": {"id": "c-1", "domain": "fr.wikipedia.org"},
    "type": "edit",
    "title": "Phare",
    "timestamp": int(NOON.timestamp()),
    "user": "Chloé",
    "bot": False,
    "minor": True,
    "length": {"old": 100, "new": 80},
    "wiki": "frwiki",
}
AN_EVENT = {
    "event_id": "e-1",
    "user_id": "user_00001",
    "session_id": "s-1",
    "event_timestamp": NOON,
    "action": "view",
    "page": "/",
    "device": "mobile",
    "is_bot": False,
    "schema_version": 1,
}


def a_frame(sail: SparkSession, **fields: object) -> DataFrame:
    """One change, as the engine is handed it."""
    rows = pa.Table.from_pylist([{**CHANGE, **fields}], arrow_schema(RECENT_CHANGE))
    return sail.createDataFrame(nothing_beneath_nulls(rows))


def changed(sail: SparkSession, **fields: object) -> Row:
    """What recent_changes makes of one message."""
    [row] = recent_changes(a_frame(sail, **fields)).collect()
    return row


def visits(sail: SparkSession, **minutes: Iterable[float]) -> dict[str, list[Row]]:
    """The sessions made of events at so many minutes after noon, by session."""
    rows = [
        {**AN_EVENT, "event_id": f"{name}-{at}", "session_id": name, "event_timestamp": NOON + timedelta(minutes=at)}
        for name, moments in minutes.items()
        for at in moments
    ]
    found: dict[str, list[Row]] = {name: [] for name in minutes}
    for row in sessions(sail.createDataFrame(rows, USER_ACTIVITY)).orderBy("event_timestamp").collect():
        found[row.session_id].append(row)
    return found


def after_noon(at: datetime) -> float:
    return (at.astimezone(UTC) - NOON).total_seconds() / 60


def test_the_pipeline_that_ships_has_no_problems() -> None:
    assert problems(activity) == []


def test_an_event_keeps_what_it_says(sail: SparkSession) -> None:
    said = {**AN_EVENT, "timestamp": AN_EVENT["event_timestamp"]}
    del said["event_timestamp"]

    [row] = user_activity(sail.createDataFrame([said], EVENT)).collect()

    assert {name: row[name] for name in AN_EVENT if name != "event_timestamp"} == {
        name: value for name, value in AN_EVENT.items() if name != "event_timestamp"
    }
    assert row.event_timestamp.timestamp() == NOON.timestamp()


def test_a_change_has_its_bytes_and_its_page(sail: SparkSession) -> None:
    row = changed(sail)

    assert (row.event_id, row.wiki_page, row.bytes_changed) == ("c-1", "frwiki:Phare", -20)
    assert (row.is_bot, row.is_minor) == (False, True)
    assert row.event_timestamp.timestamp() == NOON.timestamp()


@pytest.mark.parametrize(
    ("length", "by"),
    [({"old": None, "new": 500}, 500), ({"new": 500}, 500), (None, None), ({"old": 5, "new": None}, None)],
)
def test_a_new_page_was_nothing_before_and_what_has_no_length_changed_no_bytes(
    sail: SparkSession, length: dict[str, int | None] | None, by: int | None
) -> None:
    assert changed(sail, length=length).bytes_changed == by


@pytest.mark.parametrize("beyond", [LAST_SECOND + 1, -LAST_SECOND - 1, 2**62, -(2**63)])
def test_an_instant_that_no_calendar_has_is_none(sail: SparkSession, beyond: int) -> None:
    assert changed(sail, timestamp=beyond).event_timestamp is None


def test_the_last_instant_of_the_calendar_is_one(sail: SparkSession) -> None:
    rows = recent_changes(a_frame(sail, timestamp=LAST_SECOND))

    assert rows.select(F.unix_seconds("event_timestamp").alias("at")).toArrow()["at"].to_pylist() == [LAST_SECOND]


def test_only_edits_and_new_pages_are_counted_as_edits(sail: SparkSession) -> None:
    kinds = ["edit", "new", "log", "categorize", "external"]
    messages = [{**CHANGE, "type": kind, "length": None if kind == "edit" else CHANGE["length"]} for kind in kinds]
    rows = recent_changes(sail.createDataFrame(messages, RECENT_CHANGE))
    [row] = edits_per_minute(rows).collect()

    assert (row.wiki, row.edits, row.bot_edits, row.bytes_changed, row.distinct_users) == ("frwiki", 2, 0, -20, 1)


def test_a_session_is_over_ten_minutes_after_its_last_event(sail: SparkSession) -> None:
    found = visits(sail, short=[0], long=[0, 10, 20], twice=[0, 10.01])

    assert [(r.events, after_noon(r.started_at), after_noon(r.ended_at)) for r in found["short"]] == [(1, 0, 0)]
    assert [(r.events, after_noon(r.event_timestamp)) for r in found["long"]] == [(3, 30)]
    assert [r.events for r in found["twice"]] == [1, 1]
    assert all(row.is_whole for rows in found.values() for row in rows)


def test_of_a_session_that_is_too_long_the_last_hour_is_looked_at(sail: SparkSession) -> None:
    [just], [edge], [more] = visits(sail, just=range(0, 50, 5), edge=range(0, 51, 5), more=range(0, 90, 5)).values()

    assert (just.is_whole, just.events, after_noon(just.started_at)) == (True, 10, 0)
    assert (edge.is_whole, edge.events, after_noon(edge.started_at)) == (False, 10, 5)
    assert (more.is_whole, more.events, after_noon(more.started_at), after_noon(more.ended_at)) == (False, 10, 40, 85)


def fed(simulate: Simulate, minutes: int, now: float) -> list[bytes]:
    """The messages of the minutes up to now."""
    simulation = a_simulation(now - minutes * 60, keys=30, faults=0.05)
    ticks = takewhile(lambda tick: tick.at <= now, simulate(simulation))
    return [value for tick in ticks for _, value in tick.messages]


def again(messages: Iterable[bytes], row: Callable[[bytes], dict[str, Any] | None]) -> bytes:
    """The first message that makes a row, under an id of its own: by now it is late."""
    message, made = next((message, made) for message in messages if (made := row(message)))
    return message.replace(made["event_id"].encode(), b"another")


def written(lake: Path, table: str) -> list[dict[str, Any]]:
    rows = DeltaTable(lake / table).to_pyarrow_table().to_pylist()
    return [{name: value for name, value in row.items() if name != "seen_until"} for row in rows]


def in_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    def plain(value: object) -> object:
        return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value

    return sorted(
        json.dumps({name: plain(row[name]) for name in sorted(row)}, ensure_ascii=False, default=str) for row in rows
    )


def test_silver_and_gold_are_what_python_and_duckdb_make_of_the_messages(
    tmp_path: Path,
) -> None:
    now = time.time()
    lake = tmp_path / "lake"
    expected = {"user_activity": reference.Silver(), "recent_changes": reference.Silver()}
    simulators = {"user_activity": simulator.simulate, "recent_changes": edits.simulate}
    makers = {"user_activity": reference.event_row, "recent_changes": reference.change_row}
    messages = {name: fed(simulate, 60, now) for name, simulate in simulators.items()}

    for part in range(2):
        for name, every in messages.items():
            half = every[: len(every) // 2] if part == 0 else [*every[len(every) // 2 :], again(every, makers[name])]
            folder = an_inbox(tmp_path / name, half) if part == 0 else tmp_path / name
            if part == 1:
                (folder / "001.jsonl").write_bytes(b"".join(line + b"\n" for line in half))
            expected[name].take(map(makers[name], half), datetime.now(UTC))
        run_once(activity, lake, **{name: tmp_path / name for name in messages})

    ledger = written(lake, "_vigie/activity/ledger")
    for name, silver in expected.items():
        of_table = [row for row in ledger if row["table"] == f"silver/{name}"]
        sums = {part: sum(row[part] or 0 for row in of_table) for part in PARTS}
        assert sums == {part: silver.counts[part] for part in PARTS}
        assert min(sums.values()) > 0
        assert in_order(written(lake, f"silver/{name}")) == in_order(silver.rows.values())
    users = expected["user_activity"]
    for table in reference.GOLD:
        silver = expected["recent_changes"] if table == "edits_per_minute" else users
        found = written(lake, f"gold/activity/{table}")
        assert len(found) > 30
        assert in_order(found) == in_order(reference.gold(table, silver))
    found = written(lake, "gold/activity/sessions")
    assert len(found) > 30
    assert in_order(found) == in_order(reference.sessions(users))


PARTS = ("read", "accepted", "quarantined", "duplicate", "late")
