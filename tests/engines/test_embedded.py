"""The embedded engine: it answers, and when it dies or hangs it is started again."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from vigie.core.engine import EngineDied
from vigie.engines.connected import Session
from vigie.engines.embedded import engine as embedded
from vigie.engines.embedded import exchange
from vigie.engines.embedded.engine import Embedded

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS = pa.table({"k": ["a", "b", None], "n": [1, 2, 3]})


@pytest.fixture
def engine() -> Iterator[Embedded]:
    made = Embedded(deadline_s=20)
    yield made
    made.close()


def doubled(rows: DataFrame) -> DataFrame:
    return rows.withColumn("twice", rows.n * 2)


def test_it_gives_what_a_function_makes_of_the_rows(engine: Embedded) -> None:
    found = engine.evaluate(doubled, ROWS).sort_by("n")

    assert found.to_pydict() == {"k": ["a", "b", None], "n": [1, 2, 3], "twice": [2, 4, 6]}


def test_a_function_is_given_several_tables_and_what_stands_beside_them(engine: Embedded) -> None:
    names = pa.table({"k": ["a", "b"], "name": ["one", "two"]})

    found = engine.evaluate(lambda rows, beside: rows.join(beside, "k").where(rows.n >= 2), ROWS, names)

    assert found.select(["k", "n", "name"]).to_pylist() == [{"k": "b", "n": 2, "name": "two"}]


def test_no_rows_come_back_as_no_rows_of_their_types(engine: Embedded) -> None:
    found = engine.evaluate(doubled, ROWS.slice(0, 0))

    assert (found.num_rows, found.schema.names) == (0, ["k", "n", "twice"])


def test_one_that_was_killed_is_said_to_have_gone_and_the_next_call_is_answered(engine: Embedded) -> None:
    engine.evaluate(doubled, ROWS)
    assert engine._sail is not None

    def kills(rows: DataFrame) -> DataFrame:
        assert engine._sail is not None
        os.kill(engine._sail.process.pid, signal.SIGKILL)
        return doubled(rows)

    with pytest.raises(EngineDied, match="went away"):
        engine.evaluate(kills, ROWS)

    assert engine.evaluate(doubled, ROWS).num_rows == 3


def test_one_that_hangs_is_ended_at_the_deadline(engine: Embedded) -> None:
    engine.evaluate(doubled, ROWS)
    engine._deadline_s = 2
    assert engine._sail is not None
    stopped = engine._sail.process.pid

    def hangs(rows: DataFrame) -> DataFrame:
        os.kill(stopped, signal.SIGSTOP)
        os.waitpid(stopped, os.WUNTRACED)  # until it has stopped
        return doubled(rows)

    began = time.monotonic()
    with pytest.raises(EngineDied, match="no answer in 2 s"):
        engine.evaluate(hangs, ROWS)

    assert time.monotonic() - began < 15
    engine._deadline_s = 20
    assert engine.evaluate(doubled, ROWS).num_rows == 3


def test_after_many_calls_another_child_takes_over_and_a_call_that_is_at_work_is_still_answered(
    engine: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "CALLS", 3)
    begun, goes_on = threading.Event(), threading.Event()

    def slow(rows: DataFrame) -> DataFrame:
        begun.set()
        goes_on.wait(60)
        return doubled(rows)

    with ThreadPoolExecutor() as threads:
        answer = threads.submit(engine.evaluate, slow, ROWS)
        begun.wait(60)
        assert engine._sail is not None
        first = engine._sail
        for _ in range(5):
            assert engine.evaluate(doubled, ROWS).num_rows == 3
        assert engine._sail is not first
        assert first.process.poll() is None
        goes_on.set()
        assert answer.result().num_rows == 3

    assert first.process.poll() is not None
    assert engine._sail.process.poll() is None


def test_one_whose_session_somebody_keeps_is_not_replaced(engine: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "CALLS", 3)
    session = engine.own_session()

    for _ in range(5):
        engine.evaluate(doubled, ROWS)

    assert session.range(3).count() == 3


def test_what_a_function_raises_is_raised_as_it_is(engine: Embedded) -> None:
    def raises(rows: DataFrame) -> DataFrame:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        engine.evaluate(raises, ROWS)


def test_rows_are_gone_from_memory_after_each_call_and_those_of_a_killed_process_at_the_next_start(
    engine: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "IN_MEMORY", tmp_path)
    left = tmp_path / f"{exchange.PREFIX}999999999-x"
    left.mkdir()
    another = Embedded()

    another.evaluate(doubled, ROWS)

    assert not left.exists()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    another.close()
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_is_collected_while_another_asks_waits_for_no_lock() -> None:
    """Garbage is collected at any moment, also while the client holds the lock of its threads."""
    from pyspark.sql.connect.client.reattach import ExecutePlanResponseReattachableIterator

    def collected_at_a_bad_moment() -> None:
        pool = ExecutePlanResponseReattachableIterator._get_or_create_release_thread_pool()
        with pool._shutdown_lock:
            left = Session("sc://127.0.0.1:1")
            del left
            gc.collect()

    collecting = threading.Thread(target=collected_at_a_bad_moment, daemon=True)
    collecting.start()
    collecting.join(10)

    assert not collecting.is_alive()


def test_a_process_ends_at_once_though_the_engine_of_its_session_is_gone() -> None:
    """The client itself would ask it to forget its models, for ten minutes."""
    asks = "from vigie.engines.connected import Session; Session('sc://127.0.0.1:1')"

    subprocess.run([sys.executable, "-c", asks], check=True, timeout=60)


def test_a_call_that_takes_long_holds_up_no_other(tmp_path: Path) -> None:
    answered = tmp_path / "answered"

    def waits(rows: DataFrame) -> DataFrame:
        def until_the_other_has_its_answer(n: int) -> int:
            deadline = time.monotonic() + 60
            while not answered.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return n

        return rows.select(F.udf(until_the_other_has_its_answer, "bigint", useArrow=False)("n").alias("n"))

    table = pa.table({"n": [1]})
    engine = Embedded()
    try:
        engine.evaluate(lambda rows: rows, table)
        with ThreadPoolExecutor() as threads:
            slow = threads.submit(engine.evaluate, waits, table)
            quick = threads.submit(engine.evaluate, lambda rows: rows.select(F.col("n") + 1), table)
            assert quick.result().num_rows == 1
            assert not slow.done()
            answered.touch()
            assert slow.result()["n"].to_pylist() == [1]
    finally:
        engine.close()
