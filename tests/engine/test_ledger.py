"""The ledger's equation holds, and when a row vanishes anywhere the run stops and says so."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from vigie.core.ledger import Entry, Ledger
from vigie.engine import tables
from vigie.engine.tables import Stamp
from vigie.errors import LakeDamaged, LakeMismatch, LedgerBroken, RunFailed
from vigie.lake import Lake
from vigie.sources import inbox

from ..runs import an_inbox, take
from .numbers import FIRST, LEDGER, SECOND, THIRD, numbers, rows, with_time

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

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


@pytest.fixture
def one_file_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "BYTES_PER_BATCH", 1)


def test_the_ledger_says_of_each_batch_what_became_of_its_rows(
    spark: SparkSession, tmp_path: Path, one_file_a_batch: None
) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST, SECOND, THIRD)

    take(spark, numbers(), tmp_path / "lake", inbox.InboxSource(folder))

    said = sorted(tuple(row[name] for name in COUNTS) for row in rows(tmp_path / "lake", LEDGER))
    assert said == [
        ("bronze/raw", 0, 4, 4, 0, 0, 0),
        ("bronze/raw", 1, 2, 2, 0, 0, 0),
        ("bronze/raw", 2, 3, 3, 0, 0, 0),
        ("silver/even", 0, 4, 1, 2, 1, 0),
        ("silver/even", 1, 2, 2, 0, 0, 0),
        ("silver/even", 2, 3, 1, 0, 0, 2),
    ]


def test_a_lake_in_a_folder_of_an_odd_name_is_filled_there(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = """100% "it's" a:b é漢 &+=!@$;,<a>~(`)"""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    lake = Lake.at(odd)
    reading = inbox.InboxSource(an_inbox(lake.inbox("raw"), FIRST))

    told = take(spark, numbers(), lake.root, reading)

    assert [folder.name for folder in (tmp_path / "here").iterdir()] == [odd]
    assert [(entry.table, entry.read, entry.accepted) for entry in told] == [
        ("bronze/raw", 4, 4),
        ("silver/even", 4, 1),
    ]
    assert len(rows(lake.root, "quarantine/numbers")) == 2


def lost_from(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, each write into the table loses a row on its way."""
    by_spark, by_arrow = tables.append, tables.append_arrow

    def losing(rows: DataFrame, path: Path, stamp: Stamp, **counts: int) -> int:
        if path.parts[-2:] == tuple(table.split("/")):
            rows = rows.limit(rows.count() - 1)
        return by_spark(rows, path, stamp, **counts)

    def losing_too(rows: pa.Table | pa.RecordBatchReader, path: Path, stamp: Stamp, **counts: int) -> int:
        if path.parts[-2:] == tuple(table.split("/")):
            rows = pa.table(rows)[:-1]
        return by_arrow(rows, path, stamp, **counts)

    monkeypatch.setattr(tables, "append", losing)
    monkeypatch.setattr(tables, "append_arrow", losing_too)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("silver/even", "silver/even, batch 0: 5 rows were read, but 1 accepted"),
        ("quarantine/numbers", "silver/even, batch 0: 5 rows were read, but 2 accepted"),
        ("bronze/raw", "bronze/raw, batch 0: 5 rows were read, but 4 accepted"),
    ],
)
def test_a_row_that_a_write_loses_stops_the_run(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, says: str
) -> None:
    folder = an_inbox(tmp_path / "inbox", [*FIRST, SECOND[0]])
    lost_from(table, monkeypatch)

    with pytest.raises(LedgerBroken, match=says):
        take(spark, numbers(), tmp_path / "lake", inbox.InboxSource(folder))

    assert rows(tmp_path / "lake", LEDGER) == []


def test_a_late_row_that_a_write_loses_stops_the_run(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_file_a_batch: None
) -> None:
    folder = an_inbox(tmp_path / "inbox", SECOND, THIRD)
    lost_from("late/numbers", monkeypatch)

    with pytest.raises(LedgerBroken, match="silver/even, batch 1: 3 rows were read"):
        take(spark, numbers(), tmp_path / "lake", inbox.InboxSource(folder))

    assert {row["batch"] for row in rows(tmp_path / "lake", LEDGER)} == {0}


def test_a_silver_function_that_loses_a_row_stops_the_run_before_anything_is_in_silver(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    losing = numbers(lambda rows: with_time(rows).where("n IS NULL OR n = 2"))

    with pytest.raises(RunFailed, match="silver table 'even' was given 4 rows and gave back 3"):
        take(spark, losing, tmp_path / "lake", inbox.InboxSource(folder))

    assert rows(tmp_path / "lake", "silver/even") == rows(tmp_path / "lake", LEDGER) == []
    assert DeltaTable(tmp_path / "lake" / "bronze" / "raw").to_pyarrow_table().num_rows == 4


def test_a_table_of_another_pipeline_is_refused_before_anything_is_read(spark: SparkSession, tmp_path: Path) -> None:
    reading = inbox.InboxSource(an_inbox(tmp_path / "inbox", FIRST))
    take(spark, numbers(), tmp_path / "lake", reading)
    other = numbers()
    other.name = "other"

    with pytest.raises(LakeMismatch, match="the table bronze/raw is pipeline 'numbers's, and not 'other's"):
        take(spark, other, tmp_path / "lake", reading)


def test_a_lake_without_the_notes_of_who_filled_it_is_not_filled_again(spark: SparkSession, tmp_path: Path) -> None:
    reading = inbox.InboxSource(an_inbox(tmp_path / "inbox", FIRST))
    take(spark, numbers(), tmp_path / "lake", reading)
    shutil.rmtree(tmp_path / "lake" / "_vigie")

    with pytest.raises(LakeMismatch, match="the lake holds what 'raw' has read, but not the note of how far it was"):
        take(spark, numbers(), tmp_path / "lake", reading)


def without_trace(commit: Path) -> None:
    for file in commit.parent.glob(f"{commit.stem}.*"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_trace, "the ledger says that silver/even holds batch 0, and the table's log ends with batch -1"),
        (lambda commit: commit.write_bytes(b""), f"the log of the table silver/even is damaged: {1:020}.json is empty"),
    ],
    ids=["gone", "empty"],
)
def test_a_table_that_has_lost_a_commit_which_the_ledger_knows_stops_the_next_run(
    spark: SparkSession, tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    reading = inbox.InboxSource(an_inbox(tmp_path / "inbox", FIRST))
    take(spark, numbers(), tmp_path / "lake", reading)
    damage(tmp_path / "lake" / "silver" / "even" / "_delta_log" / f"{1:020}.json")

    with pytest.raises(LakeDamaged, match=says):
        take(spark, numbers(), tmp_path / "lake", reading)
