"""Inboxes to run on, and runs of a pipeline: in this process, or in one that may be killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from vigie.address import Address, Inbox
from vigie.core.request import Request
from vigie.errors import VigieError
from vigie.feed import Simulation
from vigie.flights.simulator import simulate
from vigie.lake import Lake
from vigie.pipeline import Pipeline
from vigie.settings import Settings

ROOT = Path(__file__).parents[1]
# Long past for whoever runs the tests, so that nothing here is from the future but what is meant to be.
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
DIED = 9

# Every kind of garbage that a feed has been seen to send; each is one message.
GARBAGE: Mapping[str, bytes] = {
    "binary": bytes(byte for byte in range(256) if byte != ord("\n")),
    "invalid UTF-8": b'{"icao24":"\xff\xfe"}',
    "truncated": b'{"icao24":"39ac47","latitude":48.',
    "wrong types": b'{"icao24":"39ac47","latitude":"north"}',
    "too long": b'{"icao24":"' + b"a" * 10_000_000,
    "NaN": b'{"icao24":"39ac47","latitude":NaN}',
    "nothing": b"",
    "blanks": b" \t ",
    "two objects": b'{"icao24":"39ac47"}{"icao24":"39ac48"}',
    "NUL": b'{"icao24":"39\x00ac47"}',
    "only NUL": b"\x00",
    "carriage return": b"\r",
    "single quotes": b"{'icao24':'39ac47'}",
    "a list": b'[{"icao24":"39ac47"}]',
    "null": b"null",
}


def a_state(at: float = 0, **fields: object) -> bytes:
    """A state vector whose position was measured `at` seconds after noon."""
    seconds = int(NOON.timestamp() + at)
    state = {
        "time": seconds,
        "icao24": "39ac47",
        "callsign": "AFR123  ",
        "origin_country": "France",
        "time_position": seconds,
        "longitude": 2.0,
        "latitude": 48.0,
        "baro_altitude": 11_000.0,
        "on_ground": False,
        "velocity": 250.0,
        "vertical_rate": 0.0,
        "category": 4,
    }
    return json.dumps({**state, **fields}).encode()


def simulated(rows: int, *, keys: int = 40, faults: float = 0.05, seed: int = 7) -> list[bytes]:
    """The simulator's messages up to now: only then is one from the future what it is meant to be."""
    interval = 10.0
    start = time.time() - rows / keys * interval
    ticks = simulate(Simulation(start, keys=keys, interval=interval, seed=seed, faults=faults))
    return [value for _, value in islice((message for tick in ticks for message in tick.messages), rows)]


def an_inbox(folder: Path, *files: Iterable[bytes]) -> Path:
    """A folder with these files, in this order of age."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, lines in enumerate(files):
        path = folder / f"{number:03d}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        os.utime(path, (NOON.timestamp() + number,) * 2)
    return folder


def run_once(pipeline: Pipeline, lake: Path, **inboxes: Path) -> None:
    """The loop over the embedded engine, in this process, until all that is in these folders has gone through."""
    from vigie import running

    sources: dict[str, Address] = {name: Inbox(folder) for name, folder in inboxes.items()}
    running.run(pipeline, Request(Lake(lake), sources, once=True), Settings())


@dataclass(frozen=True, slots=True)
class Job:
    """A run in a process of its own: it dies after the first commit whose name is in `die_after`.

    `address` is what `--from` is told, once for each source that is named; a broker is waited for so many seconds, and
    a partition is idle when its newest message is older than so many. With 0 the clock decides nothing more: whatever
    was read to its end holds no window back.
    """

    lake: str
    address: str
    pipeline: str = "flights"
    once: bool = True
    times: int = 1
    messages_a_batch: int = 500_000
    patience_s: float = 600.0
    idle_s: float = 60.0
    die_after: Sequence[str] = ()
    engine: str = "embedded"

    def start(self) -> subprocess.Popen[str]:
        """The process; it writes a line for each commit, and leads a group of its own, so that all can be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.runs", json.dumps(asdict(self))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, seconds: float = 240) -> tuple[int, str, str]:
        """How it ended: exit code, what it wrote, and what it complained of."""
        process = self.start()
        try:
            written, complained = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, written, complained


def commits(process: subprocess.Popen[str]) -> Iterator[str]:
    """The names of a running job's commits, as they are made."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line.strip()


def after_some_commits(process: subprocess.Popen[str], chance: random.Random) -> int:
    """Somewhere after a few commits of a running job, or at its end; how many there were."""
    made = 0
    wanted = chance.randint(1, 12)
    for made, _ in enumerate(commits(process), 1):
        if made == wanted:
            break
    with suppress(subprocess.TimeoutExpired):
        process.wait(chance.random() / 2)
    return made


class Killed(NamedTuple):
    """After how many commits a run was killed; it may have come to its end before."""

    after: int
    at_work: bool


def killed_at_random(job: Job, chance: random.Random, *, with_children: bool) -> Killed:
    """Kill a run (or the program alone, which leaves its engine behind for a moment) somewhere after a few commits."""
    process = job.start()
    made = after_some_commits(process, chance)
    at_work = process.poll() is None
    kill = os.killpg if with_children else os.kill
    with suppress(ProcessLookupError):
        kill(process.pid, signal.SIGKILL)
    process.communicate()
    return Killed(made, at_work)


def until(holds: Any, seconds: float = 200) -> None:
    """Wait for a condition, and fail when it does not come about, even on a machine with much else to do."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def _run(job: Job) -> None:
    from vigie import choosing, running
    from vigie.core import away
    from vigie.core.ingest import batch
    from vigie.core.observer import Watcher
    from vigie.core.source import Bounds
    from vigie.flags import addresses
    from vigie.pipeline import load

    size = 1 if "inbox:" in job.address else 1 << 30  # every file is a batch of its own
    running.BOUNDS = Bounds(job.messages_a_batch, size)
    away.PATIENCE_S = job.patience_s
    batch.IDLE = timedelta(seconds=job.idle_s)

    def committed(name: str) -> None:
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        if name in job.die_after:
            os._exit(DIED)

    pipeline = load(job.pipeline)
    sources = addresses(job.address.split(), pipeline.graph())
    request = Request(Lake(Path(job.lake)), sources, once=job.once)
    settings = Settings()
    for _ in range(job.times):
        engine = choosing.engine(job.engine, None, settings)
        running.run(pipeline, request, settings, watcher=Watcher(committed=committed), engine=engine)


if __name__ == "__main__":
    try:
        _run(Job(**json.loads(sys.argv[1])))
    except VigieError as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        sys.exit(problem.exit_code)
