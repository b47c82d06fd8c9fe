"""Tables that are given a model by the loop: each row once, by the version that its batch's plan names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F

from tests.core.loops import KilledError, begun
from tests.engine.numbers import a_number, numbers
from tests.models import a_stump, add
from tests.runs import an_inbox
from vigie import Pipeline
from vigie.connectors.inbox import Inbox
from vigie.core.ledger import Entry
from vigie.engines.embedded.engine import Embedded
from vigie.errors import LakeDamaged, RequestError
from vigie.lake import Lake, rows
from vigie.models import Models, Trained

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BELOW_10 = a_stump("n", 10, [1.0, 0.0, 0.0], [0.0, 0.6, 0.4])
BELOW_20 = a_stump("n", 20, [0.0, 0.0, 1.0], [0.45, 0.4, 0.15])
BY_WINGS = a_stump("wingspan_m", 20, [0.0, 0.0, 1.0], [0.45, 0.4, 0.15])
FIRST = [(4, 0), (12, 20), (10, 70), (30, 300)]
LATER = [(8, 310), (18, 330), (22, 390), (2, 1_000)]


def said(rows: DataFrame, model: Trained) -> DataFrame:
    """What each number is taken for."""
    return model.predicted(rows).select("k", "at", "n", "predicted_class", "probability", "model")


def per_minute(rows: DataFrame) -> DataFrame:
    """How many numbers are taken for each, minute by minute."""
    return rows.groupBy(F.window("at", "1 minute"), "predicted_class").agg(F.count(F.lit(1)).alias("count"))


class Followed:
    """A lake of numbers that a run fills and predicts for, start by start."""

    def __init__(self, folder: Path, engine: Embedded) -> None:
        self._folder, self._engine, self._files = folder, engine, 0
        self.lake = folder / "lake"
        self.models = Models(Lake(self.lake), "numbers")

    def pipeline(self) -> Pipeline:
        pipeline = numbers()
        [silver] = pipeline.graph().silver
        model = pipeline.model(silver.function, learn=print, kinds=("report",))
        pipeline.gold("said", reads=silver.function, late_by="2 minutes", looks_back="1 minute", model=model)(said)
        pipeline.gold("per_minute", reads=said, late_by="0 seconds", looks_back="1 minute")(per_minute)
        return pipeline

    def send(self, values: Sequence[tuple[int, int]]) -> None:
        staged = an_inbox(self._folder / "staged", [a_number(n, at) for n, at in values])
        (self._folder / "inbox").mkdir(exist_ok=True)
        (staged / "000.jsonl").rename(self._folder / "inbox" / f"{self._files:03}.jsonl")
        self._files += 1

    def run(self, *, dies_after: str = "") -> None:
        """A start of the process that takes all that is there, or dies after a commit."""
        told: list[Entry] = []
        loop = begun(self.lake, self._engine, self.pipeline(), Inbox(self._folder / "inbox"), told, dies_after)
        while loop.ingest() or loop.follow():
            pass

    def predicted(self) -> list[tuple[object, ...]]:
        found = sorted(rows(Lake(self.lake).gold("said")), key=lambda row: row["at"])
        return [tuple(row[name] for name in ("n", "predicted_class", "probability", "model")) for row in found]

    def counted(self) -> int:
        return sum(row["count"] for row in rows(Lake(self.lake).gold("per_minute")))


@pytest.fixture
def followed(engine: Embedded, tmp_path: Path) -> Followed:
    return Followed(tmp_path, engine)


def test_before_there_is_a_model_the_tables_are_empty(followed: Followed) -> None:
    followed.send(FIRST)
    followed.run()

    assert (followed.predicted(), followed.counted()) == ([], 0)


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
