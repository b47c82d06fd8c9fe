"""Slices of tables: only what is new is read, and whatever becomes of a lake is survived."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.dashboard.lakes import INSTANT, NOON
from vigie.dashboard.reading import BYTES_SEEN, NotYet, Shelf, Slice
from vigie.errors import LakeDamaged
from vigie.lake import Lake

READING = pa.schema([("room", pa.string()), ("at", INSTANT), ("celsius", pa.float64())])
READINGS = Slice("silver/readings", ("room", "at", "celsius"), by="at", last=timedelta(minutes=10))
ALL = Slice("silver/readings", ("celsius",))
COUNT = "SELECT count(*) AS n, min(celsius) AS low, max(celsius) AS high FROM readings"


def add(lake: Lake, minute: float, celsius: float, room: str = "hall", **more: Any) -> None:
    rows = [{"room": room, "at": NOON + timedelta(minutes=minute), "celsius": celsius}]
    write_deltalake(str(lake.silver("readings")), pa.Table.from_pylist(rows, READING), mode="append", **more)


def counted(shelf: Shelf, wanted: Slice = READINGS) -> tuple[int, float, float]:
    [row] = shelf.ask(COUNT, {"readings": wanted}).to_dict("records")
    return int(row["n"]), float(row["low"]), float(row["high"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path / "lake")


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The data files that are opened from here on."""
    opened: list[str] = []
    dataset = ds.dataset

    def watched(paths: list[str], **more: Any) -> Any:
        opened.extend(Path(path).name for path in paths)
        return dataset(paths, **more)

    monkeypatch.setattr(ds, "dataset", watched)
    return opened


def test_a_refresh_reads_only_the_files_that_are_new(lake: Lake, files_read: list[str]) -> None:
    shelf = Shelf(lake)
    add(lake, 0, 20.0)
    add(lake, 1, 21.0)
    assert counted(shelf) == (2, 20.0, 21.0)
    before = set(files_read)

    add(lake, 2, 25.0)
    answer = counted(shelf)

    assert answer == (3, 20.0, 25.0)
    assert len(before) == 2
    assert len(files_read) == 3


def test_files_of_before_the_span_are_not_opened(lake: Lake, files_read: list[str]) -> None:
    for minute in range(0, 60, 5):
        add(lake, minute, float(minute))

    answer = counted(Shelf(lake))

    assert answer == (2, 50.0, 55.0)  # more than 10 minutes before the newest is out
    assert len(files_read) <= 3


def test_no_more_files_are_held_than_have_the_rows_that_are_wanted(lake: Lake, files_read: list[str]) -> None:
    for minute in (3, 0, 2, 1):
        add(lake, minute, float(minute))

    answer = counted(Shelf(lake), replace(READINGS, most=2))

    assert answer == (2, 2.0, 3.0)
    assert len(files_read) == 2


def test_of_long_bytes_the_beginning_is_held(lake: Lake) -> None:
    rows = pa.table({"at": pa.array([NOON], INSTANT), "value": [b"a" * 10_000_000]})
    write_deltalake(str(lake.quarantine("flights")), rows)
    wanted = Slice("quarantine/flights", ("value",), by="at", last=timedelta(hours=1))

    [found] = Shelf(lake).ask('SELECT "value" FROM broken', {"broken": wanted})["value"]

    assert bytes(found) == b"a" * BYTES_SEEN


def test_rows_leave_the_span_as_it_moves_on(lake: Lake) -> None:
    shelf = Shelf(lake)
    add(lake, 0, 20.0)
    assert counted(shelf) == (1, 20.0, 20.0)

    add(lake, 11, 30.0)

    assert counted(shelf) == (1, 30.0, 30.0)
    assert counted(shelf, ALL) == (2, 20.0, 30.0)


def test_what_nobody_has_written_is_said_and_appears_later(lake: Lake) -> None:
    shelf = Shelf(lake)
    with pytest.raises(NotYet, match="no table silver/readings yet"):
        counted(shelf)

    add(lake, 0, 20.0)

    assert counted(shelf) == (1, 20.0, 20.0)


