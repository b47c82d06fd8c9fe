"""Spans of time as people write them: `6 minutes`, `1 hour 30 minutes`, `5s`, `500ms`."""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {
    "millisecond": 0.001, "ms": 0.001,
    "second": 1, "sec": 1, "s": 1,
    "minute": 60, "min": 60, "m": 60,
    "hour": 3600, "h": 3600,
    "day": 86_400, "d": 86_400,
    "week": 604_800, "w": 604_800,
}  # fmt: skip
PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def parse_duration(text: str) -> timedelta:
    """The span that `text` spells; ValueError says what a span looks like."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no text; write for example '6 minutes', '5s' or '1 hour'")
    rest = text.strip().lower().removeprefix("interval ").strip()
    seconds, at = 0.0, 0
    while at < len(rest):
        part = PART.match(rest, at)
        unit = part and (part[2] if part[2] in UNITS else part[2].removesuffix("s"))
        if not part or unit not in UNITS:
            raise ValueError(f"'{text}' is not a span of time; write for example '6 minutes', '5s' or '1 hour'")
        seconds += float(part[1]) * UNITS[unit]
        at = part.end()
    if not rest:
        raise ValueError("a span of time is empty; write for example '6 minutes' or '5s'")
    try:
        return timedelta(seconds=seconds)
    except OverflowError as problem:
        raise ValueError(f"'{text}' is too long a span of time") from problem
