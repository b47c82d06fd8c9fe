"""The ledger's equation holds, and when a row vanishes anywhere the run stops and says so."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tests.core.loops import ALL_TOGETHER, ONE_FILE_A_BATCH, run
from tests.core.numbers import FIRST, LEDGER, SECOND, THIRD, numbers, rows, with_time
from tests.runs import an_inbox, run_once
from vigie.connectors.inbox import Inbox
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Engine
from vigie.core.ledger import Entry, Ledger
from vigie.core.source import Bounds
from vigie.engines.spark import frames
from vigie.errors import LakeDamaged, LakeMismatch, LedgerBroken, RunFailed
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ALL = pc.scalar(True)
SETTLED = Entry("raw", "silver/even", 3, 10, 4, 3, 2, 1)
COUNTS = ("table", "batch", "read", "accepted", "quarantined", "duplicate", "late")


def test_an_entry_that_adds_up_is_settled() -> None:
    SETTLED.settle()


@pytest.mark.parametrize("part", ["read", "accepted", "quarantined", "duplicate", "late"])
@pytest.mark.parametrize("by", [1, -1])
def test_an_entry_that_is_one_row_off_anywhere_is_not_settled(part: str, by: int) -> None:
    off = replace(SETTLED, **{part: getattr(SETTLED, part) + by})

    with pytest.raises(LedgerBroken, match="silver/even, batch 3: .* rows were read, but"):
        off.settle()


def test_a_gold_table_has_no_equation_to_keep() -> None:
    Entry("windows", "gold/windows", 0, 10, late=3).settle()


def test_an_entry_that_does_not_settle_is_never_written_nor_are_those_beside_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", "p", "spark")

    with pytest.raises(LedgerBroken):
        ledger.write([SETTLED, replace(SETTLED, table="silver/odd", read=11)], Stamp("query", 3))

    assert list(ledger.entries(ALL, "table")) == []


def test_the_ledger_is_read_a_few_entries_at_a_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", "p", "spark")
    ledger.write([replace(SETTLED, offsets="x" * 100 + str(n)) for n in range(20_000)], Stamp("query", 3))
    tracemalloc.start()

    read = sum(1 for _ in ledger.entries(pc.field("query") == "raw", "table", "offsets"))

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == 20_000
    assert most < 3e6


def test_a_batch_is_written_down_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", "p", "spark")

    ledger.write([SETTLED], Stamp("query", 3))
    ledger.write([SETTLED], Stamp("query", 3))
    ledger.write([replace(SETTLED, batch=4)], Stamp("query", 4))

    assert sorted(entry["batch"] for entry in ledger.entries(ALL, "batch")) == [3, 4]


def test_the_ledger_says_of_each_batch_what_became_of_its_rows(engine: Engine, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST, SECOND, THIRD)

    run(tmp_path / "lake", engine, numbers(), Inbox(folder), bounds=ONE_FILE_A_BATCH)

    said = sorted(tuple(row[name] for name in COUNTS) for row in rows(tmp_path / "lake", LEDGER) if row["read"])
    assert said == [
        ("bronze/raw", 0, 4, 4, 0, 0, 0),
        ("bronze/raw", 1, 2, 2, 0, 0, 0),
        ("bronze/raw", 2, 3, 3, 0, 0, 0),
        ("silver/even", 0, 4, 1, 2, 1, 0),
        ("silver/even", 1, 2, 2, 0, 0, 0),
        ("silver/even", 2, 3, 1, 0, 0, 2),
    ]


def test_a_lake_in_a_folder_of_an_odd_name_is_filled_there(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = """100% "it's" a:b é漢 &+=!@$;,<a>~(`)"""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    lake = Lake.at(odd)
    folder = an_inbox(lake.inbox("raw"), FIRST)

    told = run(lake.root, engine, numbers(), Inbox(folder), batches=1)

    assert [folder.name for folder in (tmp_path / "here").iterdir()] == [odd]
    assert [(entry.table, entry.read, entry.accepted) for entry in told] == [
        ("bronze/raw", 4, 4),
        ("silver/even", 4, 1),
    ]
    assert len(rows(lake.root, "quarantine/numbers")) == 2


def lost_from(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, each write into the table loses a row on its way, whichever engine makes it."""
    by_arrow, by_spark = tables.appended, frames.append

    def is_it(path: Path) -> bool:
        return path.parts[-2:] == tuple(table.split("/"))

    def losing(rows: pa.Table | pa.RecordBatchReader, path: Path, stamp: Stamp, **counts: int) -> tuple[int, int]:
        return by_arrow(pa.table(rows)[:-1] if is_it(path) else rows, path, stamp, **counts)

    def losing_too(rows: DataFrame, path: Path, stamp: Stamp, noted: Mapping[str, int]) -> tuple[int, int]:
        return by_spark(rows.limit(rows.count() - 1) if is_it(path) else rows, path, stamp, noted)

    monkeypatch.setattr(tables, "appended", losing)
    monkeypatch.setattr(frames, "append", losing_too)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("silver/even", "silver/even, batch 0: 5 rows were read, but 1 accepted"),
        ("quarantine/numbers", "silver/even, batch 0: 5 rows were read, but 2 accepted"),
        ("bronze/raw", "bronze/raw, batch 0: 5 rows were read, but 4 accepted"),
    ],
)
def test_a_row_that_a_write_loses_stops_the_run(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, says: str
) -> None:
    folder = an_inbox(tmp_path / "inbox", [*FIRST, SECOND[0]])
    lost_from(table, monkeypatch)

    with pytest.raises(LedgerBroken, match=says):
        run(tmp_path / "lake", engine, numbers(), Inbox(folder))

    assert rows(tmp_path / "lake", LEDGER) == []


def test_a_late_row_that_a_write_loses_stops_the_run(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = an_inbox(tmp_path / "inbox", SECOND, THIRD)
    lost_from("late/numbers", monkeypatch)

    with pytest.raises(LedgerBroken, match="silver/even, batch 1: 3 rows were read"):
        run(tmp_path / "lake", engine, numbers(), Inbox(folder), bounds=ONE_FILE_A_BATCH)

    assert {row["batch"] for row in rows(tmp_path / "lake", LEDGER)} == {0}


def test_a_silver_function_that_loses_a_row_stops_the_run_before_anything_is_in_silver(
    engine: Engine, tmp_path: Path
) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    losing = numbers(lambda rows: with_time(rows).where("n IS NULL OR n = 2"))

    with pytest.raises(RunFailed, match="silver table 'even' was given 4 rows and gave back 3"):
        run(tmp_path / "lake", engine, losing, Inbox(folder))

    assert rows(tmp_path / "lake", "silver/even") == rows(tmp_path / "lake", LEDGER) == []
    assert DeltaTable(tmp_path / "lake" / "bronze" / "raw").to_pyarrow_table().num_rows == 4


@pytest.mark.parametrize("bounds", [ALL_TOGETHER, ONE_FILE_A_BATCH])
def test_a_lake_that_was_read_to_its_end_gains_nothing_by_another_start(
    engine: Engine, tmp_path: Path, bounds: Bounds
) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST, SECOND, THIRD)
    run(tmp_path / "lake", engine, numbers(), Inbox(folder), bounds=bounds)

    told = run(tmp_path / "lake", engine, numbers(), Inbox(folder), bounds=bounds)

    assert told == []
    assert len(rows(tmp_path / "lake", "bronze/raw")) == 9


def test_a_table_of_another_pipeline_is_refused_before_anything_is_read(engine: Engine, tmp_path: Path) -> None:
    source = Inbox(an_inbox(tmp_path / "inbox", FIRST))
    run(tmp_path / "lake", engine, numbers(), source)
    other = numbers()
    other.name = "other"

    with pytest.raises(LakeMismatch, match="the table bronze/raw is pipeline 'numbers's, and not 'other's"):
        run(tmp_path / "lake", engine, other, Inbox(an_inbox(tmp_path / "inbox", FIRST, SECOND)))

    assert len(rows(tmp_path / "lake", "bronze/raw")) == 4


def test_a_lake_without_the_notes_of_who_filled_it_is_not_filled_again(tmp_path: Path) -> None:
    """Or what another inbox holds would be taken for what was read before, and be lost."""
    run_once(numbers(), tmp_path / "lake", raw=an_inbox(tmp_path / "inbox", FIRST))
    shutil.rmtree(tmp_path / "lake" / "_vigie")
    others = [message.replace(b'"a"', b'"b"') for message in FIRST]

    with pytest.raises((LakeMismatch, LakeDamaged), match="raw"):
        run_once(numbers(), tmp_path / "lake", raw=an_inbox(tmp_path / "another", others))


def without_trace(commit: Path) -> None:
    for file in commit.parent.glob(f"{commit.stem}.*"):
        file.unlink()


@pytest.mark.parametrize("table", ["bronze/raw", "silver/even"])
@pytest.mark.parametrize("damage", [without_trace, lambda commit: commit.write_bytes(b"")], ids=["gone", "empty"])
def test_a_table_that_has_lost_a_commit_which_the_ledger_knows_stops_the_next_run(
    engine: Engine, tmp_path: Path, damage: Callable[[Path], object], table: str
) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    os.utime(folder / "000.jsonl")  # as new as in a live run: no batch follows because all is idle
    run(tmp_path / "lake", engine, numbers(), Inbox(folder))
    damage(tmp_path / "lake" / table / "_delta_log" / f"{1:020}.json")

    with pytest.raises(LakeDamaged, match=table):
        run(tmp_path / "lake", engine, numbers(), Inbox(folder))
