"""In which ways the messages of users and of wikis are broken on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from vigie.spoiling import (
    Spoiler,
    changed,
    empty,
    single_quotes,
    trailing_text,
    truncated,
    two_objects,
    with_bad_utf8,
    without,
    without_number,
)

# Further than any feed begins in the past: it is from the future when it arrives, too, and moves no watermark.
AHEAD_S = (86_400, 30 * 86_400)


def wrong_type(choices: tuple[tuple[str, Any], ...], message: bytes, draw: float) -> bytes:
    field, value = choices[int(draw * len(choices))]
    return changed(message, {field: value})


def missing_field(names: tuple[str, ...], message: bytes, draw: float) -> bytes:
    return without(message, names[int(draw * len(names))])


def event_from_the_future(message: bytes, draw: float) -> bytes:
    at = datetime.fromisoformat(msgspec.json.decode(message)["timestamp"]) + timedelta(seconds=_ahead(draw))
    return changed(message, {"timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1_000:03}Z"})


def change_from_the_future(message: bytes, draw: float) -> bytes:
    return changed(message, {"timestamp": msgspec.json.decode(message)["timestamp"] + _ahead(draw)})


def _ahead(draw: float) -> int:
    least, most = AHEAD_S
    return least + int(draw * (most - least))


def _in_text(before: bytes) -> Spoiler:
    return lambda message, draw: with_bad_utf8(message, before, draw)


NO_JSON: Mapping[str, Spoiler] = {
    "truncated": truncated,
    "single_quotes": single_quotes,
    "trailing_text": trailing_text,
    "two_objects": two_objects,
    "empty": empty,
}
USER_SPOILERS: Mapping[str, Spoiler] = {
    **NO_JSON,
    "invalid_utf8": _in_text(b'"page": "'),
    "wrong_type": partial(
        wrong_type,
        (
            ("user_id", 42),
            ("timestamp", "yesterday"),
            ("timestamp", 1_763_683_200_000),
            ("action", ["view"]),
            ("is_bot", "no"),
            ("schema_version", "1"),
        ),
    ),
    "missing_field": partial(missing_field, ("event_id", "user_id", "session_id", "timestamp", "action", "page")),
    "future": event_from_the_future,
}
CHANGE_SPOILERS: Mapping[str, Spoiler] = {
    **NO_JSON,
    "not_a_number": lambda message, _: without_number(message, b"namespace"),
    "invalid_utf8": _in_text(b'"title":"'),
    "wrong_type": partial(
        wrong_type,
        (
            ("meta", "none"),
            ("timestamp", "2026-11-21T12:00:00Z"),
            ("timestamp", 1_763_683_200.5),
            ("title", {"en": "Paris"}),
            ("bot", 0),
            ("wiki", 12),
        ),
    ),
    "missing_field": partial(missing_field, ("meta", "title", "timestamp", "wiki", "type", "user")),
    "future": change_from_the_future,
}
