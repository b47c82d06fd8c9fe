"""What is read of a table at a version, and of a span of time, is what is in it then; whatever was open already."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie.core.delta import handles, tables
from vigie.core.delta.snapshot import Snapshot, Within
from vigie.core.delta.tables import Stamp
from vigie.errors import LakeDamaged

FIRST = datetime(1990, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA = pa.schema([("n", pa.int64()), ("t", pa.timestamp("us", "UTC"))])
MOMENT = st.none() | st.integers(0, 5_000_000).map(lambda micros: FIRST + timedelta(microseconds=micros))


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def filled(path: Path, parts: list[list[datetime | None]]) -> None:
    tables.ensure(path, SCHEMA, "t", "test")
    for batch, part in enumerate(parts):
        rows = pa.table({"n": pa.array(range(len(part)), pa.int64()), "t": pa.array(part, SCHEMA.field("t").type)})
        tables.append_arrow(rows, path, Stamp("test", batch))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.lists(MOMENT, min_size=1, max_size=4), min_size=1, max_size=6),
    ends=st.tuples(st.integers(-10, 5_000_010), st.integers(-10, 5_000_010)),
    data=st.data(),
)
def test_a_span_of_a_version_has_the_rows_that_polars_finds(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[list[datetime | None]],
    ends: tuple[int, int],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("table") / "t"
    filled(path, parts)
    since, until = (FIRST + timedelta(microseconds=each) for each in sorted(ends))
    within = Within("t", micros(since), micros(until))
    where = (pc.field("t") >= pa.scalar(since)) & (pc.field("t") <= pa.scalar(until))
    for version in data.draw(st.lists(st.integers(0, len(parts)), max_size=4)):
        snapshot = Snapshot(path, version)

        found = snapshot.reader(where, within=within).read_all()

        there = pl.read_delta(str(path), version=version).filter(pl.col("t").is_between(since, until))
        key = [("t", "ascending"), ("n", "ascending")]
        assert found.sort_by(key).to_pylist() == there.sort("t", "n").to_dicts()
        assert snapshot.most(within)[0] >= len(there)
    assert Snapshot(path).reader().read_all().num_rows == sum(map(len, parts))


def test_files_of_another_time_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "t"
    filled(path, [[FIRST], [FIRST + timedelta(hours=1)], [FIRST + timedelta(hours=2)]])
    within = Within("t", micros(FIRST + timedelta(minutes=59)), micros(FIRST + timedelta(minutes=61)))
    [wanted] = [file for file in path.glob("*.parquet") if pl.read_parquet(file)["t"][0] == FIRST + timedelta(hours=1)]
    for file in path.glob("*.parquet"):
        if file != wanted:
            file.unlink()

    assert Snapshot(path).reader(within=within).read_all().num_rows == 1
    assert Snapshot(path).most(within)[0] == 1


@pytest.mark.parametrize("asked", [tables.version, lambda path: Snapshot(path, 1)])
def test_a_table_that_was_taken_away_is_not_there_for_whoever_had_it_open(
    tmp_path: Path, asked: Callable[[Path], object]
) -> None:
    path = tmp_path / "t"
    filled(path, [[FIRST]])
    asked(path)
    shutil.rmtree(path)

    with pytest.raises(LakeDamaged):
        asked(path)
    with pytest.raises(LakeDamaged):
        tables.append_arrow(SCHEMA.empty_table(), path, Stamp("test", 9))
    assert not path.exists()


def test_what_others_commit_is_seen_by_whoever_has_the_table_open(tmp_path: Path) -> None:
    path = tmp_path / "t"
    filled(path, [[FIRST]])
    assert tables.version(path) == 1

    for number in range(2, handles.USED + 5):
        write_deltalake(str(path), pa.table({"n": [number], "t": [FIRST]}).cast(SCHEMA), mode="append")

        assert tables.version(path) == number
        assert Snapshot(path).reader().read_all().num_rows == number
    assert DeltaTable(str(path)).version() == number


@pytest.mark.parametrize("version", [None, 2])
def test_a_table_that_was_made_anew_is_not_taken_for_the_one_that_was_open(tmp_path: Path, version: int | None) -> None:
    path = tmp_path / "t"
    filled(path, [[FIRST], [FIRST]])
    assert Snapshot(path, version).reader().read_all().num_rows == 2
    shutil.rmtree(path)
    filled(path, [[FIRST, FIRST, FIRST], [FIRST]])

    assert Snapshot(path, version).reader().read_all().num_rows == 4


def test_a_table_that_is_written_batch_by_batch_is_opened_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = tmp_path / "t", list[Path]()
    filled(path, [[FIRST]])

    def counted(path: Path, version: int | None = None) -> DeltaTable:
        opened.append(path)
        return DeltaTable(str(path), version)

    monkeypatch.setattr(handles, "opened", counted)
    filled(path, [[FIRST]] * (handles.USED * 2))

    assert 1 <= len(opened) <= 3
