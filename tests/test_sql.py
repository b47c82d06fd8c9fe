"""A query over a lake ends: by itself, in its time, within its memory, or when it is told to."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from vigie.errors import BadSetting, RunFailed
from vigie.lake import Lake
from vigie.sql import AT_ONCE, Limits, query

from .test_cli import a_lake, an_entry, vigie

ENDLESS = "SELECT count(*) FROM range(100_000_000) a, range(100_000_000) b WHERE a.range + b.range = 3.5"


@pytest.fixture
def spills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where DuckDB may write what does not fit the memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spills"))
    (tmp_path / "spills").mkdir()
    return tmp_path / "spills"


@pytest.mark.parametrize("sql", [ENDLESS, ENDLESS.replace("count(*)", "a.range")])
def test_a_query_that_would_not_end_is_ended_and_says_so(tmp_path: Path, sql: str) -> None:
    asked = vigie("query", sql, "--timeout", "500ms", *a_lake(tmp_path, [an_entry()], []))

    assert asked.exit_code == 1
    assert "ended after 0.5 s" in asked.stderr
    assert "--timeout 10m" in asked.stderr


def test_rows_that_come_without_end_are_ended_too(tmp_path: Path) -> None:
    a_lake(tmp_path, [an_entry()], [])
    sql = "SELECT a.range FROM range(100_000_000) a, range(100_000_000) b"

    with pytest.raises(RunFailed, match="ended after 2 s"):
        sum(1 for _ in query(Lake.at(tmp_path / "lake"), sql, Limits(seconds=2)).rows)


def test_the_time_of_whoever_reads_the_rows_is_not_the_querys(tmp_path: Path) -> None:
    a_lake(tmp_path, [an_entry()], [])

    rows = query(Lake.at(tmp_path / "lake"), f"FROM range({3 * AT_ONCE})", Limits(seconds=3)).rows
    next(rows)
    time.sleep(3.1)

    assert sum(1 for _ in rows) == 3 * AT_ONCE - 1


# What runs in the background of a shell is told to ignore Ctrl-C.
HEEDS_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from vigie.cli import main; main()"
)


def test_ctrl_c_ends_a_query_at_once(tmp_path: Path) -> None:
    asked = [sys.executable, "-c", HEEDS_CTRL_C, "query", ENDLESS, *a_lake(tmp_path, [an_entry()], [])]

    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and _threads(process.pid) < 3:  # DuckDB is at work
            time.sleep(0.1)
        time.sleep(1)
        asked_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=30)

    assert process.returncode == 130
    assert time.monotonic() - asked_at < 10
    assert "Traceback" not in complained


def _threads(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"Threads:\s+(\d+)", status)
    return int(found[1]) if found else 0


def test_a_query_that_needs_more_memory_than_it_may_have_is_told_how_to_have_more(tmp_path: Path, spills: Path) -> None:
    sql = "SELECT list(range) FROM range(50_000_000)"

    asked = vigie("query", sql, "--memory", "100MB", *a_lake(tmp_path, [an_entry()], []))

    assert asked.exit_code == 1
    assert "more than the 100MB of memory" in asked.stderr
    assert "--memory 4GB" in asked.stderr
    assert list(spills.iterdir()) == []


@pytest.mark.parametrize("taken", [1, None])
def test_what_does_not_fit_the_memory_is_put_on_the_disk_and_deleted_after(
    tmp_path: Path, spills: Path, taken: int | None
) -> None:
    a_lake(tmp_path, [an_entry()], [])
    sql = "SELECT range, repeat('x', 90) || range AS text FROM range(1_000_000) ORDER BY hash(range)"

    rows = query(Lake.at(tmp_path / "lake"), sql, Limits(memory="60MB")).rows
    next(rows)
    spilled = [file for folder in spills.iterdir() for file in folder.iterdir()]
    counted = taken or 1 + sum(1 for _ in rows)
    del rows

    assert spilled
    assert counted in {1, 1_000_000}
    assert list(spills.iterdir()) == []


def test_no_bar_is_drawn_into_the_answer(tmp_path: Path) -> None:
    a_lake(tmp_path, [an_entry()], [])

    assert list(query(Lake.at(tmp_path / "lake"), "SELECT current_setting('enable_progress_bar')").rows) == [(False,)]


def test_a_memory_that_is_none_is_exit_2(tmp_path: Path) -> None:
    place = a_lake(tmp_path, [an_entry()], [])

    for wrong in (["--memory", "much"], ["--memory=-5GB"], ["--timeout", "soon"], ["--timeout", "0s"]):
        assert vigie("query", "SELECT 1", *wrong, *place).exit_code == 2
    with pytest.raises(BadSetting, match="'much' is no memory"):
        query(Lake.at(tmp_path / "lake"), "SELECT 1", Limits(memory="much"))


def test_a_query_may_be_given_longer_than_anybody_waits(tmp_path: Path) -> None:
    asked = vigie("query", "SELECT 1", "--timeout", "10000000d", *a_lake(tmp_path, [an_entry()], []))

    assert asked.exit_code == 0, asked.stderr
