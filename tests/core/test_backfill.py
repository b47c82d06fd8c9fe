"""A silver table that is added to a lake holds what it would hold had it been there from the first message on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from tests.core.loops import run
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.core.ledger import Ledger
from vigie.engines.embedded.engine import Embedded

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCHEMA = "id STRING, t TIMESTAMP, c DOUBLE"


def a_pipeline(*, is_later: bool) -> Pipeline:
    stoves = Pipeline("stoves")
    source = stoves.source("heat", schema=SCHEMA, key="id")

    def warm(rows: DataFrame) -> DataFrame:
        return rows

    def hot(rows: DataFrame) -> DataFrame:
        return rows

    own: dict[str, Any] = {"reads": source, "schema": SCHEMA, "event_time": "t", "unique": ("id", "t")}
    stoves.silver("warm", late_by="6 minutes", expect={"is warm": "c > 0"}, **own)(warm)
    if is_later:
        stoves.silver("hot", late_by="2 minutes", expect={"is hot": "c > 15"}, **own)(hot)
    return stoves


def messages(chance: random.Random, partition: int) -> list[tuple[bytes, datetime]]:
    at, made = NOON, []
    for number in range(120):
        at += timedelta(seconds=chance.choice([0, 5, 20, 60]))
        behind = timedelta(seconds=chance.choice([0] * 9 + [90, 200, 1_000]))
        row = {"id": f"k{partition}-{number % 3}", "t": (at - behind).isoformat(), "c": chance.randrange(-3, 40)}
        made.append((json.dumps(row).encode() if chance.random() > 0.05 else b"{", NOON + timedelta(hours=5)))
    return made


def rows(lake: Path, table: str, *columns: str) -> list[tuple[object, ...]]:
    held = DeltaTable(lake / table).to_pyarrow_table().select(columns)
    return sorted(zip(*(held[name].to_pylist() for name in columns), strict=True), key=str)


def test_it_is_brought_to_where_bronze_is_and_goes_on_from_there(engine: Embedded, tmp_path: Path) -> None:
    chance = random.Random(5)
    every = [messages(chance, partition) for partition in range(3)]
    source = Partitions(every, lambda left: [chance.randrange(15) for _ in left])
    run(tmp_path / "whole", engine, a_pipeline(is_later=True), source)
    run(tmp_path / "later", engine, a_pipeline(is_later=False), source, batches=9)

    told = run(tmp_path / "later", engine, a_pipeline(is_later=True), source)

    assert told[0].table == "silver/hot"
    for table in ("silver/warm", "silver/hot"):
        columns = ("id", "t", "c", "seen_until")
        assert rows(tmp_path / "later", table, *columns) == rows(tmp_path / "whole", table, *columns)
    for table in ("quarantine/stoves", "late/stoves"):
        place = ("table", "partition", "offset")
        assert rows(tmp_path / "later", table, *place) == rows(tmp_path / "whole", table, *place)
    ledger = DeltaTable(tmp_path / "later/_vigie/stoves/ledger").to_pyarrow_table().to_pylist()
    read = {
        table: sum(entry["read"] for entry in ledger if entry["table"] == table)
        for table in ("silver/warm", "silver/hot")
    }
    assert read == {"silver/warm": 360, "silver/hot": 360}


def test_a_fill_that_died_is_taken_up_where_it_was(
    engine: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(6)
    every = [messages(chance, partition) for partition in range(2)]
    source = Partitions(every, lambda left: [chance.randrange(9) for _ in left])
    run(tmp_path / "whole", engine, a_pipeline(is_later=True), source)
    run(tmp_path / "later", engine, a_pipeline(is_later=False), source, batches=20)
    monkeypatch.setattr("vigie.core.ingest.backfill.ROWS_AT_ONCE", 40)

    kept = Ledger.write
    for number in range(3):
        with monkeypatch.context() as dying, pytest.raises(ZeroDivisionError):
            wrote = iter(range(number))

            def write(self: Ledger, *told: object, wrote: Iterator[int] = wrote) -> None:
                if next(wrote, None) is None:
                    raise ZeroDivisionError
                return kept(self, *told)  # type: ignore[arg-type]

            dying.setattr(Ledger, "write", write)
            run(tmp_path / "later", engine, a_pipeline(is_later=True), source)
    run(tmp_path / "later", engine, a_pipeline(is_later=True), source)

    columns = ("id", "t", "c", "seen_until")
    assert rows(tmp_path / "later", "silver/hot", *columns) == rows(tmp_path / "whole", "silver/hot", *columns)
