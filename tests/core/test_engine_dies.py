"""An engine that dies or hangs within a batch is started again, and the batch with it; a batch it always dies of ends
the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.core.loops import unexpected
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.backoff import Clock
from vigie.core.away import Away
from vigie.core.delta.tables import Stamp
from vigie.core.engine import EngineAway, EngineDied, Function, Work
from vigie.core.ledger import Entry, Ledger
from vigie.core.loop import Loop
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds
from vigie.engines.embedded.engine import Embedded
from vigie.lake import Lake, rows

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


class Dying(Embedded):
    """It is killed while it is at what it is asked at these places."""

    asked = 0
    dies_at: frozenset[int] = frozenset()

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        self.asked += 1
        dies = self.asked in self.dies_at

        def at_work(*frames: DataFrame) -> DataFrame:
            if dies:
                assert self._sail is not None
                self._sail.process.kill()
            return function(*frames)

        return super().evaluate(at_work, *tables)


@pytest.fixture
def dying() -> Iterator[Dying]:
    running = Dying()
    yield running
    running.close()


def run(lake: Path, engine: Dying, told: list[Entry], restarts: list[EngineDied], pipeline: Pipeline = stoves) -> None:
    loop = begun(lake, engine, told, restarts.append, pipeline)
    while loop.ingest() or loop.follow():
        pass


def begun(
    lake: Path,
    engine: Embedded,
    told: list[Entry],
    restarted: Callable[[EngineDied], None],
    pipeline: Pipeline = stoves,
) -> Loop:
    values = [
        json.dumps({"id": "a", "t": (NOON + timedelta(seconds=10 * at)).isoformat(), "c": at}) for at in range(60)
    ]
    source = Partitions([[(value.encode(), NOON + timedelta(hours=1)) for value in values]], lambda _left: [20])
    place, graph = Lake(lake), pipeline.graph()
    context = RunContext(graph, place, Ledger(place.ledger(graph.name), graph.name, "embedded"))
    return Loop.over(context, engine, {"heat": source}, Bounds(100, 10**9), told.extend, restarted)


def test_it_is_started_again_and_every_row_is_there_once(dying: Dying, tmp_path: Path) -> None:
    told, restarts = list[Entry](), list[EngineDied]()
    dying.dies_at = frozenset({3, 5, 7})  # two are asked before anything flows

    run(tmp_path, dying, told, restarts)

    assert len(restarts) == 3
    assert sorted(row["c"] for row in rows(Lake(tmp_path).silver("readings"))) == [float(at) for at in range(60)]
    assert sum(entry.read for entry in told if entry.table == "silver/readings") == 60
    assert [row["n"] for row in rows(Lake(tmp_path).gold("counts"))] == [6] * 8


def test_a_batch_that_it_always_dies_of_ends_the_run_and_the_next_goes_on_with_it(dying: Dying, tmp_path: Path) -> None:
    told, restarts = list[Entry](), list[EngineDied]()
    dying.dies_at = frozenset(range(4, 40))

    with pytest.raises(EngineDied):
        run(tmp_path, dying, told, restarts)
    dying.dies_at = frozenset()
    run(tmp_path, dying, told, restarts)

    assert sorted(row["c"] for row in rows(Lake(tmp_path).silver("readings"))) == [float(at) for at in range(60)]


def test_a_table_that_is_being_filled_as_it_dies_is_filled_to_its_end(dying: Dying, tmp_path: Path) -> None:
    told, restarts = list[Entry](), list[EngineDied]()
    run(tmp_path, dying, told, restarts)
    more, columns = Pipeline("stoves"), "id STRING, t TIMESTAMP, c DOUBLE"
    source = more.source("heat", schema=columns, key="id")
    more.silver("readings", reads=source, schema=columns, event_time="t", late_by="1 minute")(readings)
    more.silver("again", reads=source, schema=columns, event_time="t", late_by="1 minute")(lambda rows: rows)
    more.gold("counts", reads=readings, late_by="1 minute")(counts)
    dying.asked, dying.dies_at = 0, frozenset({4})  # three are asked before anything is filled

    run(tmp_path, dying, told, restarts, more)

    assert len(restarts) == 1
    assert sorted(row["c"] for row in rows(Lake(tmp_path).silver("again"))) == [float(at) for at in range(60)]


class Distant(Embedded):
    """One that somebody else runs: while nobody is there, none of its work is done."""

    is_away = False

    def give(self, work: Work, path: Path, stamp: Stamp) -> None:
        if self.is_away:
            raise EngineAway("the server went away")
        super().give(work, path, stamp)

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        if self.is_away:
            raise EngineAway("the server went away")
        return super().evaluate(function, *tables)


def test_one_that_somebody_else_runs_is_waited_for_and_nothing_of_its_work_is_lost_or_doubled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine, told = Distant(), list[Entry]()
    now = 1_000.0
    with closing(engine):
        loop = begun(tmp_path, engine, told, unexpected)
        loop.away = Away(Clock(lambda: now, Event.wait))
        loop.ingest()
        engine.is_away = True

        assert not loop.ingest()
        assert not loop.follow()
        assert loop.away
        assert "heat: the server went away. It is asked for again in 5 s; given up in 10 minutes." in caplog.text
        assert "gold/counts: the server went away." in caplog.text
        engine.is_away = False
        assert not loop.ingest(), "it is not asked before its time"

        now += 5
        while loop.ingest() or loop.follow():
            pass

    assert not loop.away
    assert [row["c"] for row in sorted(rows(Lake(tmp_path).silver("readings")), key=lambda row: row["c"])] == [
        *map(float, range(60))
    ]
    assert sorted(row["n"] for row in rows(Lake(tmp_path).gold("counts"))) == [6] * 8
    assert sum(entry.read for entry in told if entry.table == "silver/readings") == 60


def test_one_that_stays_away_is_given_up_after_ten_minutes(tmp_path: Path) -> None:
    engine = Distant()
    now = 1_000.0
    with closing(engine):
        loop = begun(tmp_path, engine, [], unexpected)
        loop.away = Away(Clock(lambda: now, Event.wait))
        engine.is_away = True
        loop.ingest()
        now += 601

        with pytest.raises(EngineAway):
            loop.ingest()
