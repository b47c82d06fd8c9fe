"""A lake for notebooks: the one that VIGIE_LAKE names, or a small one of simulated aircraft that is made on the spot.

What is made depends on its seed alone: the feed starts at a fixed instant, and the pipeline reads it as one batch.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec

from vigie.disk import write_whole
from vigie.errors import RunFailed
from vigie.feed import Simulation
from vigie.flights.simulator import simulate
from vigie.lake import Lake

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
REPORTS, AIRCRAFT, INTERVAL_S, FAULTS = 48_000, 600, 30.0, 0.04
AHEAD_S = 60  # what the pipeline takes to be from the future, as it arrives
# What an alert is to be seen of: for eight minutes the aircraft of one country send feet where metres belong.
IN_FEET, FEET_FROM_S, FEET_TO_S = b'"origin_country":"United Kingdom"', 1_200, 1_680
ALTITUDE = re.compile(rb'(?<="baro_altitude":)-?\d+\.\d+')
FOOT_M = 0.3048
LEARNT_FROM = 30_000  # reports
MADE_OF = "sample.json"
KEPT = ("VIGIE_CACHE", "VIGIE_CORES", "VIGIE_DRIVER_MEMORY")


def sample_seed() -> int:
    """VIGIE_NOTEBOOK_SEED, or 7."""
    return int(os.environ.get("VIGIE_NOTEBOOK_SEED", "7"))


def sample_lake() -> Lake:
    """The lake that VIGIE_LAKE names. Without one, `./lake-sample-SEED`: forty minutes of 600 aircraft, which the
    pipeline has taken through bronze and silver to gold, with a trained model in use. It is made once, in minutes."""
    if named := os.environ.get("VIGIE_LAKE"):
        return Lake.at(named)
    seed = sample_seed()
    lake = Lake.at(f"lake-sample-{seed}")
    if not (lake.root / MADE_OF).is_file():
        sample_feed(lake.inbox("flights_raw"), seed)
        _vigie("run", "flights", "--once", lake=lake)
        train = ("train", "flights", "--kind", "report", "--rows", str(LEARNT_FROM), "--seed", str(seed))
        _vigie(*train, lake=lake)
        _vigie("run", "flights", "--once", lake=lake)
        write_whole(lake.root / MADE_OF, f'{{"seed": {seed}}}\n')
    return lake


def sample_feed(inbox: Path, seed: int) -> Path:
    """The messages that a sample lake is made of, as a file in an inbox; one in twenty-five is broken on purpose, and
    from 12:20 to 12:28 the altitudes of the United Kingdom are in feet."""
    inbox.mkdir(parents=True, exist_ok=True)
    write_whole(inbox / "sample.jsonl", b"".join(message + b"\n" for message in islice(_messages(seed), REPORTS)))
    return inbox


def _messages(seed: int) -> Iterator[bytes]:
    """A simulated feed without reports from before its start, which are few, and without those from the future: long
    after, they would look like reports in time, and all that come behind them like late ones."""
    simulation = Simulation(START.timestamp(), AIRCRAFT, INTERVAL_S, seed, FAULTS)
    for tick in simulate(simulation):
        has_feet = FEET_FROM_S <= tick.at - simulation.start < FEET_TO_S
        for _, message in tick.messages:
            if not _is_outside(message, simulation.start, tick.at + AHEAD_S):
                yield _in_feet(message) if has_feet and IN_FEET in message else message


def _in_feet(message: bytes) -> bytes:
    return ALTITUDE.sub(lambda metres: b"%.2f" % (float(metres[0]) / FOOT_M), message)


def _is_outside(message: bytes, first: float, last: float) -> bool:
    try:
        state = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    at = state.get("time_position") if isinstance(state, dict) else None
    return isinstance(at, int) and not first <= at <= last


def _vigie(*words: str, lake: Lake) -> None:
    """A command as it is typed, with none of the settings that would send anything elsewhere."""
    command = [sys.executable, "-m", "vigie", *words, "--lake", str(lake)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_") or name in KEPT}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    if done.returncode:
        raise RunFailed(
            f"the sample lake could not be made: {' '.join(done.stderr.split())[-300:]}",
            where=f"vigie {' '.join(words)} --lake {lake}",
            do="Type that command yourself to see all it says, or name a lake of your own with VIGIE_LAKE.",
        )
