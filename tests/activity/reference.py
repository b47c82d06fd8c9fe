"""What becomes of messages a second time: judged one by one in Python, and summed up by DuckDB."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

Row = dict[str, Any]
LATE_BY = timedelta(minutes=10)
IDLE, LONGEST = timedelta(minutes=10), timedelta(hours=1)
TEXT, WHOLE, TRUTH = (str,), (int,), (bool,)
EVENT = {
    "event_id": TEXT, "user_id": TEXT, "session_id": TEXT, "timestamp": TEXT, "action": TEXT, "page": TEXT,
    "device": TEXT, "is_bot": TRUTH, "schema_version": WHOLE,
}  # fmt: skip
CHANGE = {
    "meta": (dict,), "type": TEXT, "title": TEXT, "timestamp": WHOLE, "user": TEXT, "bot": TRUTH, "minor": TRUTH,
    "length": (dict,), "wiki": TEXT,
}  # fmt: skip


def event_row(message: bytes) -> Row | None:
    """The row of silver that a user's event makes; none when it breaks a rule, but for that of the future."""
    said = _parsed(message, EVENT)
    if said is None or not all(said[name] for name in ("event_id", "session_id", "action", "page", "user_id")):
        return None
    try:
        at = datetime.fromisoformat(said.pop("timestamp"))
    except (TypeError, ValueError):
        return None
    return {**said, "event_timestamp": at}


def change_row(message: bytes) -> Row | None:
    """The same of a change in a wiki."""
    said = _parsed(message, CHANGE)
    if said is None or not all(said[name] for name in ("meta", "timestamp", "wiki", "type", "user", "title")):
        return None
    length = said["length"]
    if any(not 0 <= size <= 2**31 - 1 for size in (length or {}).values() if size is not None):
        return None
    return {
        "event_id": said["meta"]["id"],
        "event_timestamp": datetime.fromtimestamp(said["timestamp"], UTC),
        **{name: said[name] for name in ("wiki", "type", "title", "user")},
        "is_bot": said["bot"],
        "is_minor": said["minor"],
        "bytes_changed": None if length is None else length["new"] - (length["old"] or 0),
        "wiki_page": f"{said['wiki']}:{said['title']}",
    }


def _parsed(message: bytes, kinds: Mapping[str, tuple[type, ...]]) -> Row | None:
    def refuse(_: str) -> None:
        raise ValueError

    try:
        said = json.loads(message.decode(), parse_constant=refuse)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    found = {name: said.get(name) for name in kinds}
    fits = all(value is None or type(value) in kinds[name] for name, value in found.items())
    return found if fits else None


@dataclass
class Silver:
    """A silver table, message by message: `counts` is what became of them."""

    rows: dict[str, Row] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    newest: datetime | None = None

    def take(self, made: Iterable[Row | None], now: datetime) -> None:
        for row in made:
            self.counts["read"] += 1
            if row is None or row["event_timestamp"] > now + timedelta(minutes=1):
                self.counts["quarantined"] += 1
                continue
            at, before = row["event_timestamp"], self.newest
            self.newest = at if before is None else max(before, at)
            if before is not None and at < before - LATE_BY:
                self.counts["late"] += 1
            elif row["event_id"] in self.rows:
                self.counts["duplicate"] += 1
            else:
                self.counts["accepted"] += 1
                self.rows[row["event_id"]] = row

    @property
    def settled(self) -> datetime:
        assert self.newest is not None
        return self.newest - LATE_BY


PER_MINUTE = (
    "time_bucket(INTERVAL 1 MINUTE, event_timestamp) AS window_start, window_start + INTERVAL 1 MINUTE AS window_end"
)
GOLD = {
    "activity_per_minute": f"""SELECT {PER_MINUTE}, action, page, count(*) AS events,
        count(DISTINCT user_id) AS distinct_users FROM silver GROUP BY ALL""",
    "devices_per_minute": f"""SELECT {PER_MINUTE}, device, count(*) AS events, count(*) FILTER (is_bot) AS bot_events,
        count(DISTINCT user_id) AS distinct_users FROM silver GROUP BY ALL""",
    "top_pages": """SELECT *, row_number() OVER (PARTITION BY window_start ORDER BY events DESC, page)::INT AS rank
        FROM (SELECT time_bucket(INTERVAL 5 MINUTE, event_timestamp) AS window_start,
            window_start + INTERVAL 5 MINUTE AS window_end, page, count(*) AS events,
            count(DISTINCT user_id) AS distinct_users FROM silver GROUP BY ALL) QUALIFY rank <= 10""",
    "edits_per_minute": f"""SELECT {PER_MINUTE}, wiki, count(*) AS edits, count(*) FILTER (is_bot) AS bot_edits,
        coalesce(sum(bytes_changed), 0)::BIGINT AS bytes_changed, count(DISTINCT "user") AS distinct_users
        FROM silver WHERE type IN ('edit', 'new') GROUP BY ALL""",
}


def gold(table: str, silver: Silver) -> list[Row]:
    """The windows that are closed."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("silver", pa.Table.from_pylist(list(silver.rows.values())))
        rows = database.sql(f"SELECT * FROM ({GOLD[table]})").to_arrow_table().to_pylist()
    return [row for row in rows if row["window_end"] <= silver.settled]


def sessions(silver: Silver) -> list[Row]:
    """The sessions that are over: the events of one with no pause between them that is too long."""
    of_session: dict[str, list[list[Row]]] = defaultdict(list)
    for row in sorted(silver.rows.values(), key=lambda row: row["event_timestamp"]):
        parts = of_session[row["session_id"]]
        if parts and row["event_timestamp"] - parts[-1][-1]["event_timestamp"] <= IDLE:
            parts[-1].append(row)
        else:
            parts.append([row])
    return [
        _session(part)
        for parts in of_session.values()
        for part in parts
        if part[-1]["event_timestamp"] + IDLE <= silver.settled
    ]


def _session(part: list[Row]) -> Row:
    over_at = part[-1]["event_timestamp"] + IDLE
    seen = [row for row in part if row["event_timestamp"] > over_at - LONGEST]
    return {
        "session_id": part[0]["session_id"],
        "event_timestamp": over_at,
        "user_id": min(row["user_id"] for row in seen),
        "device": min(row["device"] for row in seen),
        "is_bot": any(row["is_bot"] for row in seen),
        "started_at": seen[0]["event_timestamp"],
        "ended_at": seen[-1]["event_timestamp"],
        "events": len(seen),
        "pages": len({row["page"] for row in seen}),
        "is_whole": len(seen) == len(part),
    }
