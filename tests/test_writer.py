"""Who writes a pipeline's tables: one process, which others can see, and which pages wait for with patience."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from tests.dashboard.lakes import POSITIONS, a_lake
from tests.dashboard.test_flights import shown, texts
from vigie.cli import app
from vigie.core.ledger import Entry
from vigie.errors import LakeMismatch, RequestError
from vigie.lake import Lake
from vigie.pipeline import load
from vigie.screen import Screen
from vigie.writer import first_rows, only_writer, writer

HOLDS = """
import sys
from vigie.lake import Lake
from vigie.writer import only_writer
with only_writer(Lake.at(sys.argv[1]), "flights"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_writer_is_seen_with_its_process_while_it_writes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert writer(lake, "flights") is None
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        seen = writer(lake, "flights")

        assert seen is not None
        assert seen.process == process.pid
        assert timedelta() <= datetime.now(UTC) - seen.since < timedelta(minutes=1)
        assert writer(lake, "sensors") is None
        process.kill()
    assert writer(lake, "flights") is None


def test_a_second_writer_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        with pytest.raises(LakeMismatch, match=f"by process {process.pid} "), only_writer(Lake(tmp_path), "flights"):
            pass

        assert process.stdin is not None
        process.stdin.close()


def page(root: Path) -> AppTest:
    given = {"root": str(root), "module": "vigie.flights.page"}
    return AppTest.from_function(shown, kwargs=given, default_timeout=30).run()


def test_a_page_says_that_the_run_is_starting_and_for_how_long(tmp_path: Path) -> None:
    with only_writer(Lake(tmp_path), "flights"):
        while_it_starts = page(tmp_path)
    afterwards = page(tmp_path)

    assert while_it_starts.header[0].value == "The run is starting"
    assert while_it_starts.get("progress")[0].proto.text.startswith("First rows after about 10 s, ")
    assert afterwards.header[0].value == "Nothing to see yet"


def test_the_terminal_says_what_it_waits_for_and_for_how_long(tmp_path: Path) -> None:
    screen = Screen(load("flights").graph(), Lake(tmp_path))

    line = screen.line()

    assert "starting: first rows after about 10 s, 0 s so far" in line
    assert "bronze" not in line, "no table is listed before there is one"


def test_a_start_that_takes_longer_than_usual_is_said_to() -> None:
    assert first_rows(9.6) == "first rows after about 10 s, 10 s so far"
    assert first_rows(95) == "first rows usually come after 10 s, and 95 s have gone by: the machine is busy"


def test_a_gold_table_that_found_nothing_yet_does_not_settle_the_account(tmp_path: Path) -> None:
    screen = Screen(load("flights").graph(), Lake(tmp_path))

    screen.batch([Entry("movements", "gold/movements", 0, 0)])
    before = screen.line()
    screen.batch([Entry("flights_raw", "silver/flights_ml", 0, 3, 3, 0, 0, 0)])

    assert "accounted for" not in before
    assert "every row read is accounted for" in screen.line()


def test_a_lake_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "_vigie").write_text("a file where a folder should be")

    with (
        pytest.raises(RequestError, match="the lake cannot be written: Not a directory"),
        only_writer(Lake(tmp_path), "flights"),
    ):
        pass


def test_a_second_demo_in_a_lake_is_refused_before_it_starts_anything(tmp_path: Path) -> None:
    with only_writer(Lake(tmp_path), "flights"):
        answer = CliRunner().invoke(app, ["demo", "flights", "--lake", str(tmp_path)])

    assert answer.exit_code == 2
    assert "is being run in this lake by process" in answer.stderr
    assert "dashboard" not in answer.stderr
    assert not (tmp_path / "_dashboard.log").exists()


def test_a_table_that_is_made_and_has_no_rows_yet_is_waited_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    DeltaTable.create(str(lake.silver("flights_ml")), POSITIONS)

    with only_writer(lake, "flights"):
        shown_page = page(tmp_path)

    assert shown_page.header[0].value == "The run is starting"


def test_a_run_that_goes_on_is_not_told_to_be_started(tmp_path: Path) -> None:
    lake = a_lake(tmp_path, until=datetime.now(UTC) - timedelta(minutes=10), aircraft=3)

    with only_writer(lake, "flights"):
        while_it_runs = page(tmp_path)
    afterwards = page(tmp_path)

    assert [warning.value for warning in while_it_runs.warning] == []
    assert "The run goes on: it is behind, or its feed sends nothing." in texts(while_it_runs)
    assert "If the feed or the run has stopped" in afterwards.warning[0].value
