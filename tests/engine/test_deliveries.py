"""A batch on its way to a sink that does not take it at once."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from tests.rows import a_frame, a_table
from vigie import Pipeline
from vigie.backoff import Backoff, Clock
from vigie.check import problems
from vigie.contracts import Surroundings
from vigie.core.left_undone import LeftUndone
from vigie.engine.deliveries import Step, open_all
from vigie.errors import BadSetting, RunFailed
from vigie.lake import Lake
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.parquet import Parquet

ROWS = a_frame(a_table("k STRING", ("a",), ("b",)))
NO_LAKE = Lake.at("no-such-lake")


class Troubled:
    """A writer that reads its rows, raises what is lined up, and then takes what it is given."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.written: list[int] = []

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        assert rows.read_all().num_rows == 2
        if self.troubles:
            raise self.troubles.pop(0)
        self.written.append(batch)


class Elsewhere:
    """A sink that is switched on by an address, here that of a Kafka, and whose library is not there."""

    module = "no_such_library"
    extra = "elsewhere"

    def missing(self, around: Surroundings) -> str:
        return "" if around.servers else "VIGIE_KAFKA is not set"

    def opened(self, _around: Surroundings) -> Troubled:
        return Troubled()


def a_step(writer: Troubled, ending: threading.Event, patience: float | None = None) -> tuple[Step, list[float]]:
    waits: list[float] = []
    clock = Clock(lambda: sum(waits), lambda _event, seconds: waits.append(seconds))
    return Step("t-to-x-0", writer, ending, patience, clock, Backoff(lambda: 1.0)), waits


def test_a_batch_is_tried_again_until_it_is_taken_ever_less_often() -> None:
    writer = Troubled(*(NotNow("away") for _ in range(3)), NotNow("busy", wait=90))
    step, waits = a_step(writer, threading.Event())

    assert step(ROWS, 7) == []

    assert writer.written == [7]
    assert waits == [1, 2, 4, 90]


def test_a_batch_that_waits_for_its_sink_gives_up_when_the_run_ends() -> None:
    ending = threading.Event()
    ending.set()
    step, _ = a_step(Troubled(NotNow("away")), ending)

    with pytest.raises(LeftUndone):
        step(ROWS, 7)


def test_a_run_that_takes_what_is_there_does_not_wait_for_ever() -> None:
    step, waits = a_step(Troubled(*(NotNow("away") for _ in range(99))), threading.Event(), patience=30)

    with pytest.raises(RunFailed, match="t-to-x-0 could not be delivered: away\nStart its receiver"):
        step(ROWS, 7)
    assert 30 < sum(waits) < 70


def test_what_is_refused_ends_the_run() -> None:
    step, waits = a_step(Troubled(Refused("the table has other columns")), threading.Event())

    with pytest.raises(Refused):
        step(ROWS, 7)
    assert waits == []


def test_a_span_of_a_delivery_that_is_none_is_reported_with_its_line() -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING")
    pipeline.deliver(raw, to=Parquet("archive", every="10 secnds"))

    [problem] = problems(pipeline)

    assert (problem.kind, problem.place.line) == ("BadDuration", pipeline.graph().deliveries[0].place.line)
    assert "every of a delivery: '10 secnds' is not a span of time" in problem.what


def test_the_library_of_a_sink_that_is_off_is_not_missed_and_of_one_that_is_on_it_is() -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING")
    pipeline.deliver(raw, to=Elsewhere())

    assert problems(pipeline) == []
    assert open_all(pipeline.graph(), Surroundings(Settings(kafka=None)), NO_LAKE) == []
    with pytest.raises(BadSetting, match="Elsewhere is set up, but the library 'no_such_library' is not installed"):
        open_all(pipeline.graph(), Surroundings(Settings(kafka=None), "localhost:9092"), NO_LAKE)


def test_a_delivery_has_one_name_in_a_lake_and_another_in_one_made_anew(tmp_path: Path) -> None:
    pipeline = Pipeline("p")
    pipeline.deliver(pipeline.source("raw", schema="k STRING"), to=Parquet(tmp_path / "archive"))
    first, anew = Lake.at(tmp_path / "lake"), Lake.at(tmp_path / "anew")

    for lake in (first, first, anew):
        [going] = open_all(pipeline.graph(), Surroundings(Settings(kafka=None)), lake)
        going.writer.write(a_table("k STRING", ("a",)).to_reader(), 0)

    names = [file.name for file in (tmp_path / "archive").iterdir()]
    assert len(names) == 2
    assert all(re.fullmatch(r"raw-to-parquet-0-[0-9a-f]{8}-00000000\.parquet", name) for name in names)


def test_what_is_off_is_said_once_for_each_kind_of_sink(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING")
    pipeline.deliver(raw, to=Elsewhere())
    pipeline.deliver(raw, to=Elsewhere())

    open_all(pipeline.graph(), Surroundings(Settings(kafka=None)), NO_LAKE)

    first, second = (delivery.place for delivery in pipeline.graph().deliveries)
    assert [line.split("is off")[1] for line in caplog.messages] == [f": VIGIE_KAFKA is not set ({first}, {second})"]
