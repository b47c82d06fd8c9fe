"""A table on its way to a sink: each row once, in batches that are tried until they are taken and never cut anew."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.rows import a_table
from tests.test_maintenance import aged
from vigie import Pipeline
from vigie.backoff import Backoff, Clock
from vigie.check import problems
from vigie.contracts import Surroundings, Writer
from vigie.core import delivery
from vigie.core.delivery import Carrier, Step, carriers
from vigie.core.delta import changes, tables
from vigie.core.delta.tables import Stamp
from vigie.core.ledger import Ledger
from vigie.core.left_undone import LeftUndone
from vigie.core.run_context import RunContext
from vigie.errors import BadSetting, LakeDamaged, RunFailed
from vigie.lake import Lake, Table
from vigie.maintenance import SHORTEST, maintain
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.parquet import Parquet

AROUND = Surroundings(Settings(kafka=None))
NUMBERS = pa.schema([("n", pa.int64()), ("seen_until", pa.timestamp("us", "UTC"))])


class Troubled:
    """A writer that raises what is lined up, and then takes what it is given."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.written: dict[int, list[int]] = {}

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        found = rows.read_all()
        assert found.column_names == ["n"], "and nothing of what the loop keeps beside each row"
        if self.troubles:
            raise self.troubles.pop(0)
        self.written[batch] = found["n"].to_pylist()


class Elsewhere:
    """A sink that is switched on by an address, here that of a Kafka, and whose library is not there."""

    module = "no_such_library"
    extra = "elsewhere"

    def missing(self, around: Surroundings) -> str:
        return "" if around.servers else "VIGIE_KAFKA is not set"

    def opened(self, _around: Surroundings) -> Troubled:
        return Troubled()


