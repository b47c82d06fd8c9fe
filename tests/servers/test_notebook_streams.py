"""The streams that the notebook on gold shows make the windows that the product makes of the same reports."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from tools.notebooks import NOTEBOOKS, notebook_of
from vigie.flights import pipeline, sample_lake
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def defined_in(notebook: str, *names: str) -> dict[str, Any]:
    """What the cells of a notebook define that define these names."""
    from pyspark.sql import functions as F

    defined: dict[str, Any] = {"F": F}
    for cell in notebook_of(NOTEBOOKS / f"{notebook}.py").cells:
        if cell.cell_type == "code" and any(f"def {name}(" in cell.source for name in names):
            exec(compile(cell.source, notebook, "exec"), defined)
    return defined


def windows(path: Path, key: str) -> pl.DataFrame:
    found = pl.from_arrow(DeltaTable(path).to_pyarrow_table())
    assert isinstance(found, pl.DataFrame)
    return found.sort("window_start", key)


def run(lake: Path) -> None:
    command = [sys.executable, "-m", "vigie", "run", "flights", "--once", "--lake", str(lake)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_notebook_s_streams_append_the_windows_that_the_product_closes(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_lake, "REPORTS", 4_800)
    monkeypatch.setattr(sample_lake, "AIRCRAFT", 100)
    lake = Lake(tmp_path / "lake")
    sample_lake.sample_feed(lake.inbox("flights_raw"), seed=11)
    run(lake.root)
    notebook = defined_in("07_streaming_gold", "silver_stream", "flat", "started")

    queries = []
    for name, watermark in (("flight_phase_counts", "2 minutes"), ("anomaly_alerts", "6 minutes")):
        rows = notebook["silver_stream"](spark, lake.silver("flights_ml"), watermark)
        made = notebook["flat"](getattr(pipeline, name)(rows))
        queries.append(notebook["started"](made, name, tmp_path))
    for query in queries:
        query.processAllAvailable()
        query.stop()

    assert not spark.streams.active
    for name, key in (("flight_phase_counts", "flight_phase"), ("anomaly_alerts", "origin_country")):
        ours = windows(tmp_path / name, key)
        theirs = windows(lake.gold(f"streaming_aggregations/{name}"), key)
        first, last = ours["window_start"].min(), ours["window_end"].max()
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        assert (last - first).total_seconds() > 10 * 60
        # A sum of floating-point numbers depends on their order.
        assert_frame_equal(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    assert windows(tmp_path / "anomaly_alerts", "origin_country")["altitude_anomalies"].sum() > 0
