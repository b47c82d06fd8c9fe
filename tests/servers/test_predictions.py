"""From a lake to a model to tables of what it says, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from vigie.forest import Predictor
from vigie.lake import Lake
from vigie.models import Models


def typed(*words: str, lake: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from vigie.cli import main; main()", *words, "--lake", str(lake)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def table(lake: Path, name: str) -> pl.DataFrame:
    found = pl.from_arrow(DeltaTable(lake / name).to_pyarrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.mark.timeout(900)
def test_a_model_is_trained_on_the_lake_and_says_of_every_settled_report_what_flies(tmp_path: Path) -> None:
    typed("feed", "flights", "--rows", "30000", "--keys", "600", "--seed", "5", lake=tmp_path)
    first = typed("run", "flights", "--once", lake=tmp_path)

    assert "gold/predictions waits for a model: vigie train flights" in first.stderr
    assert table(tmp_path, "gold/predictions").is_empty()

    trained = typed("train", "flights", "--kind", "report", "--rows", "12000", "--json", lake=tmp_path)
    [card] = json.loads(trained.stdout)
    assert (card["version"], card["in_use"], card["kind"]) == (1, True, "report")
    assert card["macro_f1"] > card["baseline_macro_f1"] + 0.2
    assert (Models(Lake(tmp_path), "flights").spark_s(1) / "metadata").is_dir()

    typed("run", "flights", "--once", lake=tmp_path)

    silver = table(tmp_path, "silver/flights_ml")
    newest = silver["event_timestamp"].max()
    assert isinstance(newest, datetime)
    settled = newest - timedelta(minutes=2)
    expected = silver.filter(pl.col("event_timestamp") < settled, ~pl.col("on_ground"))
    found = table(tmp_path, "gold/predictions")
    keys = ("icao24", "event_timestamp")
    assert found.height == expected.height
    assert found.select(keys).n_unique() == found.height
    assert found.join(expected, on=keys, how="anti").is_empty()
    assert set(found["model"]) == {1}
    the_same_by_hand(tmp_path, found.join(expected, on=keys))
    counted_by_the_minute(table(tmp_path, "gold/heavy_per_minute"), found, settled)
    assert any(row["table"] == "gold/predictions" and row["read"] > 0 for row in ledger(tmp_path))


def the_same_by_hand(lake: Path, both: pl.DataFrame) -> None:
    forest = Models(Lake(lake), "flights").forest(1)
    within = {"velocity_kmh": (0, 1_000), "altitude_meters": (-100, 12_000), "vertical_rate_ms": (-150, 150)}
    read = both.select(pl.when(pl.col(name).is_between(*within[name])).then(name).alias(name) for name in within)
    said = Predictor.of(forest).probabilities(read.select(pl.all().cast(pl.Float64)).fill_null(float("nan")).to_numpy())
    sure = said.max(axis=1) >= 0.6
    names = [forest.classes[at] if is_sure else "Unsure" for at, is_sure in zip(said.argmax(axis=1), sure, strict=True)]
    assert both["predicted_class"].to_list() == names
    assert both["probability"].to_list() == pytest.approx(said.max(axis=1).tolist(), abs=1e-12)


def counted_by_the_minute(windows: pl.DataFrame, found: pl.DataFrame, settled: datetime) -> None:
    """Each minute that is over by then."""
    expected = (
        found.filter(pl.col("event_timestamp").dt.truncate("1m") + timedelta(minutes=1) <= settled)
        .group_by(pl.col("event_timestamp").dt.truncate("1m").alias("window_start"), "predicted_class")
        .agg(pl.col("icao24").n_unique().cast(pl.Int64).alias("flight_count"), pl.len().cast(pl.Int64).alias("reports"))
        .sort("window_start", "predicted_class")
    )
    assert not expected.is_empty()
    assert windows.sort("window_start", "predicted_class").select(expected.columns).rows() == expected.rows()


def ledger(lake: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(typed("ledger", "flights", "--json", lake=lake).stdout)
    return rows
