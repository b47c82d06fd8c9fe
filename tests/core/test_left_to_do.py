"""What was left to do is done when a run begins, though no message comes any more."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tests.core.numbers import a_number, numbers
from tests.runs import an_inbox, run_once
from vigie import Pipeline, running
from vigie.address import Inbox
from vigie.core.request import Request
from vigie.lake import Lake, rows
from vigie.settings import Settings
from vigie.testing import run

WITHIN_S = 60.0


def per_minute(rows: DataFrame) -> DataFrame:
    """How many numbers, minute by minute."""
    return rows.groupBy(F.window("at", "1 minute")).agg(F.count(F.lit(1)).alias("count"))


def declared(*gold: str) -> Pipeline:
    pipeline = numbers()
    [silver] = pipeline.graph().silver
    for name in gold:
        pipeline.gold(name, reads=silver.function, late_by="1 minute")(per_minute)
    return pipeline


def test_a_table_that_was_added_is_filled_by_a_live_run_though_nothing_comes(tmp_path: Path) -> None:
    folder, lake = an_inbox(tmp_path / "inbox", [a_number(2, 0), a_number(4, 200)]), Lake(tmp_path / "lake")
    long_ago = time.time() - 86_400
    for file in folder.iterdir():
        os.utime(file, (long_ago, long_ago))
    run_once(declared("one"), lake.root, raw=folder)

    stop, begins = threading.Event(), time.monotonic()
    request = Request(lake, {"raw": Inbox(folder)}, once=False)
    live = threading.Thread(target=running.run, args=(declared("one", "two"), request, Settings(), stop))
    live.start()
    while live.is_alive() and not _windows(lake) and time.monotonic() - begins < WITHIN_S:
        time.sleep(0.05)
    stop.set()
    live.join()

    assert _windows(lake) == [1]


def _windows(lake: Lake) -> list[int]:
    return [row["count"] for row in rows(lake.gold("two"))] if lake.gold("two").exists() else []


def test_the_first_instant_that_has_a_name_stops_nothing() -> None:
    pipeline = Pipeline("zero")
    raw = pipeline.source("raw", schema="k STRING, at TIMESTAMP", key="k")
    pipeline.silver("good", reads=raw, schema="k STRING, at TIMESTAMP", event_time="at", late_by="6 minutes")(
        lambda rows: rows
    )
    pipeline.gold("counted", reads="good", late_by="1 minute")(per_minute)

    ran = run(pipeline, {"raw": [{"k": "a", "at": "0001-01-01T00:00:00Z"}]})

    assert [row["at"].year for row in ran.table("silver/good")] == [1]
    assert ran.table("gold/counted") == []
