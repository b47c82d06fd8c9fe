"""A run that meets a lake with which it cannot go on says so in a sentence, with where and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.numbers import FIRST, SECOND, numbers
from tests.runs import an_inbox, run_once
from vigie import Pipeline
from vigie.errors import LakeDamaged, VigieError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def last(rows: DataFrame) -> DataFrame:
    """The newest number of each key."""
    return rows


def with_last() -> Pipeline:
    pipeline = numbers()
    pipeline.gold("last", reads="even", latest_by="k")(last)
    return pipeline


def garbled(file: Path) -> None:
    file.write_bytes(b"this was a table")


@pytest.mark.parametrize("table", ["silver/even", "gold/last"])
@pytest.mark.parametrize("damage", [garbled, Path.unlink], ids=["garbled", "gone"])
def test_a_damaged_file_of_a_table_is_told_with_where_and_what_to_do(
    tmp_path: Path, damage: Callable[[Path], object], table: str
) -> None:
    lake, inbox = tmp_path / "lake", an_inbox(tmp_path / "inbox", FIRST)
    run_once(with_last(), lake, raw=inbox)
    for file in (lake / table).glob("*.parquet"):
        damage(file)
    an_inbox(inbox, FIRST, [*FIRST, *SECOND])  # which repeats what silver holds

    with pytest.raises(LakeDamaged) as problem:
        run_once(with_last(), lake, raw=inbox)

    assert len(problem.value.what.splitlines()) == 1
    assert problem.value.where.startswith(str(lake))
    assert "copy of the lake" in problem.value.do


def test_a_lake_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "_vigie").write_text("a file where a folder should be")

    with pytest.raises(VigieError, match="the lake cannot be written: Not a directory") as problem:
        run_once(numbers(), lake, raw=an_inbox(tmp_path / "inbox", FIRST))

    assert problem.value.exit_code == 2
    assert problem.value.where.startswith(str(lake))


@pytest.mark.parametrize("folder", ["bronze", "silver", "quarantine"])
def test_a_table_that_cannot_be_made_is_told_with_where_and_what_to_do(tmp_path: Path, folder: str) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / folder).write_text("a file where a folder should be")

    with pytest.raises(VigieError) as problem:
        run_once(numbers(), lake, raw=an_inbox(tmp_path / "inbox", FIRST))

    assert len(problem.value.what.splitlines()) == 1
    assert problem.value.where.startswith(str(lake))
    assert problem.value.do
