"""When a gold table takes a batch while messages come, and what of silver its function is given."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Window
from pyspark.sql import functions as F

from tests.core.gold.following import Following, seconds
from tests.core.loops import KilledError, unexpected
from tests.core.numbers import a_number, numbers
from tests.runs import NOON
from vigie import Last, Pipeline
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Cut, Engine
from vigie.core.ingest.shaping import shaped
from vigie.core.ledger import Entry, Ledger
from vigie.core.loop import Loop
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds
from vigie.engines.arrow import closing
from vigie.engines.embedded.engine import Embedded
from vigie.errors import BadDeclaration, RunFailed
from vigie.lake import Lake, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Function = Callable[..., "DataFrame"]
SECOND = timedelta(seconds=1)


def per_minute(rows: DataFrame) -> DataFrame:
    """How many numbers, minute by minute."""
    return rows.groupBy(F.window("at", "1 minute")).agg(F.count(F.lit(1)).alias("count"))


def before(rows: DataFrame) -> DataFrame:
    """Each number beside the one before it."""
    return rows.select("k", "at", "n", F.lag("n").over(Window.partitionBy("k").orderBy("at")).alias("before"))


def declared(function: Function, **settings: Any) -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    pipeline.gold("made", reads=silver.function, late_by="1 minute", **settings)(function)
    return pipeline


class Counting(Embedded):
    """An engine that notes how many rows a gold table's function is given each time."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        if isinstance(function, partial) and function.func is not shaped:
            self.given.append(tables[0].num_rows)
        return super().evaluate(function, *tables)


@pytest.fixture
def counting() -> Iterator[Counting]:
    running = Counting()
    yield running
    running.close()


@given(
    length=st.integers(1, 90), every=st.integers(1, 90), begins=st.integers(0, 90),
    after=st.integers(-300, 300), more=st.integers(0, 200),
)  # fmt: skip
def test_a_window_ends_in_a_span_when_one_of_all_of_them_does(
    length: int, every: int, begins: int, after: int, more: int
) -> None:
    ends = [begins + length + number * every for number in range(-1_000, 1_000)]

    found = Cut(length * SECOND, every * SECOND, begins * SECOND).ends_between(
        after * 1_000_000, (after + more) * 1_000_000
    )

    assert found == any(after < end <= after + more for end in ends)


def test_while_messages_come_windows_are_looked_at_when_one_of_them_closes(counting: Counting, tmp_path: Path) -> None:
    following = Following(tmp_path, counting, declared(per_minute))
    following.send((2, 0, "a"))
    following.follow(in_turn=True)
    following.send((4, 10, "a"), (6, 121, "a"))
    assert following.follow(in_turn=True)
    assert [row["count"] for row in following.made()] == [2]

    following.send((8, 130, "a"))
    following.send((10, 179, "a"))
    looked = len(counting.given)
    assert not following.follow(in_turn=True), "the second minute is open for another second"
    assert len(counting.given) == looked
    following.send((12, 181, "a"))
    assert following.follow(in_turn=True)
    assert [row["count"] for row in following.made()] == [2], "no window holds nothing"


def test_what_no_window_closed_with_is_counted_when_all_is_to_go_through(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, declared(per_minute))
    following.send((2, 0, "a"))
    following.follow(in_turn=True)
    following.send((4, 10, "a"), (6, 11, "a"))
    assert not following.follow(in_turn=True), "nothing is closed before the minute and its lateness are over"

    assert following.follow(in_turn=False)

    assert [entry.read for entry in following.told if entry.table == "gold/made"] == [1, 2]


@pytest.mark.parametrize("restarts", [False, True])
def test_who_looks_back_at_the_last_of_each_is_given_that_and_what_is_new(
    counting: Counting, tmp_path: Path, restarts: bool
) -> None:
    following = Following(tmp_path, counting, declared(before, looks_back=Last(1, of="k", within="10 minutes")))
    sent = [(2 * number, float(number), "abc"[number % 3]) for number in range(90)]
    following.send(*sent)
    following.follow(in_turn=True)
    if restarts:
        following.loop = following.begun()
    following.send((1_000, 100, "a"), (1_002, 200, "b"))
    counting.given.clear()
    assert following.follow(in_turn=True)

    # What the first batch left open, to 30 s, the one of 100 s, and the last of each of three before.
    left_open = [at for _, at, _ in sent if at >= 29]
    assert counting.given == [len(left_open) + 1 + 3]
    assert _before_each(following.made()) == _expected([*sent, (1_000, 100.0, "a")])


