"""An alert that opened or closed, as a receiver is told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from vigie.alerts import CLOSED, Event

ZERO_WIDTH_SPACE = "\u200b"
FIELDS = ("alert_id", "rule", "key", "severity", "opened_at", "closed_at", "value", "threshold", "message")

LISTED = 40  # in a digest, of as many as there are
ENDS = 100  # characters, for what a digest ends with


def fields(event: Event) -> dict[str, Any]:
    """What happened, as an object of JSON: instants in ISO 8601, a number that JSON has no form for as null."""
    return {"event": event.event, **{name: _plain(getattr(event.alert, name)) for name in FIELDS}}


def key(event: Event) -> str:
    """The same whenever the same is sent: a receiver that keeps keys takes each once."""
    return f"{event.alert.alert_id}-closed" if event.event == CLOSED else event.alert.alert_id


def line(event: Event) -> str:
    """What happened, for a person."""
    alert = event.alert
    if event.event == CLOSED:
        return f"[over] {alert.message} (it began {_at(alert.opened_at)} and ended {_at(event.at)})"
    return f"[{alert.severity}] {alert.message} (since {_at(alert.opened_at)})"


def without_mentions(text: str) -> str:
    """The text with a break behind each `@`: a key from the data could otherwise call a whole channel."""
    return text.replace("@", f"@{ZERO_WIDTH_SPACE}")


def headline(event: Event) -> str:
    """What happened, where there is room for a few words."""
    return f"{event.alert.rule} at {event.alert.key}{' is over' if event.event == CLOSED else ''}"


def digest(events: Sequence[Event], pipeline: str, room: int) -> tuple[str, str]:
    """A title and a text for many at once, of no more than so many characters: how many there are, the first of them
    with a line each, and where to see the others."""
    over = sum(event.event == CLOSED for event in events)
    title = f"{len(events):,} alerts: {len(events) - over:,} opened, {over:,} over"
    lines: list[str] = []
    for event in events[:LISTED]:
        said = f"{line(event)} {key(event)}"
        room -= len(said) + 1
        if lines and room < ENDS:
            break
        lines.append(said)
    more = len(events) - len(lines)
    ends = [f"and {more:,} more: vigie alerts {pipeline}"] if more else []
    return title, "\n".join([*lines, *ends])


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
