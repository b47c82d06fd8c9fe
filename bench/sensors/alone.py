"""The alerts alone, over a silver that stands: Vigie's watch, or the operator by hand.

Run as `python -m bench.sensors.alone vigie|by-hand LAKE FOLDER`; the silver of LAKE is read, and nothing of it
changed. The last line says how many seconds it took.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from bench.classic import start
from bench.sensors.handwritten import EVENTS, SILVER
from bench.sensors.operator import alerts
from bench.sensors.pipeline import bench
from bench.sensors.workload import opened_by_hand, opened_by_vigie
from bench.streams import write
from vigie.core.alerts.watch import Watchman
from vigie.lake import Lake
from vigie.settings import read_settings

ACROSS_KEYS = "OFF_COURSE"  # ranks the readings of all sensors together, which an operator for each key cannot


def by_hand(lake: Path, folder: Path) -> float:
    spark = start(read_settings(), "by hand")
    began = time.monotonic()
    write(alerts(spark.readStream.format("delta").load(str(lake / SILVER))), folder, EVENTS)
    seconds = time.monotonic() - began
    spark.stop()
    return seconds


def vigie(lake: Path, folder: Path) -> float:
    own = Lake(folder)
    own.silver("sensor_readings").parent.mkdir(parents=True)
    os.symlink(lake / SILVER, own.silver("sensor_readings"))
    graph = bench.graph()
    [watch] = graph.watches
    shared = replace(watch, rules=tuple(rule for rule in watch.rules if rule.name != ACROSS_KEYS))
    began = time.monotonic()
    Watchman(own, graph, shared).catch_up(threading.Event())
    return time.monotonic() - began


def opened(who: str, folder: Path) -> pl.DataFrame:
    """What one of the two opened."""
    return opened_by_hand(folder) if who == "by-hand" else opened_by_vigie(folder)


if __name__ == "__main__":
    program = {"by-hand": by_hand, "vigie": vigie}[sys.argv[1]]
    print(program(Path(sys.argv[2]), Path(sys.argv[3])))
