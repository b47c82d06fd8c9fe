"""Tables that keep the last value: the same rows in whatever order they came, and however often."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from tests.core.gold.following import Following, seconds
from tests.core.loops import KilledError
from tests.core.numbers import LEDGER, numbers, rows
from vigie import Pipeline
from vigie.core.delta import tables
from vigie.core.engine import Engine
from vigie.engines.arrow import latest
from vigie.errors import BadDeclaration, RunFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def as_they_are(rows: DataFrame) -> DataFrame:
    """The newest number of each key."""
    return rows


def with_last(function: Any = as_they_are, latest_by: Any = "k") -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    pipeline.gold("last", reads=silver.function, latest_by=latest_by)(function)
    return pipeline


def held(following: Following) -> list[tuple[str, int, float]]:
    return sorted((row["k"], row["n"], seconds(row["at"])) for row in following.made("last"))


def in_the_ledger(folder: Path) -> list[tuple[int, int, int]]:
    """Of each batch of the table: its number, what it read and what of it was late."""
    told = [row for row in rows(folder / "lake", LEDGER) if row["table"] == "gold/last"]
    return sorted((row["batch"], row["read"], row["late"]) for row in told)


def version(folder: Path) -> int:
    return DeltaTable(folder / "lake" / "gold" / "last").version()


def test_the_newest_row_of_each_key_is_kept(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, with_last())

    following.goes_through((2, 0, "a"), (6, 20, "a"), (4, 10, "a"), (8, 5, "b"))
    following.goes_through((10, 6, "b"), (2, 0, "c"))

    assert held(following) == [("a", 6, 20), ("b", 10, 6), ("c", 2, 0)]
    assert in_the_ledger(tmp_path) == [(0, 4, 0), (1, 2, 0)]


def test_a_row_that_comes_behind_never_replaces_a_newer_one(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, with_last())

    following.goes_through((2, 100, "a"))
    following.goes_through((4, 99, "a"), (6, -200, "b"))
    following.goes_through((8, -200, "a"))

    assert held(following) == [("a", 2, 100), ("b", 6, -200)]


def test_whatever_the_order_and_the_batches_the_table_is_the_same(engine: Engine, tmp_path: Path) -> None:
    draw = random.Random(4)
    everything = [(2 * at, float(at), draw.choice("abcdef")) for at in draw.sample(range(350), 60)]
    newest = {key: max(at for _, at, k in everything if k == key) for _, _, key in everything}
    following = Following(tmp_path, engine, with_last())

    for part in (everything[:7], everything[7:9], everything[9:]):
        following.goes_through(*part)

    assert held(following) == sorted((key, 2 * int(at), at) for key, at in newest.items())


@pytest.mark.parametrize("dies_after", ["gold/last plan", "gold/last", "gold/last ledger"])
def test_a_batch_that_runs_twice_changes_nothing(engine: Engine, tmp_path: Path, dies_after: str) -> None:
    Following(tmp_path, engine, with_last()).goes_through((2, 0, "a"), (4, 0, "b"))
    dying = Following(tmp_path, engine, with_last(), dies_after=dies_after)
    with pytest.raises(KilledError):
        dying.goes_through((6, 10, "a"), (8, 5, "a"), (2, 1, "c"))
    at = version(tmp_path)

    again = Following(tmp_path, engine, with_last())
    again.follow_on()

    assert held(again) == [("a", 6, 10), ("b", 4, 0), ("c", 2, 1)]
    assert version(tmp_path) == at + (dies_after == "gold/last plan"), "or there was nothing to write the second time"
    assert in_the_ledger(tmp_path)[:2] == [(0, 2, 0), (1, 3, 0)], "and it is there once"


def test_several_columns_may_make_a_key_and_who_lacks_one_has_no_last_value(engine: Engine, tmp_path: Path) -> None:
    def anonymous(rows: DataFrame) -> DataFrame:
        return rows.withColumn("k", F.when(rows.k != "nobody", rows.k))

    following = Following(tmp_path, engine, with_last(anonymous, latest_by=("k", "n")))

    following.goes_through((2, 0, "a"), (4, 1, "a"), (2, 9, "a"), (2, 5, "nobody"))
    following.goes_through((2, 6, "nobody"))

    assert held(following) == [("a", 2, 9), ("a", 4, 1)]


def test_the_function_may_leave_rows_out_and_the_newest_of_the_others_is_kept(engine: Engine, tmp_path: Path) -> None:
    def small(rows: DataFrame) -> DataFrame:
        return rows.where("n < 10").select("k", "n", "at")

    following = Following(tmp_path, engine, with_last(small))

    following.goes_through((2, 0, "a"), (20, 10, "a"))

    assert held(following) == [("a", 2, 0)]


def test_rows_that_are_too_many_to_hold_are_merged_in_parts(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest, "AT_ONCE", 20)
    following = Following(tmp_path, engine, with_last())

    following.goes_through(*((2, at, f"k{at % 70}") for at in range(100)))

    assert held(following) == sorted((f"k{at % 70}", 2, at) for at in range(30, 100))


@pytest.mark.parametrize(("kept", "owed"), [(["n", "at"], "k"), (["k", "n"], "at")])
def test_a_table_that_loses_its_key_or_its_time_is_refused_by_name(
    engine: Engine, tmp_path: Path, kept: list[str], owed: str
) -> None:
    with pytest.raises(BadDeclaration, match=f"gold table 'last' gives back rows without {owed}"):
        Following(tmp_path, engine, with_last(lambda rows: rows.select(*kept)))


def test_files_that_were_replaced_long_ago_are_deleted_as_merges_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.core.delta.tables.MERGES_PER_VACUUM", 3)
    monkeypatch.setattr("vigie.core.delta.tables.HOURS_KEPT", 0)
    tables.ensure(tmp_path, pa.schema([("k", pa.string()), ("n", pa.int64())]), "gold/t", "numbers")

    for n in range(9):
        tables.merge(pa.table({"k": ["a"], "n": [n]}), tmp_path, ("k",), "new.n > held.n")

    assert DeltaTable(tmp_path).to_pyarrow_table().to_pylist() == [{"k": "a", "n": 8}]
    assert len(list(tmp_path.glob("*.parquet"))) < 5


def test_what_cannot_be_computed_is_said_with_the_table_and_its_line(engine: Engine, tmp_path: Path) -> None:
    def last(rows: DataFrame) -> DataFrame:
        return rows.withColumn("n", F.when(F.col("n") == 4, F.raise_error(F.lit("no four"))).otherwise(F.col("n")))

    following = Following(tmp_path, engine, with_last(last))

    with pytest.raises(RunFailed, match=r"the function of gold/last cannot be computed: .*no four.*test_latest\.py:"):
        following.goes_through((4, 0, "a"))