def _before_each(made: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((row["k"], row["n"], row["before"]) for row in made)


def _expected(sent: Sequence[tuple[int, float, str]]) -> list[tuple[Any, ...]]:
    newest: dict[str, int] = {}
    found: list[tuple[Any, ...]] = []
    for n, _, k in sent:
        found.append((k, n, newest.get(k)))
        newest[k] = n
    return sorted(found)


def test_what_is_further_back_than_the_span_is_not_given(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, declared(before, looks_back=Last(1, of="k", within="1 minute")))
    following.send((2, 0, "a"), (4, 70, "b"), (6, 131, "b"))
    following.follow(in_turn=True)
    following.send((8, 135, "a"), (10, 300, "b"))
    following.follow(in_turn=True)

    assert _before_each(following.made()) == [("a", 2, None), ("a", 8, None), ("b", 4, None), ("b", 6, 4)]


@pytest.mark.parametrize(
    ("function", "key", "words"),
    [
        (per_minute, "k", "gives windows, and would be given the last rows of each key alone"),
        (before, "who", "looks back at the last rows of each who, which 'silver/even' does not have"),
    ],
)
def test_what_cannot_be_worked_out_of_the_last_rows_is_refused_at_the_start(
    engine: Engine, tmp_path: Path, function: Function, key: str, words: str
) -> None:
    with pytest.raises(BadDeclaration, match=words):
        Following(tmp_path, engine, declared(function, looks_back=Last(1, of=key, within="1 minute")))


class Beside:
    """Numbers, and the names of who they belong to, each from a folder of its own; a table of numbers with names."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        pipeline = numbers()
        [even] = pipeline.graph().silver
        raw = pipeline.source("names_raw", schema="k STRING, name STRING, t BIGINT", key="k")

        def with_time(rows: DataFrame) -> DataFrame:
            return rows.withColumn("told_at", F.col("t").cast("timestamp"))

        pipeline.silver(
            "names",
            reads=raw,
            schema="k STRING, name STRING, told_at TIMESTAMP",
            event_time="told_at",
            late_by="6 minutes",
        )(with_time)

        def named(rows: DataFrame, names: DataFrame) -> DataFrame:
            whose = names.groupBy(F.col("k").alias("of")).agg(F.max_by("name", "told_at").alias("name"))
            return rows.join(whose, rows.k == F.col("of"), "left").select("at", "n", "name")

        pipeline.gold("made", reads=even.function, late_by="1 minute", looks_back="5 minutes", beside="names")(named)
        self._folder, graph, place = folder, pipeline.graph(), Lake(folder / "lake")
        for source in graph.sources:
            (folder / source.name).mkdir()
        context = RunContext(graph, place, Ledger(place.ledger(graph.name), graph.name, "embedded"), lambda _name: None)
        inboxes = {source.name: Inbox(folder / source.name) for source in graph.sources}
        told: list[Entry] = []
        self.loop = Loop.over(context, engine, inboxes, Bounds(10**9, 10**9), told.extend, unexpected)

    def send(self, source: str, *messages: bytes, age_s: float = 0.0) -> None:
        """Messages in a file that came so many seconds ago, and all that follows from them."""
        file = self._folder / f"{len(list(self._folder.rglob('*.jsonl')))}.jsonl"
        file.write_bytes(b"".join(message + b"\n" for message in messages))
        os.utime(file, (time.time() - age_s,) * 2)
        file.rename(self._folder / source / file.name)
        while self.loop.ingest() or self.loop.follow():
            pass

    def made(self) -> list[tuple[int, str | None]]:
        return sorted((row["n"], row["name"]) for row in rows(Lake(self._folder / "lake").gold("made")))


def a_name(name: str, at: float) -> bytes:
    return json.dumps({"k": "a", "name": name, "t": int(NOON.timestamp() + at)}).encode()


def test_rows_wait_for_what_stands_beside_them_until_it_has_come_as_far(engine: Engine, tmp_path: Path) -> None:
    both = Beside(tmp_path, engine)
    both.send("names_raw", a_name("Ada", 0))
    both.send("raw", a_number(2, 10), a_number(4, 300))
    assert both.made() == [], "who is asked for names has come to noon"

    both.send("names_raw", a_name("Bo", 5), a_name("Cy", 71))

    assert both.made() == [(2, "Cy")]


def test_rows_do_not_wait_for_what_has_been_silent_for_a_minute(engine: Engine, tmp_path: Path) -> None:
    both = Beside(tmp_path, engine)
    both.send("names_raw", a_name("Ada", 0), age_s=3_600)

    both.send("raw", a_number(2, 10), a_number(4, 300))

    assert both.made() == [(2, "Ada")]


def test_a_span_without_any_row_in_files_with_many_gives_nothing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "AT_ONCE", 2)
    following = Following(tmp_path, engine, declared(before, looks_back=Last(1, of="k", within="10 minutes")))
    following.send((2, 0, "a"), (4, 1, "a"), (6, 2, "a"), (8, 100, "a"))
    following.follow(in_turn=True)
    for n, at in ((10, 110), (12, 400)):
        following.send((n, at, "a"))
        following.follow(in_turn=True)

    assert _before_each(following.made()) == _expected([(n, 0.0, "a") for n in (2, 4, 6, 8, 10)])


def test_what_gives_windows_is_read_by_no_other_table(engine: Engine, tmp_path: Path) -> None:
    pipeline = declared(per_minute, looks_back="1 minute")
    pipeline.gold("after", reads="made", late_by="0 seconds", looks_back="1 minute")(lambda rows: rows)

    with pytest.raises(BadDeclaration, match="reads 'made', which gives windows"):
        Following(tmp_path, engine, pipeline)


def test_a_function_that_the_engine_cannot_compute_is_named(engine: Engine, tmp_path: Path) -> None:
    def none(rows: DataFrame) -> DataFrame:
        return rows.groupBy(F.window("at", "1 minute", "2 minutes")).agg(F.count(F.lit(1)).alias("count"))

    with pytest.raises(BadDeclaration, match="the function of gold table 'made' cannot be computed"):
        Following(tmp_path, engine, declared(none))


def test_what_cannot_be_computed_is_said_with_the_table_and_its_line(engine: Engine, tmp_path: Path) -> None:
    def numbered(rows: DataFrame) -> DataFrame:
        n = F.when(F.col("n") == 4, F.raise_error(F.lit("no four"))).otherwise(F.col("n"))
        return rows.select("k", "at", n.cast("long").alias("n"))

    following = Following(tmp_path, engine, declared(numbered, looks_back="5 minutes"))

    with pytest.raises(RunFailed, match=r"the function of gold/made cannot be computed: .*no four.*test_settled\.py:"):
        following.goes_through((4, 0, "a"), (2, 900, "a"))


def test_a_row_that_comes_after_its_time_was_settled_is_counted_and_not_given(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, declared(before, looks_back="5 minutes"))

    following.goes_through((2, 0, "a"), (4, 200, "a"))
    following.goes_through((6, 139, "b"), (8, 140, "b"), (10, 141, "b"), (12, 400, "a"))

    told = [(entry.read, entry.late) for entry in following.told if entry.table == "gold/made" and entry.read]
    assert told == [(2, 0), (4, 1)]
    given = sorted((row["k"], seconds(row["at"])) for row in following.made())
    assert given == [("a", 0), ("a", 200), ("b", 140), ("b", 141)]


def test_a_table_that_loses_its_event_time_is_refused_by_name(engine: Engine, tmp_path: Path) -> None:
    timeless = declared(lambda rows: rows.select("k", "n"), looks_back="5 minutes")

    with pytest.raises(BadDeclaration, match="gold table 'made' gives back rows without their event time, 'at'"):
        Following(tmp_path, engine, timeless)


def test_windows_longer_than_the_table_looks_back_are_refused(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, declared(per_minute, looks_back="30 seconds"))

    with pytest.raises(BadDeclaration, match="gold table 'made' gives windows that are longer than it looks back"):
        following.goes_through((2, 0, "a"), (4, 300, "a"))


def beside_itself() -> Pipeline:
    """Each settled row with how many rows lay beside it, in the very table it is of."""

    def counted(rows: DataFrame, others: DataFrame) -> DataFrame:
        return rows.crossJoin(others.agg(F.count("k").alias("beside"))).select("k", "at", "beside")

    return declared(counted, looks_back="5 minutes", beside="even")


def test_tables_beside_the_rows_are_given_as_the_plan_of_the_batch_has_them(engine: Engine, tmp_path: Path) -> None:
    following = Following(tmp_path, engine, beside_itself())

    following.goes_through((2, 0, "a"), (4, 30, "a"), (6, 200, "a"))
    following.goes_through((8, 210, "a"), (10, 500, "a"))

    given = sorted((seconds(row["at"]), row["beside"]) for row in following.made())
    assert given == [(0, 3), (30, 3), (200, 5), (210, 5)], "and what was given stays as it was given"


def test_a_batch_that_runs_again_is_given_what_lay_beside_its_rows_the_first_time(
    engine: Engine, tmp_path: Path
) -> None:
    dying = Following(tmp_path, engine, beside_itself(), dies_after="gold/made plan")
    with pytest.raises(KilledError):
        dying.goes_through((2, 0, "a"), (4, 30, "a"), (6, 200, "a"))

    again = Following(tmp_path, engine, beside_itself())
    again.send((8, 100, "b"))
    again.follow_on()

    given = sorted((row["k"], seconds(row["at"]), row["beside"]) for row in again.made())
    assert given[:2] == [("a", 0, 3), ("a", 30, 3)], "and not the row that came between"


@pytest.mark.parametrize("dies_after", ["gold/made plan", "gold/made"])
def test_a_crash_loses_no_window_that_was_closed_though_nothing_new_comes(
    engine: Engine, tmp_path: Path, dies_after: str
) -> None:
    dying = Following(tmp_path, engine, declared(per_minute), dies_after=dies_after)
    with pytest.raises(KilledError):
        dying.goes_through((2, 0, "a"), (4, 600, "a"))

    for _ in range(2):
        Following(tmp_path, engine, declared(per_minute)).follow_on()

    assert [row["count"] for row in Following(tmp_path, engine, declared(per_minute)).made()] == [1]
