"""Alerts as they are kept: what opened and closed, in a log that only grows, and what is now, in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from vigie.oneline import on_one_line

INSTANT = pa.timestamp("us", tz="UTC")
Turn = Literal["opened", "closed"]
OPENED: Turn = "opened"
CLOSED: Turn = "closed"
ALERTS = pa.schema(
    [
        ("alert_id", pa.string()),
        ("rule", pa.string()),
        ("key", pa.string()),
        ("severity", pa.string()),
        ("opened_at", INSTANT),
        ("closed_at", INSTANT),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("message", pa.string()),
        ("evidence", pa.string()),
        ("suppressed_by", pa.string()),
        ("raised_at", INSTANT),
    ]
)
EVENTS = pa.schema(
    [("event", pa.string()), ("at", INSTANT), *ALERTS, ("watch", pa.string()), ("silver_version", pa.int64())]
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One stretch of time in which a rule fired for a key. `value` and `threshold` are those at its opening;
    `raised_at` is when Vigie found it, and all other instants are those of the readings."""

    alert_id: str
    rule: str
    key: str
    severity: str
    opened_at: datetime
    value: float | None
    threshold: float | None
    message: str
    evidence: str
    raised_at: datetime
    closed_at: datetime | None = None
    suppressed_by: str | None = None

    def row(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ALERTS.names}

    def closed(self, at: datetime) -> Alert:
        """The alert once it is over; never before it began, however late the reading came that says so."""
        return replace(self, closed_at=max(at, self.opened_at))


@dataclass(frozen=True, slots=True)
class Event:
    """An alert that opened or closed, found in what silver held at a version."""

    event: Turn
    alert: Alert
    watch: str
    silver_version: int

    def __str__(self) -> str:
        alert, at = self.alert, f"({self.at:%Y-%m-%d %H:%M:%S} UTC)"
        if self.event == CLOSED:  # its message says what opened it, which is so no longer
            return f"{self.event}: {alert.rule} at {on_one_line(alert.key)}, after {self.at - alert.opened_at} {at}"
        return f"{self.event}: {alert.message} {at}"

    @property
    def at(self) -> datetime:
        return self.alert.opened_at if self.event == OPENED else self.alert.closed_at or self.alert.opened_at

    def row(self) -> dict[str, Any]:
        alert = self.alert.row()
        return {"event": self.event, "at": self.at, **alert, "watch": self.watch, "silver_version": self.silver_version}

    @classmethod
    def of(cls, row: dict[str, Any]) -> Event:
        alert = Alert(**{name: row[name] for name in ALERTS.names})
        return cls(row["event"], alert, row["watch"], row["silver_version"])


def alert_id(pipeline: str, rule: str, key: str, opened_at: datetime) -> str:
    """The same for the same alert, whenever and however often it is found."""
    said = json.dumps([pipeline, rule, key, opened_at.isoformat()])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def standing(events: Iterable[Event]) -> dict[str, Alert]:
    """Every alert by its id, as it stands after these events."""
    alerts: dict[str, Alert] = {}
    for event in events:
        alert, held = event.alert, alerts.get(event.alert.alert_id)
        was_marked = held is not None and held.suppressed_by is not None and held.closed_at is None
        if held is None or event.event == CLOSED or (was_marked and alert.suppressed_by is None):
            alerts[alert.alert_id] = alert
    return alerts


def table_of(events: Iterable[Event]) -> pa.Table:
    return pa.Table.from_pylist([event.row() for event in events], EVENTS)
