"""What a receiver is told of an alert."""

from __future__ import annotations

import json
import math

from tests.sinks.receivers import closed, opened
from vigie.sinks.letters import fields, key, line


def test_an_alert_is_told_with_all_its_fields() -> None:
    assert fields(opened()) == {
        "event": "opened",
        "alert_id": opened().alert.alert_id,
        "rule": "HIGH",
        "key": "s1",
        "severity": "warning",
        "opened_at": "2025-06-01T12:00:00+00:00",
        "closed_at": None,
        "value": 31.5,
        "threshold": 30.0,
        "message": "HIGH at s1: 31.5 is above 30",
    }
    assert fields(closed())["closed_at"] == "2025-06-01T12:01:00+00:00"


def test_its_opening_and_its_end_have_keys_that_follow_from_its_id() -> None:
    assert key(opened()) == opened().alert.alert_id
    assert key(closed()) == f"{opened().alert.alert_id}-closed"


def test_a_person_reads_how_bad_it_is_and_since_when() -> None:
    assert line(opened()) == "[warning] HIGH at s1: 31.5 is above 30 (since 2025-06-01 12:00:00 UTC)"
    assert line(closed()).startswith("[over] HIGH at s1")
    assert line(closed()).endswith("(it began 2025-06-01 12:00:00 UTC and ended 2025-06-01 12:01:00 UTC)")


def test_a_number_that_json_has_no_form_for_is_null() -> None:
    told = fields(opened(value=math.nan, threshold=math.inf))

    assert json.loads(json.dumps(told, allow_nan=False))["value"] is None
    assert told["threshold"] is None
