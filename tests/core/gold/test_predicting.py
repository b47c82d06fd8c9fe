"""Tables that are given a model by the loop: each row once, by the version that its batch's plan names."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F

from tests.core.loops import KilledError, begun
from tests.core.numbers import a_number, numbers
from tests.models import a_stump, add
from tests.runs import NOON, an_inbox
from vigie import Pipeline
from vigie.check import problems
from vigie.connectors.inbox import Inbox
from vigie.core.alerts.watch import Watchman
from vigie.core.engine import Engine
from vigie.core.ledger import Entry
from vigie.core.loop import Loop
from vigie.detectors import Above
from vigie.errors import BadDeclaration, LakeDamaged, RequestError, RunFailed
from vigie.lake import Lake, opened, rows
from vigie.models import Models, Trained

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BELOW_10 = a_stump("n", 10, [1.0, 0.0, 0.0], [0.0, 0.6, 0.4])
BELOW_20 = a_stump("n", 20, [0.0, 0.0, 1.0], [0.45, 0.4, 0.15])
BY_WINGS = a_stump("wingspan_m", 20, [0.0, 0.0, 1.0], [0.45, 0.4, 0.15])
FIRST = [(4, 0), (12, 20), (10, 70), (30, 300)]
TABLES = ("said", "per_minute")
LATER = [(8, 310), (18, 330), (22, 390), (2, 1_000)]


def said(rows: DataFrame, model: Trained) -> DataFrame:
    """What each number is taken for."""
    return model.predicted(rows).select("k", "at", "n", "predicted_class", "probability", "model")


def per_minute(rows: DataFrame) -> DataFrame:
    """How many numbers are taken for each, minute by minute."""
    return rows.groupBy(F.window("at", "1 minute"), "predicted_class").agg(F.count(F.lit(1)).alias("count"))


def predicting(function: Callable[..., DataFrame] = said) -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    model = pipeline.model(silver.function, learn=print, kinds=("report",))
    pipeline.gold("said", reads=silver.function, late_by="2 minutes", looks_back="1 minute", model=model)(function)
    pipeline.gold("per_minute", reads=function, late_by="0 seconds", looks_back="1 minute")(per_minute)
    return pipeline


class Followed:
    """A lake of numbers that a run fills and predicts for, start by start."""

    def __init__(self, folder: Path, engine: Engine, pipeline: Pipeline | None = None) -> None:
        self._folder, self._engine, self._files = folder, engine, 0
        self.pipeline = pipeline or predicting()
        self.lake = folder / "lake"
        self.models = Models(Lake(self.lake), "numbers")
        (folder / "inbox").mkdir()

    def send(self, values: Sequence[tuple[int, int]]) -> None:
        staged = an_inbox(self._folder / "staged", [a_number(n, at) for n, at in values])
        (staged / "000.jsonl").rename(self._folder / "inbox" / f"{self._files:03}.jsonl")
        self._files += 1

    def run(self, *, dies_after: str = "") -> Loop:
        """A start of the process that takes all that is there, or dies after a commit."""
        told: list[Entry] = []
        source = Inbox(self._folder / "inbox")
        loop = begun(self.lake, self._engine, self.pipeline, source, told, dies_after=dies_after)
        while loop.ingest() or loop.follow():
            pass
        return loop

    def predicted(self) -> list[tuple[object, ...]]:
        found = sorted(rows(Lake(self.lake).gold("said")), key=lambda row: row["at"])
        return [tuple(row[name] for name in ("n", "predicted_class", "probability", "model")) for row in found]

    def counted(self) -> int:
        return sum(row["count"] for row in rows(Lake(self.lake).gold("per_minute")))


@pytest.fixture
def followed(engine: Engine, tmp_path: Path) -> Followed:
    return Followed(tmp_path, engine)


def test_before_there_is_a_model_the_tables_are_empty_and_say_what_they_wait_for(followed: Followed) -> None:
    followed.send(FIRST)
    loop = followed.run()

    assert [gold.waits for gold in loop.gold] == ["a model: vigie train numbers"] * 2, "one as what it reads does"
    assert (followed.predicted(), followed.counted()) == ([], 0)
    columns = {table: opened(Lake(followed.lake).gold(table)).schema().to_arrow().names for table in TABLES}
    assert columns["said"] == ["k", "at", "n", "predicted_class", "probability", "model"]
    assert columns["per_minute"] == ["window_start", "window_end", "predicted_class", "count"]


def test_the_first_model_takes_every_row_from_the_start_and_the_next_one_those_that_follow(followed: Followed) -> None:
    followed.send(FIRST)
    followed.run()
    followed.models.use(add(followed.lake, "numbers", BELOW_10).version)
    followed.run()
    followed.models.use(add(followed.lake, "numbers", BELOW_20).version)
    followed.send(LATER)
    followed.run()

    assert followed.predicted() == [
        (4, "Heavy", 1.0, 1), (12, "Light", 0.6, 1), (10, "Heavy", 1.0, 1),
        (30, "Unsure", 0.45, 2), (8, "Other", 1.0, 2), (18, "Other", 1.0, 2), (22, "Unsure", 0.45, 2),
    ]  # fmt: skip
    assert followed.counted() == 7


def test_a_batch_that_died_is_predicted_by_the_model_of_its_plan(followed: Followed) -> None:
    followed.models.use(add(followed.lake, "numbers", BELOW_10).version)
    followed.send(FIRST)
    with pytest.raises(KilledError):
        followed.run(dies_after="gold/said plan")
    followed.models.use(add(followed.lake, "numbers", BELOW_20).version)
    followed.run()

    assert followed.predicted() == [(4, "Heavy", 1.0, 1), (12, "Light", 0.6, 1), (10, "Heavy", 1.0, 1)]


@pytest.mark.parametrize("damage", ["trees", "gone"])
def test_a_planned_model_that_can_predict_no_more_gives_way_to_the_one_in_use(
    followed: Followed, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    followed.models.use(add(followed.lake, "numbers", BELOW_10).version)
    followed.send(FIRST)
    with pytest.raises(KilledError):
        followed.run(dies_after="gold/said plan")
    place = followed.lake / "_vigie/numbers/models/1"
    if damage == "trees":
        (place / "forest.json").write_bytes(b"{}")
    else:
        place.rename(followed.lake / "away")
    with pytest.raises((LakeDamaged, RequestError), match="model 1"):
        followed.run()

    followed.models.use(add(followed.lake, "numbers", BELOW_20).version)
    followed.run()

    assert followed.predicted() == [(4, "Other", 1.0, 2), (12, "Other", 1.0, 2), (10, "Other", 1.0, 2)]
    assert "model 2 takes its place" in caplog.text


def test_a_batch_that_was_given_needs_its_model_no_more(followed: Followed) -> None:
    followed.models.use(add(followed.lake, "numbers", BELOW_10).version)
    followed.send(FIRST)
    with pytest.raises(KilledError):
        followed.run(dies_after="gold/said")
    followed.models.use(add(followed.lake, "numbers", BELOW_20).version)
    (followed.lake / "_vigie/numbers/models/1/forest.json").write_bytes(b"{}")
    followed.run()

    assert followed.predicted() == [(4, "Heavy", 1.0, 1), (12, "Light", 0.6, 1), (10, "Heavy", 1.0, 1)]


def test_a_model_of_other_columns_is_refused_before_a_batch_is_planned_with_it(followed: Followed) -> None:
    followed.models.use(add(followed.lake, "numbers", BELOW_10).version)
    followed.send(FIRST)
    followed.run()
    followed.models.use(add(followed.lake, "numbers", BY_WINGS).version)
    followed.send(LATER)
    with pytest.raises(RequestError, match="model 2 predicts from wingspan_m, which the rows do not have"):
        followed.run()

    followed.models.use(1)
    followed.run()

    assert [row[0] for row in followed.predicted()] == [4, 12, 10, 30, 8, 18, 22]


def test_a_table_that_reads_another_counts_each_of_its_rows_once_in_however_many_steps(followed: Followed) -> None:
    followed.models.use(add(followed.lake, "numbers", BELOW_10).version)
    for part in (FIRST[:2], [*FIRST[2:], *LATER], [(6, 2_000)], [(6, 2_200)]):
        followed.send(part)
        followed.run()

    given = [row for row in rows(Lake(followed.lake).gold("said")) if row["at"] < NOON + timedelta(seconds=2_040)]
    wanted = Counter((row["at"].replace(second=0), row["predicted_class"]) for row in given)
    found = rows(Lake(followed.lake).gold("per_minute"))
    assert {(row["window_start"], row["predicted_class"]): row["count"] for row in found} == wanted
    assert (len(found), len(given)) == (len(wanted), 9)


def test_a_model_of_columns_that_are_not_there_is_refused_before_anything_is_read(followed: Followed) -> None:
    followed.models.use(add(followed.lake, "numbers", BY_WINGS).version)
    followed.send(FIRST)

    with pytest.raises(RequestError, match="model 1 predicts from wingspan_m, which the rows do not have"):
        followed.run()

    assert rows(Lake(followed.lake).bronze("raw")) == []


def test_what_a_function_that_is_given_a_model_raises_names_its_line(engine: Engine, tmp_path: Path) -> None:
    def broken(_rows: DataFrame, model: Trained) -> DataFrame:
        raise LookupError(model.kind)

    followed = Followed(tmp_path, engine, predicting(broken))

    with pytest.raises(RunFailed, match=r"gold/said raised LookupError: report \(test_predicting\.py:\d+\)"):
        followed.run()


def test_what_is_wrong_with_a_model_or_with_tables_of_tables_is_found_by_check() -> None:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    model = pipeline.model("nowhere", learn=print, kinds=())
    pipeline.gold("one", reads=silver.function, late_by="2 minutes", looks_back="1 minute", model=model)(per_minute)
    pipeline.gold("two", reads=silver.function, late_by="2 minutes", model=model)(said)
    pipeline.gold("three", reads="two", late_by="1 minute", looks_back="1 minute")(lambda rows: rows)
    another = Pipeline("other").model(silver.function, learn=print, kinds=("report",))
    pipeline.gold("four", reads="one", late_by="9 minutes", looks_back="1 minute", model=another)(
        lambda rows, model: model.predicted(rows)
    )

    found = [str(problem) for problem in problems(pipeline)]

    for wanted in (
        "the function of 'one' cannot be called with rows and model",
        "gold table 'two' is given a model, and does not look back",
        "gold table 'three' reads 'gold/two', and one of them does not look back",
        "gold table 'four' is given a model that pipeline 'numbers' does not declare",
        "the model learns from 'nowhere'",
        "the model has no kind",
    ):
        assert any(wanted in problem for problem in found), (wanted, found)


def test_a_watch_over_a_table_of_windows_sees_each_of_them_and_opens_and_closes_as_they_come(
    engine: Engine, tmp_path: Path
) -> None:
    def shares(rows: DataFrame) -> DataFrame:
        unsure = F.count_if(F.col("predicted_class") == "Unsure") / F.count(F.lit(1))
        return rows.groupBy(F.window("at", "1 minute"), "model").agg(F.max("at").alias("at"), unsure.alias("unsure"))

    pipeline = predicting()
    pipeline.gold("shares", reads="said", late_by="0 seconds", looks_back="1 minute")(shares)
    pipeline.watch(shares, key="model").alert("UNSURE", Above("unsure", 0.5))
    followed = Followed(tmp_path, engine, pipeline)
    followed.models.use(add(followed.lake, "numbers", BELOW_20).version)
    followed.run()
    graph, lake = pipeline.graph(), Lake(followed.lake)
    watchman = Watchman(lake, graph, graph.watches[0])

    # Sure in the first minute, unsure in the second and third, sure again in the fourth, which the last row closes.
    minutes = [(4, 0), (30, 60), (30, 65), (40, 120), (2, 180), (2, 400), (2, 600)]
    for part in (minutes[:3], minutes[3:5], minutes[5:]):
        followed.send(part)
        followed.run()
        watchman.catch_up(threading.Event())

    [alert] = rows(lake.alerts("numbers"))
    assert (alert["rule"], alert["key"], alert["value"]) == ("UNSURE", "1", 1.0)
    assert alert["opened_at"] == NOON + timedelta(seconds=65)
    assert alert["closed_at"] == NOON + timedelta(seconds=180)


def test_a_watch_over_a_table_without_its_columns_is_refused_by_name(engine: Engine, tmp_path: Path) -> None:
    pipeline = predicting()
    pipeline.watch(per_minute, key="model").alert("MANY", Above("count", 5))
    followed = Followed(tmp_path, engine, pipeline)
    followed.run()
    graph = pipeline.graph()

    with pytest.raises(BadDeclaration, match=r"'gold/per_minute' is watched, and has no model, at"):
        Watchman(Lake(followed.lake), graph, graph.watches[0])
