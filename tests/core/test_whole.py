"""What was taken out of a lake by hand is refused at the next start, and never made anew in silence or given twice."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.loops import run
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.engines.embedded.engine import Embedded
from vigie.errors import LakeDamaged, LakeMismatch

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
stoves = Pipeline("stoves")
heat = stoves.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id")


@stoves.silver("readings", reads=heat, schema="id STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="1 minute")
def readings(rows: DataFrame) -> DataFrame:
    return rows


@stoves.gold("counts", reads=readings, late_by="1 minute")
def counts(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return rows.groupBy(F.window("t", "1 minute"), "id").agg(F.count("*").alias("n"))


@stoves.gold("last", reads=readings, latest_by="id")
def last(rows: DataFrame) -> DataFrame:
    return rows


def some(minutes: int) -> Partitions:
    values = [
        json.dumps({"id": "a", "t": (NOON + timedelta(seconds=20 * at)).isoformat(), "c": at}).encode()
        for at in range(3 * minutes)
    ]
    return Partitions([[(value, NOON + timedelta(hours=1)) for value in values]], lambda _left: [6])


TAKEN = {
    "bronze/heat": "the table bronze/heat was here, and is gone",
    "silver/readings": "the table silver/readings was here, and is gone",
    "gold/counts": "the table gold/counts was here, and is gone",
    "gold/last": "the table gold/last was here, and is gone",
    "_vigie/stoves/ledger": "the ledger has lost what became of bronze/heat",
    "_vigie/stoves/notes/heat": "the plans of bronze/heat are gone",
    "_vigie/stoves/notes/gold.counts": "the plans of gold/counts are gone",
    "_vigie/stoves/notes/gold.last": "the plans of gold/last are gone",
}


@pytest.fixture(scope="module")
def whole(engine: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("lake")
    run(lake, engine, stoves, some(10))
    return lake


def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "lake"))


@pytest.mark.parametrize("what", TAKEN)
def test_what_was_taken_away_is_named(engine: Embedded, whole: Path, tmp_path: Path, what: str) -> None:
    lake = copied(whole, tmp_path)
    shutil.rmtree(lake / what)

    with pytest.raises(LakeDamaged, match=TAKEN[what]):
        run(lake, engine, stoves, some(20))

    assert not (lake / what / "_delta_log").exists() or what.endswith("ledger")


@pytest.mark.parametrize("table", ["silver/readings"])
def test_a_table_that_was_made_anew_is_named(engine: Embedded, whole: Path, tmp_path: Path, table: str) -> None:
    lake = copied(whole, tmp_path)
    log = lake / table / "_delta_log"
    for commit in sorted(log.glob("*.json"))[1:]:
        commit.unlink()

    with pytest.raises(LakeDamaged, match="it was made anew"):
        run(lake, engine, stoves, some(20))


def test_another_source_is_not_gone_on_with(engine: Embedded, whole: Path, tmp_path: Path) -> None:
    another = some(20)
    another.identity = "another test"

    with pytest.raises(LakeMismatch, match="was filled from a test, and is now asked to go on from another test"):
        run(copied(whole, tmp_path), engine, stoves, another)


def test_what_is_whole_goes_on(engine: Embedded, whole: Path, tmp_path: Path) -> None:
    told = run(copied(whole, tmp_path), engine, stoves, some(20))

    assert sum(entry.read for entry in told if entry.table == "silver/readings") == 30
