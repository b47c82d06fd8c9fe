"""What activity declares is what was asked for: rules and alerts at their limits, watermarks, keys and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.declared import broken, gold_tables, silver_tables, the_rule
from tests.detectors.readings import NOON as START
from tests.detectors.readings import table_of, turned
from tests.reference.detectors import SECOND, Reading
from vigie import ddl
from vigie.activity import edits, simulator, wikimedia
from vigie.activity.pipeline import activity
from vigie.graph import Source, name_of
from vigie.sinks.bigquery import BigQuery
from vigie.sinks.mongo import Mongo
from vigie.sinks.mongo_messages import MongoMessages

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
GRAPH = activity.graph()
TABLES = {table.name: table for table in GRAPH.silver}
MOMENTS = {"event_timestamp": NOON, "received_at": NOON}
ROWS: dict[str, dict[str, Any]] = {
    "user_activity": {"event_id": "e", "user_id": "u", "session_id": "s", "action": "view", "page": "/", **MOMENTS},
    "recent_changes": {
        "event_id": "c",
        "wiki": "frwiki",
        "type": "edit",
        "title": "Phare",
        "user": "Chloé",
        "length": {"old": 1, "new": 2},
        **MOMENTS,
    },
}
NAMED = {
    "user_activity": {
        "event_id": "has an event id",
        "user_id": "has a user",
        "session_id": "has a session",
        "action": "has an action",
        "page": "has a page",
    },
    "recent_changes": {
        "event_id": "has an event id",
        "wiki": "names its wiki",
        "type": "has a type",
        "title": "has a title",
        "user": "has a user",
    },
}
MOST = 2_147_483_647


@pytest.mark.parametrize("table", NAMED)
def test_what_is_missing_or_empty_breaks_its_rule_and_no_other(table: str) -> None:
    assert broken(TABLES[table], ROWS[table]) == []
    for column, rule in NAMED[table].items():
        for nothing in ("", None):
            assert broken(TABLES[table], ROWS[table] | {column: nothing}) == [rule]


@pytest.mark.parametrize("table", NAMED)
def test_the_future_begins_a_minute_ahead(table: str) -> None:
    for microseconds, rules in ((0, []), (1, ["is not from the future"])):
        at = NOON + timedelta(minutes=1, microseconds=microseconds)

        assert broken(TABLES[table], ROWS[table] | {"event_timestamp": at}) == rules


@pytest.mark.parametrize(
    ("length", "is_possible"),
    [
        ({"old": 0, "new": 0}, True),
        ({"old": MOST, "new": MOST}, True),
        ({"old": None, "new": 5}, True),
        ({"old": 5, "new": None}, True),
        ({"old": -1, "new": 5}, False),
        ({"old": 5, "new": -1}, False),
        ({"old": MOST + 1, "new": 5}, False),
        ({"old": 5, "new": MOST + 1}, False),
    ],
    ids=str,
)
def test_a_page_has_a_size_from_nothing_to_two_gibibytes(length: dict[str, int | None], is_possible: bool) -> None:
    rules = broken(TABLES["recent_changes"], ROWS["recent_changes"] | {"length": length})

    assert rules == ([] if is_possible else ["has possible sizes"])


def test_users_and_changes_come_as_avro_of_their_first_version() -> None:
    assert activity.name == "activity"
    assert [
        (each.name, each.key, each.format, [file.name for file in each.avro], each.simulated, each.live)
        for each in GRAPH.sources
    ] == [
        ("user_activity", "user_id", "avro", ["user_activity.v1.avsc"], simulator.simulate, None),
        ("recent_changes", "title", "avro", ["recent_change.v1.avsc"], edits.simulate, wikimedia.live),
    ]
    assert all(file.is_file() for each in GRAPH.sources for file in each.avro)
    assert GRAPH.sources[1].schema == wikimedia.RECENT_CHANGE


def test_an_event_is_known_by_its_id_and_may_be_ten_minutes_late() -> None:
    assert silver_tables(GRAPH) == {
        "user_activity": ("user_activity", "event_timestamp", "10 minutes", ("event_id",)),
        "recent_changes": ("recent_changes", "event_timestamp", "10 minutes", ("event_id",)),
    }
    assert {name: list(ddl.columns(table.schema)) for name, table in TABLES.items()} == {
        "user_activity": [
            "event_id", "user_id", "session_id", "event_timestamp", "action", "page", "device", "is_bot",
            "schema_version",
        ],
        "recent_changes": [
            "event_id", "event_timestamp", "wiki", "type", "title", "user", "is_bot", "is_minor", "bytes_changed",
            "wiki_page",
        ],
    }  # fmt: skip


def test_every_table_waits_for_ten_minutes_and_looks_back_as_far_as_its_windows_reach() -> None:
    assert gold_tables(GRAPH) == {
        "activity/activity_per_minute": ("user_activity", "10 minutes", "1 minute", ()),
        "activity/devices_per_minute": ("user_activity", "10 minutes", "1 minute", ()),
        "activity/top_pages": ("user_activity", "10 minutes", "5 minutes", ()),
        "activity/sessions": ("user_activity", "10 minutes", "70 minutes", ()),
        "activity/edits_per_minute": ("recent_changes", "10 minutes", "1 minute", ()),
    }


def test_a_repeat_of_a_batch_is_known_by_its_event_ids_wherever_it_goes() -> None:
    assert [
        ("bronze" if isinstance(delivery.table, Source) else "silver", name_of(delivery.table), delivery.to)
        for delivery in GRAPH.deliveries
    ] == [
        (
            "bronze",
            "user_activity",
            MongoMessages("user_activity", id="event_id", indexes=("_vigie.received_at", ("user_id", "timestamp"))),
        ),
        (
            "bronze",
            "recent_changes",
            MongoMessages("recent_changes", id="meta.id", indexes=("_vigie.received_at", ("wiki", "timestamp"))),
        ),
        (
            "silver",
            "user_activity",
            Mongo("accepted_user_activity", id="event_id", indexes=("event_timestamp", ("user_id", "event_timestamp"))),
        ),
        (
            "silver",
            "recent_changes",
            Mongo("accepted_recent_changes", id="event_id", indexes=("event_timestamp", ("wiki", "event_timestamp"))),
        ),
        (
            "silver",
            "user_activity",
            BigQuery("user_activity", id="event_id", partition_by="event_timestamp", cluster_by=("user_id", "action")),
        ),
        (
            "silver",
            "recent_changes",
            BigQuery("recent_changes", id="event_id", partition_by="event_timestamp", cluster_by="wiki"),
        ),
    ]


def test_each_rule_watches_its_key_and_is_as_bad_as_it_should_be() -> None:
    assert [
        (name_of(watch.reads), watch.key, rule.name, rule.severity) for watch in GRAPH.watches for rule in watch.rules
    ] == [
        ("user_activity", "user_id", "USER_BURST", "warning"),
        ("recent_changes", "user", "EDIT_BURST", "info"),
        ("recent_changes", "wiki_page", "EDIT_WAR", "warning"),
    ]


def opened(name: str, rows: list[dict[str, Any]], every: float, kinds: dict[str, pa.DataType]) -> list[int]:
    """At which of these rows an alert of this rule opens."""
    readings = [Reading("a", START + round(at * every * SECOND), row) for at, row in enumerate(rows)]
    turns = turned({name: the_rule(GRAPH, name).detector}, table_of(readings, kinds))
    moments = [reading.at for reading in readings]
    return [moments.index(moment) for _, _, moment, fires in turns if fires]


# All within a minute by a hair, and a hair too long.
@pytest.mark.parametrize(("hair", "opens"), [(0.0, [99]), (0.001, [])])
def test_a_hundred_events_of_a_user_within_a_minute_are_a_burst(hair: float, opens: list[int]) -> None:
    assert opened("USER_BURST", [{"page": "/"}] * 100, (60 + hair) / 99, {"page": pa.string()}) == opens


@pytest.mark.parametrize(("hair", "opens"), [(0.0, [119]), (0.001, [])])
def test_a_hundred_and_twenty_edits_of_a_user_within_a_minute_are_a_burst(hair: float, opens: list[int]) -> None:
    rows = [{"type": kind} for kind in ("edit", "new")] * 60

    assert opened("EDIT_BURST", rows, (60 + hair) / 119, {"type": pa.string()}) == opens


@pytest.mark.parametrize("kind", ["log", "categorize", "external"])
def test_what_is_no_edit_is_no_part_of_a_burst_of_them(kind: str) -> None:
    rows = [{"type": kind}] + [{"type": "edit"}] * 119

    assert opened("EDIT_BURST", rows, 0.5, {"type": pa.string()}) == []


@pytest.mark.parametrize(("every", "opens"), [(200, [4]), (200.001, [])])
def test_a_page_that_goes_back_and_forth_four_times_in_ten_minutes_is_at_war(every: float, opens: list[int]) -> None:
    rows = [{"bytes_changed": 500.0 * (-1) ** number} for number in range(5)]

    assert opened("EDIT_WAR", rows, every, {"bytes_changed": pa.float64()}) == opens