class Followed:
    """A table that grows as a test says, and its delivery, as a start of the process makes it."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "lake")
        self.table = Table("silver", "even", self.lake.silver("even"))
        self._notes = self.lake.notes("numbers") / "even-to-x-0"
        self._commits = 0
        tables.ensure(self.table.path, NUMBERS, "silver/even", "numbers")

    def gains(self, *values: int) -> None:
        rows = pa.table({"n": values, "seen_until": [None] * len(values)}, NUMBERS)
        tables.append_arrow(rows, self.table.path, Stamp("raw:silver/even", self._commits))
        self._commits += 1

    def carrier(self, writer: Writer, *, may_lose: bool = False) -> Carrier:
        step, _ = a_step(threading.Event())
        return Carrier("even-to-x-0", self.table, self._notes, writer, step, may_lose=may_lose)


def a_step(ending: threading.Event, patience: float | None = None) -> tuple[Step, list[float]]:
    waits: list[float] = []
    clock = Clock(lambda: sum(waits), lambda _event, seconds: waits.append(seconds))
    return Step("t-to-x-0", ending, patience, clock, Backoff(lambda: 1.0)), waits


def delivered(writer: Troubled, step: Step) -> None:
    step(lambda: writer.write(pa.table({"n": [1, 2]}).to_reader(), 7))


def test_a_batch_is_tried_again_until_it_is_taken_ever_less_often() -> None:
    writer = Troubled(*(NotNow("away") for _ in range(3)), NotNow("busy", wait=90))
    step, waits = a_step(threading.Event())

    delivered(writer, step)

    assert writer.written == {7: [1, 2]}
    assert waits == [1, 2, 4, 90]


def test_a_batch_that_waits_for_its_sink_gives_up_when_the_run_ends() -> None:
    ending = threading.Event()
    ending.set()
    step, _ = a_step(ending)

    with pytest.raises(LeftUndone):
        delivered(Troubled(NotNow("away")), step)


def test_a_run_that_takes_what_is_there_does_not_wait_for_ever() -> None:
    step, waits = a_step(threading.Event(), patience=30)

    with pytest.raises(RunFailed, match="t-to-x-0 could not be delivered: away\nStart its receiver"):
        delivered(Troubled(*(NotNow("away") for _ in range(99))), step)
    assert 30 < sum(waits) < 70


def test_what_is_refused_ends_the_run() -> None:
    step, waits = a_step(threading.Event())

    with pytest.raises(Refused):
        delivered(Troubled(Refused("the table has other columns")), step)
    assert waits == []


def test_each_row_that_a_table_gains_is_delivered_once_over_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ROWS_A_BATCH", 2)
    followed, writer = Followed(tmp_path), Troubled()
    followed.gains(1, 2)
    followed.gains(3)
    while followed.carrier(writer).deliver():
        pass
    followed.gains(4)

    while followed.carrier(writer).deliver():
        pass

    assert writer.written == {0: [1, 2], 1: [3], 2: [4]}
    assert not followed.carrier(writer).deliver()


def test_a_batch_that_died_on_its_way_is_sent_again_as_it_was_though_more_came(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    followed.gains(1, 2)
    with pytest.raises(ZeroDivisionError):
        followed.carrier(Troubled(ZeroDivisionError())).deliver()
    followed.gains(3)
    writer = Troubled()

    while followed.carrier(writer).deliver():
        pass

    assert writer.written == {0: [1, 2], 1: [3]}


def test_a_table_whose_first_files_were_tidied_away_is_delivered_as_it_is(tmp_path: Path) -> None:
    followed, writer = Followed(tmp_path), Troubled()
    for value in range(5):
        followed.gains(value)
    for _ in range(2):  # the files that the first puts together are deleted by the second, a day later
        list(maintain(followed.lake, SHORTEST))
        aged(followed.table.path, days=1)
    followed.gains(5)
    assert not changes.follows(followed.table.path, -1)

    while followed.carrier(writer).deliver():
        pass

    assert {batch: sorted(values) for batch, values in writer.written.items()} == {0: [0, 1, 2, 3, 4, 5]}


def test_a_span_of_a_delivery_that_is_none_is_reported_with_its_line() -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING")
    pipeline.deliver(raw, to=Parquet("archive", every="10 secnds"))

    [problem] = problems(pipeline)

    assert (problem.kind, problem.place.line) == ("BadDuration", pipeline.graph().deliveries[0].place.line)
    assert "every of a delivery: '10 secnds' is not a span of time" in problem.what


def going(pipeline: Pipeline, lake: Path, around: Surroundings = AROUND) -> Iterator[Carrier]:
    """The deliveries of a pipeline whose sinks are not off, as a run opens them."""
    graph, place = pipeline.graph(), Lake(lake)
    context = RunContext(graph, place, Ledger(place.ledger(graph.name), graph.name, "embedded"))
    return (carrier for carrier, _ in carriers(context, around, threading.Event(), None))


def test_the_library_of_a_sink_that_is_off_is_not_missed_and_of_one_that_is_on_it_is(tmp_path: Path) -> None:
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING")
    pipeline.deliver(raw, to=Elsewhere())

    assert problems(pipeline) == []
    assert list(going(pipeline, tmp_path)) == []
    with pytest.raises(BadSetting, match="Elsewhere is set up, but the library 'no_such_library' is not installed"):
        list(going(pipeline, tmp_path, Surroundings(Settings(kafka=None), "localhost:9092")))


def test_a_delivery_has_one_name_in_a_lake_and_another_in_one_made_anew(tmp_path: Path) -> None:
    pipeline = Pipeline("p")
    pipeline.deliver(pipeline.source("raw", schema="k STRING"), to=Parquet(tmp_path / "archive"))
    first, anew = tmp_path / "lake", tmp_path / "anew"
    for number, lake in enumerate((first, first, anew)):
        tables.ensure(Lake(lake).bronze("raw"), pa.schema([("k", pa.string())]), "bronze/raw", "p")
        tables.append_arrow(a_table("k STRING", ("a",)), Lake(lake).bronze("raw"), Stamp("raw:bronze", number))

        [carrier] = going(pipeline, lake)
        assert carrier.deliver()

    names = [file.name for file in (tmp_path / "archive").iterdir()]
    made = [re.fullmatch(r"raw-to-parquet-0-([0-9a-f]{8})-(0000000\d)\.parquet", name) for name in names]
    assert sorted(each[2] for each in made if each) == ["00000000", "00000000", "00000001"]
    assert len({each[1] for each in made if each}) == 2


def test_what_is_off_is_said_once_for_each_kind_of_sink(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "vigie")
    pipeline = Pipeline("p")
    raw = pipeline.source("raw", schema="k STRING")
    pipeline.deliver(raw, to=Elsewhere())
    pipeline.deliver(raw, to=Elsewhere())

    assert list(going(pipeline, tmp_path)) == []

    first, second = (delivery.place for delivery in pipeline.graph().deliveries)
    assert [line.split("is off")[1] for line in caplog.messages] == [f": VIGIE_KAFKA is not set ({first}, {second})"]


@pytest.mark.parametrize("note", ["done", "0.json"])
def test_a_damaged_note_of_a_delivery_is_named_and_not_taken_for_another(tmp_path: Path, note: str) -> None:
    followed = Followed(tmp_path)
    followed.gains(1)
    followed.carrier(Troubled()).deliver()
    damaged = followed.lake.notes("numbers") / "even-to-x-0" / note
    damaged.write_bytes(b"\0\0")

    with pytest.raises(LakeDamaged) as problem:
        followed.carrier(Troubled())

    assert problem.value.where == str(damaged)
