"""On Spark, batches of few messages are judged here and others by the executors: no row is told apart by that."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.loops import begun
from tests.core.partitions import Partitions
from tests.reference import compare_lakes
from vigie import Last, Pipeline
from vigie.core.engine import Engine
from vigie.core.ledger import Entry
from vigie.engines.arrow.intake import ArrowIntake
from vigie.engines.spark.engine import Spark
from vigie.engines.spark.intake import SparkIntake
from vigie.engines.spark.server import Server
from vigie.lake import Lake, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SIZES = 4, 30, 5, 6, 40, 3  # of batches, in readings; each begins with all readings of the one before, again
FEW = 20

Message = tuple[bytes, datetime]

stoves = Pipeline("stoves")
source = stoves.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id")


@stoves.silver(
    "readings",
    reads=source,
    schema="id STRING, t TIMESTAMP, c DOUBLE",
    event_time="t",
    late_by="6 minutes",
    unique=("id", "t"),
)
def readings(rows: DataFrame) -> DataFrame:
    return rows


@stoves.gold("pairs", reads=readings, late_by="1 minute", looks_back=Last(1, of="id", within="3 minutes"))
def pairs(rows: DataFrame) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    before = F.lag("t").over(Window.partitionBy("id").orderBy("t"))
    return rows.select("id", "t", before.alias("before"))


@stoves.gold("newest", reads=readings, latest_by="id")
def newest(rows: DataFrame) -> DataFrame:
    return rows


def reading(second: int) -> Message:
    when = NOON + timedelta(seconds=second)
    return json.dumps({"id": f"stove {second % 3}", "t": when.isoformat(), "c": float(second)}).encode(), when


def messages() -> tuple[list[list[Message]], list[int]]:
    """Three stoves, a reading a second, and how many messages each batch takes."""
    told: list[Message] = []
    before: list[Message] = []
    taken: list[int] = []
    seconds = itertools.count(1)
    for size in SIZES:
        own = [reading(second) for second in itertools.islice(seconds, size)]
        told += before + own
        taken.append(len(before) + len(own))
        before = own
    return [told], taken


def test_a_repeat_is_found_whichever_way_the_reading_that_it_repeats_came(
    embedded: Engine, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, taken = messages()
    ways: list[str] = []
    for kind in (ArrowIntake, SparkIntake):

        def take(intake: object, *given: object, kind: type = kind, before: object = kind.take) -> object:
            ways.append(kind.__name__)
            return before(intake, *given)  # type: ignore[operator]

        monkeypatch.setattr(kind, "take", take)

    for name, engine in (("embedded", embedded), ("spark", Spark(server, FEW))):
        ways.clear()
        told: list[Entry] = []
        loop = begun(tmp_path / name, engine, stoves, Partitions(held, lambda _left: [taken[len(ways)]]), told)
        while loop.ingest() or loop.follow():
            pass
        loop.close()

    assert ways[: len(taken)] == ["ArrowIntake" if each <= FEW else "SparkIntake" for each in taken]
    assert len({*ways}) == 2
    assert sum(entry.duplicate or 0 for entry in told) == sum(SIZES[:-1])
    assert len(rows(Lake(tmp_path / "spark").silver("readings"))) == sum(SIZES)
    assert compare_lakes(tmp_path / "embedded", tmp_path / "spark") == []
