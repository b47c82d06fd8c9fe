"""What each commit of a table added, read from its log."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from vigie.core.delta.changes import by_version, check, follows, gained, rows_of
from vigie.errors import LakeDamaged
from vigie.maintenance import compact_small

SCHEMA = pa.schema([("number", pa.int64())])


def grown(path: Path, *commits: list[int]) -> Path:
    for numbers in commits:
        write_deltalake(str(path), pa.table({"n": pa.array(numbers, pa.int64())}), mode="append")
    return path


def numbers(path: Path, after: int, most_rows: int = 100, until: int | None = None) -> tuple[int, list[int]]:
    gain = gained(path, after, most_rows, until)
    assert gain is not None
    return gain.version, rows_of(path, gain, ["n"], SCHEMA)["number"].to_pylist()


def test_it_takes_whole_commits_until_there_are_enough_rows(tmp_path: Path) -> None:
    path = grown(tmp_path / "a b", [1, 2], [3], [], [4])

    assert numbers(path, -1, most_rows=3) == (1, [1, 2, 3])
    assert numbers(path, 1) == (3, [4])
    assert numbers(path, -1, most_rows=1, until=2) == (2, [1, 2, 3])
    assert gained(path, 3, 100) is None


def test_it_says_which_commit_brought_a_row(tmp_path: Path) -> None:
    path = grown(tmp_path, [1], [], [2])
    gain = gained(path, -1, 100)
    assert gain is not None

    found = by_version(path, gain, ["n"], SCHEMA)

    assert [(version, rows["number"].to_pylist()) for version, rows in found if rows.num_rows] == [(0, [1]), (2, [2])]


def test_a_compaction_adds_nothing(tmp_path: Path) -> None:
    path = grown(tmp_path, [1], [2])
    compact_small(path, more_than=1)

    assert numbers(path, 1) == (2, [])


def test_rows_that_somebody_erased_are_no_gain_nor_are_those_that_stay(tmp_path: Path) -> None:
    path = grown(tmp_path, [1, 2, 3])
    DeltaTable(path).delete("n = 2")
    grown(path, [4])

    assert numbers(path, 0) == (2, [4])


def test_what_was_tidied_away_cannot_be_followed(tmp_path: Path) -> None:
    path = grown(tmp_path, [1], [2])
    before = [file.name for file in path.glob("*.parquet")]
    compact_small(path, more_than=1)
    assert follows(path, -1)

    (path / before[0]).unlink()

    assert not follows(path, -1)
    assert follows(path, 1)
    with pytest.raises(LakeDamaged, match="after version -1 was tidied away"):
        check(path, -1)


def test_a_log_that_no_longer_begins_at_the_beginning_cannot_be_followed(tmp_path: Path) -> None:
    path = grown(tmp_path, [1], [2])
    DeltaTable(path).create_checkpoint()
    (path / "_delta_log" / f"{0:020}.json").unlink()

    assert not follows(path, -1)
    assert follows(path, 0)


def test_instants_of_another_precision_are_read_in_microseconds(tmp_path: Path) -> None:
    instant = pa.timestamp("us", "UTC")
    write_deltalake(str(tmp_path), pa.table({"at": pa.array([1_500_000], instant)}))
    [file] = tmp_path.glob("*.parquet")
    pq.write_table(pq.read_table(file), file, use_deprecated_int96_timestamps=True)
    gain = gained(tmp_path, -1, 1)
    assert gain is not None

    found = rows_of(tmp_path, gain, ["at"], pa.schema([("moment", instant)]))

    assert found["moment"].cast(pa.int64()).to_pylist() == [1_500_000]