def test_a_lake_that_goes_away_and_returns_is_read_again(lake: Lake, tmp_path: Path) -> None:
    shelf = Shelf(lake)
    add(lake, 0, 20.0)
    assert counted(shelf) == (1, 20.0, 20.0)

    lake.root.rename(tmp_path / "away")
    with pytest.raises(NotYet):
        counted(shelf)
    (tmp_path / "away").rename(lake.root)

    assert counted(shelf) == (1, 20.0, 20.0)


def test_a_table_that_was_made_anew_is_not_mixed_with_the_old_one(lake: Lake) -> None:
    shelf = Shelf(lake)
    for minute in range(3):
        add(lake, minute, 20.0)
    assert counted(shelf)[0] == 3

    shutil.rmtree(lake.silver("readings"))
    for minute in range(3):
        add(lake, minute, 30.0)

    assert counted(shelf) == (3, 30.0, 30.0)


def test_a_column_that_is_new_is_null_where_it_was_not_yet(lake: Lake) -> None:
    shelf = Shelf(lake)
    add(lake, 0, 20.0)
    assert counted(shelf)[0] == 1
    rows = pa.table({"room": ["hall"], "at": pa.array([NOON], INSTANT), "celsius": [21.0], "humidity": [50.0]})

    write_deltalake(str(lake.silver("readings")), rows, mode="append", schema_mode="merge")
    grown = Slice("silver/readings", ("celsius", "humidity"), by="at", last=timedelta(minutes=10))
    found = shelf.ask("SELECT celsius, humidity FROM readings ORDER BY celsius", {"readings": grown})

    assert counted(shelf) == (2, 20.0, 21.0)
    assert found["humidity"].fillna(-1).tolist() == [-1, 50.0]


def test_a_column_that_a_table_does_not_have_is_said(lake: Lake) -> None:
    add(lake, 0, 20.0)

    with pytest.raises(LakeDamaged, match="no column pressure"):
        Shelf(lake).ask("SELECT 1", {"readings": Slice("silver/readings", ("pressure",))})


def test_a_table_that_was_compacted_and_tidied_says_the_same(lake: Lake) -> None:
    shelf = Shelf(lake)
    for minute in range(5):
        add(lake, minute, 20.0 + minute)
    before = counted(shelf)

    table = DeltaTable(str(lake.silver("readings")))
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    add(lake, 5, 40.0)

    assert before == (5, 20.0, 24.0)
    assert counted(shelf) == (6, 20.0, 40.0)


def test_a_file_that_is_gone_is_said_and_not_left_out(lake: Lake) -> None:
    add(lake, 0, 20.0)
    [file] = lake.silver("readings").glob("*.parquet")
    file.unlink()

    with pytest.raises(LakeDamaged, match="a file of the table is gone"):
        counted(Shelf(lake))


def test_ten_viewers_ask_duckdb_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    add(lake, 0, 20.0)
    shelf = Shelf(lake)
    asked: list[str] = []
    answered = Shelf._answered

    def watched(self: Shelf, sql: str, *given: Any) -> Any:
        asked.append(sql)
        return answered(self, sql, *given)

    monkeypatch.setattr(Shelf, "_answered", watched)

    viewers = [threading.Thread(target=counted, args=(shelf,)) for _ in range(10)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()

    assert asked == [COUNT]
    add(lake, 1, 21.0)
    assert counted(shelf)[0] == 2
    assert len(asked) == 2


def test_what_one_viewer_does_with_an_answer_no_other_sees(lake: Lake) -> None:
    add(lake, 0, 20.0)
    shelf = Shelf(lake)

    shelf.ask(COUNT, {"readings": READINGS})["n"] = 0

    assert counted(shelf)[0] == 1


def test_a_value_in_a_question_is_no_sql(lake: Lake) -> None:
    add(lake, 0, 20.0, room="'; DROP TABLE readings; --")

    found = Shelf(lake).ask(
        "SELECT celsius FROM readings WHERE room = ?", {"readings": READINGS}, ["'; DROP TABLE readings; --"]
    )

    assert found["celsius"].tolist() == [20.0]


def test_a_clock_that_is_ahead_is_not_the_end_of_the_span(lake: Lake) -> None:
    now = (datetime.now(UTC) - NOON).total_seconds() / 60
    add(lake, now - 1, 20.0)
    add(lake, now + 59, 99.0)

    assert counted(Shelf(lake)) == (1, 20.0, 20.0)
