"""Tables: a batch is in them once, and another declaration is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.errors import LakeMismatch, RunFailed

SCHEMA = pa.schema([("a", pa.int64()), ("at", pa.timestamp("us", tz="UTC"))])
NUMBERS = pa.schema([("id", pa.int64())])
FIVE = pa.table({"id": range(5)}, NUMBERS)


def held(path: Path) -> int:
    return int(DeltaTable(path).to_pyarrow_table().num_rows)


def test_a_table_is_made_once_and_found_again(tmp_path: Path) -> None:
    tables.ensure(tmp_path / "t", SCHEMA, "silver/t", "p")
    tables.ensure(tmp_path / "t", SCHEMA, "silver/t", "p")

    assert tables.version(tmp_path / "t") == 0


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (pa.schema([*SCHEMA, ("b", pa.string())]), "b is not there in the lake and string here"),
        (pa.schema([("a", pa.int64())]), r"at is timestamp\[us, tz=UTC\] in the lake and not declared here"),
        (pa.schema([("a", pa.string()), SCHEMA.field("at")]), "a is int64 in the lake and string here"),
    ],
    ids=["one more", "one less", "another type"],
)
def test_a_table_of_another_version_is_refused_with_what_differs(tmp_path: Path, schema: pa.Schema, says: str) -> None:
    tables.ensure(tmp_path / "t", SCHEMA, "silver/t", "p")

    with pytest.raises(LakeMismatch, match=f"silver/t was written by another version.*{says}"):
        tables.ensure(tmp_path / "t", schema, "silver/t", "p")


def test_a_table_in_which_one_engine_says_that_nothing_is_missing_is_the_other_s_too(tmp_path: Path) -> None:
    def lists(of: pa.Field) -> pa.Schema:
        inner = pa.struct([pa.field("ids", pa.list_(of), nullable=of.nullable)])
        return pa.schema([("ids", pa.list_(of)), ("within", inner), ("by", pa.map_(pa.string(), pa.list_(of)))])

    always, perhaps = (lists(pa.field("element", pa.string(), nullable=may_lack)) for may_lack in (False, True))
    for at, (made, then) in enumerate(((always, perhaps), (perhaps, always))):
        path = tmp_path / str(at)
        tables.ensure(path, made, "gold/t", "p")
        tables.ensure(path, then, "gold/t", "p")
        row = {"ids": ["a"], "within": {"ids": ["b"]}, "by": [("c", ["d"])]}
        there = pa.schema(DeltaTable(path).schema().to_arrow())

        assert tables.append_arrow(pa.Table.from_pylist([row], then).cast(there), path, Stamp("t", 0)) == 1


def test_a_batch_that_is_written_twice_is_there_once_and_counts_the_same(tmp_path: Path) -> None:
    path, stamp = tmp_path / "t", Stamp("query:t", 4)
    tables.ensure(path, NUMBERS, "t", "p")
    assert not tables.committed(path, stamp)

    counts = [tables.append_arrow(FIVE, path, stamp, late=1) for _ in range(2)]

    assert counts == [5, 5]
    assert held(path) == 5
    assert tables.committed(path, stamp)
    assert not tables.committed(path, Stamp("query:t", 5))
    assert not tables.committed(path, Stamp("another query:t", 4))


def test_a_batch_that_another_query_wrote_under_the_same_number_is_another(tmp_path: Path) -> None:
    tables.ensure(tmp_path / "t", NUMBERS, "t", "p")

    tables.append_arrow(FIVE, tmp_path / "t", Stamp("one", 0))
    tables.append_arrow(FIVE, tmp_path / "t", Stamp("two", 0))

    assert held(tmp_path / "t") == 10


def test_a_batch_that_is_judged_otherwise_the_second_time_stops_the_run(tmp_path: Path) -> None:
    tables.ensure(tmp_path / "t", NUMBERS, "t", "p")
    tables.append_arrow(FIVE, tmp_path / "t", Stamp("query", 4), duplicate=2)

    with pytest.raises(RunFailed, match="judged twice with different answers: {'duplicate': 2}, then {'duplicate': 3}"):
        tables.append_arrow(FIVE, tmp_path / "t", Stamp("query", 4), duplicate=3)


def test_commits_of_others_are_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "t"
    tables.ensure(path, NUMBERS, "t", "p")
    tables.append_arrow(FIVE, path, Stamp("query", 4))
    for note in ("not JSON", "[1]", '{"stamp": "query#5"}'):
        theirs = CommitProperties(custom_metadata={"userMetadata": note})
        write_deltalake(path, FIVE[:3], mode="append", commit_properties=theirs)
    DeltaTable(path).optimize.compact()

    assert tables.append_arrow(FIVE, path, Stamp("query", 4)) == 5
    assert held(path) == 14


def test_a_few_rows_that_are_appended_twice_are_there_once(tmp_path: Path) -> None:
    path = tmp_path / "t"
    tables.ensure(path, NUMBERS, "t", "p")
    row = pa.Table.from_pylist([{"id": 1}], NUMBERS)

    tables.append_arrow(row, path, Stamp("query", 0))
    tables.append_arrow(row, path, Stamp("query", 0))
    tables.append_arrow(row, path, Stamp("query", 1))
    write_deltalake(path, row, mode="append")

    assert held(path) == 3


def test_a_merge_replaces_what_changed_adds_what_is_new_and_leaves_the_rest(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("n", pa.int64()), ("at", pa.timestamp("us", tz="UTC"))])
    tables.ensure(tmp_path, schema, "gold/t", "p")
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    for rows in ([("a", 1), ("b", 5), ("c", 1)], [("a", 2), ("b", 4), ("d", 1)]):
        new = pa.Table.from_pylist([{"id": name, "n": n, "at": noon} for name, n in rows], schema)
        tables.merge(new, tmp_path, ("id",), "new.n > held.n")

    table = DeltaTable(tmp_path)
    found = sorted((row["id"], row["n"], row["at"]) for row in table.to_pyarrow_table().to_pylist())
    assert found == [("a", 2, noon), ("b", 5, noon), ("c", 1, noon), ("d", 1, noon)]
    assert table.metadata().name == "p"


def test_a_merge_that_brings_nothing_new_writes_nothing(tmp_path: Path) -> None:
    tables.ensure(tmp_path, SCHEMA, "gold/t", "p")
    rows = pa.table({"a": [1], "at": [None]}, SCHEMA)
    tables.merge(rows, tmp_path, ("a",), "false")

    tables.merge(rows, tmp_path, ("a",), "false")

    assert tables.version(tmp_path) == 1


def test_text_in_a_merged_table_can_be_compared_by_every_reader(tmp_path: Path) -> None:
    tables.ensure(tmp_path, pa.schema([("id", pa.string())]), "gold/t", "p")
    for name in "ab":
        tables.merge(pa.table({"id": [name]}), tmp_path, ("id",), "false")

    rows = DeltaTable(tmp_path).to_pyarrow_dataset().to_table(filter=pc.field("id") == "a")

    assert rows.to_pylist() == [{"id": "a"}]
