"""When the demo's feed begins: in the past, so that windows close at once, and never over what the lake has. And what
the demo says in a terminal."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.dashboard.lakes import a_lake
from vigie import demo
from vigie.demo import begin
from vigie.lake import Lake
from vigie.pipeline import load
from vigie.screen import Screen
from vigie.settings import Settings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_first_demo_begins_so_long_ago_that_every_window_closes_at_once(tmp_path: Path) -> None:
    began = begin(load("flights").graph(), Lake(tmp_path), NOW.timestamp())

    assert NOW.timestamp() - began == 11 * 60, "five minutes, which are settled six minutes after they are over"


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(timedelta(minutes=2), timedelta(minutes=2)), (timedelta(hours=3), timedelta(minutes=11))],
    ids=["minutes ago", "hours ago"],
)
def test_a_demo_that_is_started_again_begins_after_what_its_lake_has(
    ago: timedelta, expected: timedelta, tmp_path: Path
) -> None:
    lake = a_lake(tmp_path / "lake", until=NOW - ago)

    began = begin(load("flights").graph(), lake, NOW.timestamp())

    assert began == pytest.approx((NOW - expected).timestamp(), abs=11), "a report of each aircraft every ten seconds"


def test_events_from_the_future_do_not_put_the_feed_off(tmp_path: Path) -> None:
    lake = a_lake(tmp_path / "lake", until=NOW + timedelta(hours=1))

    assert begin(load("flights").graph(), lake, NOW.timestamp()) <= NOW.timestamp()


def test_a_line_of_the_log_stands_above_the_picture_and_not_within_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It went to the terminal behind the picture's back, which then was drawn from a line too low."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    log, graph = logging.getLogger("vigie"), load("flights").graph()
    log.handlers, log.propagate = [logging.StreamHandler(sys.stderr)], False
    stop = threading.Event()

    with demo._shown(Screen(graph, Lake(tmp_path)), Settings(), stop):
        log.warning("The engine went away")
        stop.set()
    told = capfd.readouterr()

    assert "The engine went away" in told.out
    assert told.err.startswith("Stopped. The tables stay in")


def test_what_to_type_names_the_lake_unless_it_is_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    stop, graph = threading.Event(), load("flights").graph()
    stop.set()

    for lake in (Lake.at("./lake"), Lake(tmp_path / "an other")):
        with demo._shown(Screen(graph, lake), Settings(), stop):
            pass

    usual, other = capsys.readouterr().err.splitlines()
    assert usual.endswith(f"{tmp_path}/lake: vigie ledger flights, or vigie dashboard flights")
    place = f"--lake '{tmp_path}/an other'"
    assert other.endswith(f": vigie ledger flights {place}, or vigie dashboard flights {place}")
