"""What an aircraft is, learnt from how it flies: on aircraft that were never seen, and equal to Spark's own answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from vigie.errors import RequestError
from vigie.flights import learning
from vigie.flights.features import REPORT
from vigie.flights.pipeline import flights
from vigie.forest import Predictor
from vigie.models import Learnt, Pupil

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
PUPIL = Pupil("report", seed=1, most_rows=6_000, say=lambda _said: None)
# How fast, high and steep each class flies here, with a spread that keeps them apart.
FLIES = {"Heavy": (850.0, 11_000.0, 0.0), "Light": (200.0, 1_500.0, 0.5), "Other": (60.0, 400.0, -2.0)}
SCHEMA = """icao24 STRING, event_timestamp TIMESTAMP, velocity_kmh DOUBLE, altitude_meters DOUBLE,
    vertical_rate_ms DOUBLE, heading_deg DOUBLE, on_ground BOOLEAN, aircraft_class STRING"""
Row = tuple[str, datetime, float | None, float | None, float | None, float | None, bool, str | None]


def fleet(aircraft: int, reports: int, label: Callable[[int], str | None], spread: float = 1.0) -> list[Row]:
    """Reports of aircraft that fly as their class does, each in a way of its own by which it could be known again."""
    rng = np.random.default_rng(5)
    rows: list[Row] = []
    for number in range(aircraft):
        speed, height, climb = FLIES[list(FLIES)[number % 3]]
        own = 1 + spread * (rng.random(3) - 0.5)
        for at in range(reports):
            noise = 1 + 0.001 * (rng.random() - 0.5)
            rows.append((
                f"{number:06x}", NOON + timedelta(seconds=10 * at), speed * own[0] * noise, height * own[1],
                climb * own[2], 90.0, False, label(number),
            ))  # fmt: skip
    return rows


def of_its_class(number: int) -> str:
    return list(FLIES)[number % 3]


def frame(spark: SparkSession, rows: Sequence[Row]) -> DataFrame:
    columns = [part.split()[0] for part in SCHEMA.split(",")]
    plain = pd.DataFrame(rows, columns=columns)
    return spark.createDataFrame(plain, SCHEMA).replace(float("nan"), None)


@pytest.fixture(scope="module", autouse=True)
def _a_short_search() -> Iterator[None]:
    """Few and small forests: what is searched is the same code with other numbers."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learning, "DEPTHS", (4,))
        patched.setattr(learning, "TREES", (4, 8))
        patched.setattr(learning, "FOLDS", 2)
        yield


@pytest.fixture(scope="module")
def told_apart(spark: SparkSession) -> Learnt:
    return learning.learn(frame(spark, fleet(210, 20, of_its_class)), PUPIL)


def test_classes_that_fly_differently_are_told_apart_on_aircraft_that_were_never_seen(told_apart: Learnt) -> None:
    found = told_apart.found

    assert found.examination.macro_f1 > 0.95
    assert found.baseline.macro_f1 == pytest.approx(1 / 6, abs=0.01), "always the same of three equal classes"
    assert told_apart.aircraft == {"Heavy": 70, "Light": 70, "Other": 70}
    assert told_apart.examined == {"Heavy": 21, "Light": 21, "Other": 21}
    assert found.examination.rows == 63 * 20
    assert sum(found.importances.values()) == pytest.approx(1)
    assert sum(part.rows for part in found.calibration) == found.examination.rows
    assert told_apart.parameters in [{"depth": d, "trees": t} for d in learning.DEPTHS for t in learning.TREES]
    assert len(told_apart.forest.trees) == told_apart.parameters["trees"]


@pytest.fixture(scope="module")
def shuffled(spark: SparkSession) -> Learnt:
    """An aircraft is easily known again here, and its class has nothing to do with how it flies."""
    labels = np.random.default_rng(3).permutation([of_its_class(number) for number in range(300)])
    rows = fleet(300, 12, lambda number: str(labels[number]), spread=1.9)
    return learning.learn(frame(spark, rows), PUPIL)


def test_with_shuffled_labels_it_knows_no_more_than_chance(shuffled: Learnt) -> None:
    """Were an aircraft learnt from and asked about, too, it would score high."""
    assert shuffled.found.examination.macro_f1 < 0.45


