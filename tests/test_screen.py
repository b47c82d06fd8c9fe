"""The live view: it fits the terminal, and says what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from rich.console import Console

from vigie.alerts import ALERTS, CLOSED, OPENED, Alert, Event
from vigie.lake import Lake
from vigie.pipeline import load
from vigie.screen import Screen

EIGHT = datetime(2026, 11, 21, 8, tzinfo=UTC)


def an_alert(key: str, severity: str = "warning", closed_at: datetime | None = None) -> Alert:
    message = f"HIGH_TEMP at {key}: temperature_c is 31, above 30"
    return Alert(f"id of {key}", "HIGH_TEMP", key, severity, EIGHT, 31.0, 30.0, message, "{}", EIGHT, closed_at)


def a_lake(folder: Path, *alerts: Alert) -> Lake:
    lake = Lake(folder)
    written = [{name: getattr(alert, name) for name in ALERTS.names} for alert in alerts]
    write_deltalake(lake.alerts("sensors"), pa.Table.from_pylist(written, ALERTS))
    return lake


def drawn(screen: Screen, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(screen.drawn(height))
    return captured.get().splitlines()


@pytest.mark.parametrize("pipeline", ["flights", "sensors"])
@pytest.mark.parametrize(("width", "height"), [(80, 23), (100, 40)])
def test_the_picture_fits_the_terminal(pipeline: str, width: int, height: int, tmp_path: Path) -> None:
    screen = Screen(load(pipeline).graph(), Lake(tmp_path))
    for number in range(20):
        screen.alert(Event(OPENED, an_alert(f"SENSOR_{number}" * 9), "watch", 1))

    lines = drawn(screen, width, height)

    assert len(lines) <= height
    assert {len(line) for line in lines} == {width}


def test_the_newest_alerts_come_first_and_open_ones_are_counted_by_severity(tmp_path: Path) -> None:
    first, second = an_alert("first", "critical"), an_alert("second", closed_at=EIGHT)
    screen = Screen(load("sensors").graph(), a_lake(tmp_path, first, second, an_alert("third")))
    for event in (Event(OPENED, first, "watch", 1), Event(CLOSED, second, "watch", 2)):
        screen.alert(event)

    lines = drawn(screen, 120, 50)

    at = next(number for number, line in enumerate(lines) if "alerts  2 open, 1 critical, 1 warning" in line)
    assert "08:00:00 closed HIGH_TEMP at second" in lines[at + 1]
    assert "08:00:00 opened HIGH_TEMP at first" in lines[at + 2]
    assert "alerts  2 open, 1 critical, 1 warning" in screen.line()


def test_a_pipeline_that_watches_nothing_has_no_alerts_to_show(tmp_path: Path) -> None:
    example = Path(__file__).parents[1] / "examples/temperatures/pipeline.py"
    screen = Screen(load(str(example)).graph(), Lake(tmp_path))

    assert " open" not in screen.line() + "".join(drawn(screen, 120, 50))
