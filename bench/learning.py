"""How well aircraft are told apart whose type no tree has seen, how long training takes, and what predicting costs.

A day of simulated traffic becomes rows of silver by the pipeline's own function. In each round types of aircraft are
drawn that are held out of training: all aircraft of a quarter of the types of each class. Both kinds of model are then
trained as `vigie train flights` does, and asked about every report of what was held out.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

import vigie
from vigie import ddl
from vigie.arrow_types import arrow_schema
from vigie.feed import Simulation
from vigie.flights import opensky, simulator
from vigie.flights.features import KINDS, LABEL
from vigie.flights.fleet import fleet
from vigie.flights.learning import CLASSES, confusion, learn
from vigie.flights.performance import performance
from vigie.flights.pipeline import FLIGHTS_ML, flights_ml
from vigie.forest import Predictor
from vigie.models import Examination, Pupil

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

START = 1_795_219_200
MOST_ROWS = 500_000
LONGEST_S = 180.0
ABOVE_BASELINE, ABOVE_THE_REPORT = 0.20, 0.05
MOST_COST = 0.25
A_FILE = 100_000
COLUMNS = ("icao24", "time_position", "callsign", "origin_country", "longitude", "latitude", "baro_altitude",
           "on_ground", "velocity", "true_track", "vertical_rate", "squawk", "category")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """A kind of model in one round."""

    kind: str
    seconds: float
    unseen_aircraft: float  # macro F1
    unseen_types: float
    baseline: float  # of always saying the commonest class of the unseen types


def learning(aircraft: int, hours: float, interval: float, rounds: int) -> int:
    """Train and examine in each round; 1 when a limit is not kept."""
    simulation = Simulation(START, keys=aircraft, interval=interval, seed=21, faults=0.02)
    with tempfile.TemporaryDirectory(prefix="vigie-learning-") as folder:
        spark = vigie.spark(folder, engine="spark")
        try:
            count = _written(simulation, hours, Path(folder))
            silver = _silver(spark, Path(folder))
            outcomes = [outcome for number in range(rounds) for outcome in _round(silver, simulation, number)]
        finally:
            spark.stop()
    return _report(outcomes, count)


def cost(rows: int, rounds: int) -> int:
    """The same inbox through the pipeline, with a model in use and without, in turns; 1 when it costs too much."""
    with tempfile.TemporaryDirectory(prefix="vigie-cost-") as folder:
        place = Path(folder)
        first = place / "first"
        _vigie("feed", "flights", "--rows", str(rows), "--keys", "2000", "--seed", "3", lake=first)
        _vigie("run", "flights", "--once", lake=first)
        _vigie("train", "flights", lake=first)
        found: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(rounds):
            for predicts, seconds in found.items():
                lake = place / "turn"
                shutil.copytree(first / "_inbox", lake / "_inbox")
                if predicts:
                    shutil.copytree(first / "_vigie/flights/models", lake / "_vigie/flights/models")
                began = time.monotonic()
                _vigie("run", "flights", "--once", lake=lake)
                seconds.append(time.monotonic() - began)
                shutil.rmtree(lake)
    without, predicting = (statistics.median(found[predicts]) for predicts in (False, True))
    more = 1 - without / predicting
    sys.stdout.write(
        f"{rows:,} messages, median of {rounds}: {rows / without:,.0f}/s without a model, {rows / predicting:,.0f}/s "
        f"with one: predicting costs {more:.1%} of the throughput (at most {MOST_COST:.0%})\n"
    )
    return 0 if more <= MOST_COST else 1


def _vigie(*words: str, lake: Path) -> None:
    subprocess.run([sys.executable, "-m", "vigie", *words, "--lake", str(lake)], check=True)


def _written(simulation: Simulation, hours: float, folder: Path) -> int:
    """The messages of so many hours as files of columns; how many there are."""
    decoder = msgspec.json.Decoder()
    schema = arrow_schema(opensky.STATE_VECTOR)
    schema = pa.schema([field for field in schema if field.name in COLUMNS])
    count = 0
    for number, messages in enumerate(_parts(_messages(simulation, hours))):
        states: list[dict[str, Any]] = []
        for message in messages:
            try:
                state = decoder.decode(message)
                states.append({name: state.get(name) for name in COLUMNS})
            except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
                continue  # a fault of the simulation, which quarantine would have
        try:
            pq.write_table(pa.Table.from_pylist(states, schema), folder / f"{number:06}.parquet")
        except pa.ArrowException:
            good = [state for state in states if _fits(state, schema)]
            pq.write_table(pa.Table.from_pylist(good, schema), folder / f"{number:06}.parquet")
        count += len(states)
    return count


def _parts(messages: Iterator[bytes]) -> Iterator[list[bytes]]:
    while part := list(islice(messages, A_FILE)):
        yield part


def _fits(state: dict[str, Any], schema: pa.Schema) -> bool:
    try:
        pa.Table.from_pylist([state], schema)
    except pa.ArrowException:
        return False
    return True


def _messages(simulation: Simulation, hours: float) -> Iterator[bytes]:
    for tick in simulator.simulate(simulation):
        if tick.at >= simulation.start + hours * 3600:
            return
        for _, value in tick.messages:
            yield value


def _silver(spark: SparkSession, folder: Path) -> DataFrame:
    made = flights_ml(spark.read.parquet(str(folder)))
    is_good = "latitude IS NOT NULL AND longitude IS NOT NULL AND event_timestamp IS NOT NULL"
    return made.where(is_good).dropDuplicates(["icao24", "time_position"]).select(*ddl.columns(FLIGHTS_ML))


def _round(silver: DataFrame, simulation: Simulation, number: int) -> Iterator[Outcome]:
    from pyspark.sql import functions as F

    types = performance()
    crew = fleet(types, simulation.keys, np.random.default_rng([simulation.seed, 0]))
    held = [crew.icao24[i] for i in np.flatnonzero(np.isin(crew.kind, _held_out(types.category, number)))]
    aircraft = silver.sparkSession.createDataFrame([(each,) for each in held], "icao24 STRING")
    known = silver.join(F.broadcast(aircraft), "icao24", "left_anti")
    unseen = silver.join(F.broadcast(aircraft), "icao24").where(F.col(LABEL).isNotNull() & ~F.col("on_ground"))
    for name, kind in KINDS.items():
        began = time.monotonic()
        learnt = learn(known, Pupil(name, number, MOST_ROWS, _say))
        seconds = time.monotonic() - began
        asked = kind.made(unseen).select(LABEL, *kind.features).toArrow().to_pandas()
        labels = asked[LABEL].map({label: at for at, label in enumerate(CLASSES)}).to_numpy(np.int64)
        found = Predictor.of(learnt.forest).probabilities(asked[list(kind.features)].to_numpy(np.float64))
        commonest = np.full(len(labels), np.bincount(labels).argmax())
        scores: list[Examination] = [confusion(labels, found.argmax(axis=1)), confusion(labels, commonest)]
        yield Outcome(name, seconds, learnt.found.examination.macro_f1, scores[0].macro_f1, scores[1].macro_f1)


def _say(said: str) -> None:
    sys.stderr.write(f"  {said}\n")


def _held_out(category: np.ndarray[Any, np.dtype[np.int64]], number: int) -> list[int]:
    """A quarter of the types of each class."""
    rng = np.random.default_rng(number)
    chosen: list[int] = []
    for low, high in ((2, 3), (4, 6), (7, 20)):
        kinds = np.flatnonzero((category >= low) & (category <= high))
        chosen += rng.choice(kinds, max(1, len(kinds) // 4), replace=False).tolist()
    return chosen


def _report(outcomes: list[Outcome], count: int) -> int:
    table = Table(title=f"Aircraft of types that were held out of training; {count:,} reports")
    for heading in ("model", "macro F1, unseen types", "unseen aircraft", "baseline", "training (s)"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for each in outcomes:
        table.add_row(
            each.kind, f"{each.unseen_types:.3f}", f"{each.unseen_aircraft:.3f}", f"{each.baseline:.3f}",
            f"{each.seconds:.0f}",
        )  # fmt: skip
    Console().print(table)
    report, minutes = ([each for each in outcomes if each.kind == kind] for kind in KINDS)
    above = statistics.mean(each.unseen_types - each.baseline for each in report)
    richer = statistics.mean(each.unseen_types for each in minutes) - statistics.mean(
        each.unseen_types for each in report
    )
    slowest = max(each.seconds for each in outcomes)
    sys.stdout.write(
        f"report: {above:.3f} above the baseline (at least {ABOVE_BASELINE}); minutes: {richer:.3f} above report (at "
        f"least {ABOVE_THE_REPORT}); slowest training {slowest:.0f} s (at most {LONGEST_S:.0f})\n"
    )
    return 0 if above >= ABOVE_BASELINE and richer >= ABOVE_THE_REPORT and slowest <= LONGEST_S else 1