def test_its_answers_are_spark_s_own_on_a_hundred_thousand_rows(
    spark: SparkSession, shuffled: Learnt, tmp_path: Path
) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions as F

    shuffled.save(tmp_path / "spark")
    rng = np.random.default_rng(2)
    values = np.column_stack([rng.uniform(low, high, 100_000) for low, high in ((0, 1_200), (-100, 13_000), (-30, 30))])
    values[rng.random(values.shape) < 0.1] = np.nan
    rows = spark.createDataFrame(pd.DataFrame(values, columns=REPORT))

    asked = PipelineModel.load(str(tmp_path / "spark")).transform(rows)
    wanted = np.stack(
        asked.select(vector_to_array(F.col("probability")).alias("p")).toArrow().to_pandas()["p"].to_list()
    )
    found = Predictor.of(shuffled.forest).probabilities(values)

    assert np.abs(found - wanted).max() < 1e-9
    assert len(np.unique(found.round(6), axis=0)) > 10, "and they are not all the same answer"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (lambda _number: "Heavy", "0 Light, 0 Other; 20 of each class are needed"),
        (lambda _number: None, "0 Heavy, 0 Light, 0 Other"),
        (lambda number: of_its_class(number) if number % 3 else None, "0 Heavy;"),
    ],
)
def test_too_few_of_a_class_is_said_with_what_there_is(
    label: Callable[[int], str | None], said: str, spark: SparkSession
) -> None:
    with pytest.raises(RequestError, match=f"too few aircraft say what they are: {said}"):
        learning.learn(frame(spark, fleet(90, 2, label)), PUPIL)


def test_reports_on_the_ground_and_without_an_aircraft_teach_nothing(spark: SparkSession) -> None:
    grounded = [(*row[:6], True, row[7]) for row in fleet(90, 2, of_its_class)]

    with pytest.raises(RequestError, match="0 Heavy, 0 Light, 0 Other"):
        learning.learn(frame(spark, grounded), PUPIL)


def test_a_feature_that_no_report_has_is_named(spark: SparkSession) -> None:
    rows: list[Row] = [(*row[:4], None, *row[5:]) for row in fleet(90, 4, of_its_class)]

    with pytest.raises(RequestError, match="nothing can be learnt: vertical_rate_ms has no value in any report"):
        learning.learn(frame(spark, rows), PUPIL)


def test_no_more_rows_are_drawn_than_asked_for_and_whole_classes_are_not_lost(spark: SparkSession) -> None:
    rows = [row for row in fleet(240, 30, of_its_class) if row[7] == "Heavy" or row[1] < NOON + timedelta(seconds=100)]

    learnt = learning.learn(frame(spark, rows), replace(PUPIL, most_rows=2_500))

    assert learnt.labelled == len(rows) == 80 * 30 + 160 * 10
    assert 1_500 < learnt.drawn <= 2_500
    assert all(sum(row.values()) > 100 for row in learnt.found.examination.confusion.values())


def test_of_a_few_reports_the_card_counts_the_aircraft_that_were_drawn(spark: SparkSession) -> None:
    rows = [(*row[:1], NOON + timedelta(hours=at), *row[2:]) for at, row in enumerate(fleet(240, 4, of_its_class))]

    learnt = learning.learn(frame(spark, rows), replace(PUPIL, most_rows=400))

    assert learnt.drawn <= 400
    assert sum(learnt.aircraft.values()) < 240
    assert sum(learnt.aircraft.values()) <= learnt.drawn
    assert all(learnt.examined[name] < learnt.aircraft[name] for name in learning.CLASSES)


def test_so_few_reports_that_a_class_is_missing_are_refused_with_what_to_draw(spark: SparkSession) -> None:
    with pytest.raises(
        RequestError, match=r"too few reports were drawn to learn and to examine \w+: \d of \d+"
    ) as told:
        learning.learn(frame(spark, fleet(240, 4, of_its_class)), replace(PUPIL, most_rows=10))
    assert "Draw more (--rows 10000)" in str(told.value)


def test_a_class_that_spark_never_met_has_no_share() -> None:
    assert learning._shares([3.0, 1.0]) == [0.75, 0.25, 0.0]


def test_predictions_are_of_aircraft_in_the_air_and_say_which_model_said_so(
    spark: SparkSession, told_apart: Learnt
) -> None:
    from vigie.flights.pipeline import predictions
    from vigie.models import Trained

    model = Trained("report", 3, 0.5, Predictor.of(told_apart.forest))
    rows: list[Row] = [
        ("aa", NOON, 850.0, 11_000.0, 0.0, 90.0, False, None),
        ("bb", NOON, 200.0, 1_500.0, 0.5, 90.0, False, "Light"),
        ("cc", NOON, None, None, None, None, False, None),
        ("dd", NOON, 20.0, None, None, None, True, "Heavy"),
    ]
    silver = frame(spark, rows).selectExpr("*", "'AFR1' AS callsign")

    found = {row.icao24: row for row in predictions(silver, model).collect()}

    assert found.keys() == {"aa", "bb", "cc"}
    assert [found[key].predicted_class for key in ("aa", "bb")] == ["Heavy", "Light"]
    assert {row.model for row in found.values()} == {3}
    assert all(1 / 3 <= row.probability <= 1 for row in found.values())


def test_the_minutes_that_a_model_reads_are_within_what_predictions_look_back() -> None:
    [gold] = [gold for gold in flights.graph().gold if gold.name == "predictions"]

    assert gold.looks_back == "10 minutes", "five minutes, and the report that the first of them is compared with"
