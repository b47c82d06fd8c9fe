"""Tables that keep the last value: the same rows in whatever order they came, and however often."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from vigie import Pipeline
from vigie.check import checked
from vigie.core.ledger import Entry, Ledger
from vigie.engine import tables
from vigie.engine.latest import Latest
from vigie.engine.workshop import Workshop
from vigie.errors import BadDeclaration
from vigie.lake import Lake

from ..runs import NOON
from .numbers import LEDGER, numbers, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Numbers = list[tuple[str | None, int, float]]  # key, number, seconds after noon


def as_they_are(rows: DataFrame) -> DataFrame:
    """The newest number of each key."""
    return rows


def with_last(function: Any = as_they_are, latest_by: Any = "k") -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    pipeline.gold("last", reads=silver.function, latest_by=latest_by)(function)
    return pipeline


class Died(Exception):
    """What a test raises where a process would have died."""


def follow(
    spark: SparkSession, lake: Path, *appended: Numbers, pipeline: Pipeline | None = None, die_after: str = ""
) -> list[Entry]:
    """Append each of these to silver, and let the table see it; what the ledger was told."""
    graph = checked(pipeline or with_last())
    place = Lake(lake)
    schema = tables.spark_schema(graph.silver[0].schema)
    tables.ensure(place.silver("even"), tables.arrow_schema(schema), "silver/even", "numbers")
    told: list[Entry] = []

    def committed(name: str) -> None:
        if name == die_after:
            raise Died(name)

    for numbered in appended or [[]]:
        times = [(k, n, NOON + timedelta(seconds=at)) for k, n, at in numbered]
        values = [(k, n, int(at.timestamp()), at) for k, n, at in times]
        if values:
            spark.createDataFrame(values, schema).write.format("delta").mode("append").save(str(place.silver("even")))
        latest = Latest(
            Workshop(spark, graph, place, Ledger(place.ledger("numbers"), "numbers", "spark"), committed), graph.gold[0]
        )

        def step(batch: DataFrame, number: int, latest: Latest = latest) -> None:
            told.extend(latest(batch, number))

        writer = latest.stream().writeStream.foreachBatch(step).trigger(availableNow=True)
        writer.option("checkpointLocation", str(latest.checkpoint.folder)).start().awaitTermination()
    return told


def held(lake: Path) -> list[tuple[str, int, float]]:
    return sorted((row["k"], row["n"], (row["at"] - NOON).total_seconds()) for row in rows(lake, "gold/last"))


def in_the_ledger(lake: Path) -> list[tuple[int, str, int]]:
    return sorted((row["batch"], row["table"], row["read"]) for row in rows(lake, LEDGER))


def version(lake: Path) -> int:
    return DeltaTable(lake / "gold" / "last").version()


def test_the_newest_row_of_each_key_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    told = follow(spark, tmp_path, [("a", 2, 0), ("a", 6, 20), ("a", 4, 10), ("b", 8, 5)], [("b", 10, 6), ("c", 2, 0)])

    assert held(tmp_path) == [("a", 6, 20), ("b", 10, 6), ("c", 2, 0)]
    assert [(entry.read, entry.late) for entry in told] == [(4, 0), (2, 0)]
    assert in_the_ledger(tmp_path) == [(0, "gold/last", 4), (1, "gold/last", 2)]


def test_a_row_that_comes_late_never_replaces_a_newer_one(spark: SparkSession, tmp_path: Path) -> None:
    follow(spark, tmp_path, [("a", 2, 100)], [("a", 4, 99), ("b", 6, -10_000)], [("a", 8, 100)])

    assert held(tmp_path) == [("a", 2, 100), ("b", 6, -10_000)]


def test_whatever_the_order_and_the_batches_the_table_is_the_same(spark: SparkSession, tmp_path: Path) -> None:
    draw = random.Random(4)
    moments = draw.sample(range(1_000), 60)
    everything: Numbers = [(draw.choice("abcdef"), 2 * at, at) for at in moments]
    newest = {key: max(at for k, _, at in everything if k == key) for key, _, _ in everything}

    follow(spark, tmp_path, everything[:7], everything[7:9], everything[9:])

    assert held(tmp_path) == sorted((str(key), 2 * int(at), at) for key, at in newest.items())


@pytest.mark.parametrize("die_after", ["gold/last", "gold/last ledger"])
def test_a_batch_that_runs_twice_changes_nothing(spark: SparkSession, tmp_path: Path, die_after: str) -> None:
    follow(spark, tmp_path, [("a", 2, 0), ("b", 4, 0)])
    with pytest.raises(Exception, match="Died"):
        follow(spark, tmp_path, [("a", 6, 10), ("a", 8, 5), ("c", 2, 1)], die_after=die_after)
    before, at = held(tmp_path), version(tmp_path)

    follow(spark, tmp_path)

    assert held(tmp_path) == before == [("a", 6, 10), ("b", 4, 0), ("c", 2, 1)]
    assert version(tmp_path) == at, "the second time there was nothing to write"
    assert in_the_ledger(tmp_path) == [(0, "gold/last", 2), (1, "gold/last", 3)], "and it is there once"


def test_several_columns_may_make_a_key_and_who_lacks_one_has_no_last_value(
    spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = with_last(latest_by=("k", "n"))

    follow(spark, tmp_path, [("a", 2, 0), ("a", 4, 0), ("a", 2, 9), (None, 2, 5)], [(None, 2, 6)], pipeline=pipeline)

    assert held(tmp_path) == [("a", 2, 9), ("a", 4, 0)]


def test_the_function_may_leave_rows_out_and_the_newest_of_the_others_is_kept(
    spark: SparkSession, tmp_path: Path
) -> None:
    def small(rows: DataFrame) -> DataFrame:
        return rows.where("n < 10").select("k", "n", "at")

    follow(spark, tmp_path, [("a", 2, 0), ("a", 20, 10)], pipeline=with_last(small))

    assert held(tmp_path) == [("a", 2, 0)]


def test_rows_that_are_too_many_to_hold_are_merged_in_parts(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_reach = tables.held
    parts: list[int] = []

    def few_at_most(rows: DataFrame) -> Any:
        found = in_reach(rows)
        assert found is not None
        parts.append(found.num_rows)
        return None if found.num_rows > 20 else found

    monkeypatch.setattr(tables, "held", few_at_most)
    everything: Numbers = [(f"k{at}", 2, at) for at in range(100)]

    follow(spark, tmp_path, everything)

    assert held(tmp_path) == sorted((f"k{at}", 2, at) for at in range(100))
    assert len(parts) > 5


@pytest.mark.parametrize(("kept", "owed"), [(["n", "at"], "k"), (["k", "n"], "at")])
def test_a_table_that_loses_its_key_or_its_time_is_refused_by_name(
    spark: SparkSession, tmp_path: Path, kept: list[str], owed: str
) -> None:
    with pytest.raises(BadDeclaration, match=f"gold table 'last' gives back rows without {owed}"):
        follow(spark, tmp_path, [("a", 2, 0)], pipeline=with_last(lambda rows: rows.select(*kept)))


def test_files_that_were_replaced_long_ago_are_deleted_as_merges_go_on(tmp_path: Path, monkeypatch: Any) -> None:
    import pyarrow as pa

    monkeypatch.setattr("vigie.core.delta.tables.MERGES_PER_VACUUM", 3)
    monkeypatch.setattr("vigie.core.delta.tables.HOURS_KEPT", 0)
    tables.ensure(tmp_path, pa.schema([("k", pa.string()), ("n", pa.int64())]), "gold/t", "numbers")

    for n in range(9):
        tables.merge(pa.table({"k": ["a"], "n": [n]}), tmp_path, ("k",), "new.n > held.n")

    assert DeltaTable(tmp_path).to_pyarrow_table().to_pylist() == [{"k": "a", "n": 8}]
    assert len(list(tmp_path.glob("*.parquet"))) < 5
