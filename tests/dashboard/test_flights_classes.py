"""The part of the page of flights that shows what a model takes the aircraft for."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from tests.dashboard.lakes import INSTANT, NOON, POSITIONS, positions, write
from tests.dashboard.test_flights import figures, numbers, run, texts
from tests.models import a_stump, add
from vigie.lake import Lake
from vigie.models import Models

COUNTS = pa.schema(
    [
        ("window_start", INSTANT), ("window_end", INSTANT), ("predicted_class", pa.string()),
        ("flight_count", pa.int64()), ("reports", pa.int64()), ("avg_probability", pa.float64()), ("model", pa.int32()),
    ]
)  # fmt: skip


def counts(minutes: int) -> list[dict[str, Any]]:
    """Minutes of which each third has no aircraft of the class 'Other'."""
    return [
        {
            "window_start": NOON - timedelta(minutes=back + 1), "window_end": NOON - timedelta(minutes=back),
            "predicted_class": name, "flight_count": 10 * at + back, "reports": 60, "avg_probability": 0.8, "model": 1,
        }
        for back in range(minutes)
        for at, name in enumerate(("Heavy", "Light", "Other", "Unsure"))
        if back % 3 or name != "Other"
    ]  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake.at(tmp_path)
    write(found.silver("flights_ml"), positions(3, 2), POSITIONS)
    write(found.gold("heavy_per_minute"), [], COUNTS)
    return found


def in_use(lake: Lake) -> None:
    Models(lake, "flights").use(
        add(lake.root, "flights", a_stump("altitude_meters", 3_000, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0])).version
    )


def test_without_a_model_it_says_how_to_train_one(lake: Lake) -> None:
    said = texts(run(lake.root))

    assert f"No model has been trained yet. Train one on this lake: `vigie train flights --lake {lake}`" in said


def test_with_a_model_and_no_minute_yet_it_says_when_the_first_comes(lake: Lake) -> None:
    in_use(lake)

    assert "Model 1 is in use; the first minute closes two to three minutes after" in texts(run(lake.root))


def test_aircraft_are_counted_by_class_minute_by_minute_and_none_is_drawn_as_none(lake: Lake) -> None:
    in_use(lake)
    shutil.rmtree(lake.gold("heavy_per_minute"))
    rows = counts(12)
    write(lake.gold("heavy_per_minute"), rows, COUNTS)

    app = run(lake.root)

    areas = {area["name"]: numbers(area["y"]) for area in figures(app)["flights-classes"]}
    wanted = pl.from_dicts(rows).sort("window_start")
    assert areas.keys() == set(wanted["predicted_class"])
    for name, drawn in areas.items():
        by_minute = dict(wanted.filter(predicted_class=name).select("window_start", "flight_count").iter_rows())
        assert drawn == [float(by_minute.get(NOON - timedelta(minutes=back), 0)) for back in range(11, 0, -1)]
    assert "By model 1" in texts(app)


def test_a_damaged_note_of_the_model_in_use_is_a_sentence_and_the_rest_is_shown(lake: Lake) -> None:
    in_use(lake)
    (lake.models("flights") / "in_use").write_text("?")

    app = run(lake.root)

    assert not app.exception
    assert "The note that names the model in use is damaged" in texts(app)
    assert app.metric
