"""What stands after the events of the log is what taking them one after the other makes of them."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.alerts import CLOSED, OPENED, Alert, Event, standing, table_of
from vigie.core.alerts.alert_log import AlertLog
from vigie.errors import LakeDamaged

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Alerts that open, are raised once what was going on is over, and close; what a crash repeats stands twice."""
    events: list[Event] = []
    for number in range(draw(st.integers(0, 5))):
        at, version = NOON + timedelta(seconds=draw(st.integers(0, 9))), draw(st.integers(0, 5))
        alert = Alert(
            f"a{number}", "HIGH", f"key{number}", "info", at, 1.5, 1.0, "It's high", "{}", NOON,
            suppressed_by=draw(st.sampled_from([None, "strike"])),
        )  # fmt: skip
        mine = [Event(OPENED, alert, "watch", version)]
        if alert.suppressed_by and draw(st.booleans()):
            version += draw(st.integers(0, 2))
            raised = Alert(**{**alert.row(), "suppressed_by": None, "raised_at": NOON + timedelta(hours=1)})
            mine.append(Event(OPENED, raised, "watch", version))
        if draw(st.booleans()):
            version += draw(st.integers(0, 2))
            closed = mine[-1].alert.closed(at + timedelta(seconds=draw(st.integers(1, 9))))
            mine.append(Event(CLOSED, closed, "watch", version))
        events += mine * draw(st.integers(1, 2))
    return draw(st.permutations(events))


def by_id(alerts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {alert["alert_id"]: alert for alert in alerts}


@settings(deadline=None)
@given(histories(), st.integers(-1, 6), st.none() | st.integers(0, 20))
def test_what_stands_is_what_one_event_after_the_other_makes(
    events: list[Event], version: int, seconds: int | None
) -> None:
    others = [Event(event.event, event.alert, "another watch", 99) for event in events]
    in_order = sorted(events, key=lambda event: (event.silver_version, event.at))
    until = None if seconds is None else NOON + timedelta(seconds=seconds)
    before = [
        event
        for event in in_order
        if event.silver_version < version or (event.silver_version == version and (until is None or event.at <= until))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alert_events"
        write_deltalake(path, table_of([*events, *others]))
        log = AlertLog(path, "watch")
        found = log.open_at(version, None if until is None else int(until.timestamp()) * 1_000_000)

        assert by_id(log.standing().to_pylist()) == by_id([alert.row() for alert in standing(in_order).values()])
        assert {alert.alert_id: alert for alert in found} == {
            name: alert for name, alert in standing(before).items() if alert.closed_at is None
        }
        assert log.newest_version() == max((event.silver_version for event in events), default=-1)


def test_a_file_of_the_log_that_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    alert = Alert("a", "HIGH", "key", "info", NOON, 1.5, 1.0, "It's high", "{}", NOON)
    write_deltalake(tmp_path / "alert_events", table_of([Event(OPENED, alert, "watch", 0)]))
    [file] = (tmp_path / "alert_events").glob("*.parquet")
    whole = file.read_bytes()
    for left in (whole[:-8], whole[: len(whole) // 2] + bytes(len(whole) // 2 - 8) + whole[-8:], b""):
        file.write_bytes(left)

        with pytest.raises(LakeDamaged) as said:
            AlertLog(tmp_path / "alert_events", "watch").standing()

        assert said.value.where == str(tmp_path / "alert_events")
