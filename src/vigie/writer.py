"""One process writes a pipeline's tables in a lake, and others can see which."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from vigie.disk import written
from vigie.errors import LakeMismatch, RequestError
from vigie.lake import Lake

FIRST_ROWS_AFTER_S = 10.0  # after the writer began, on two busy cores
PATIENCE_S = 0.5  # whoever looks holds the lock for a moment
PAUSE_S = 0.05


def first_rows(running_s: float) -> str:
    """When the first rows are to be expected of a run that has been going for so long."""
    usual = f"{FIRST_ROWS_AFTER_S:.0f} s"
    if running_s <= FIRST_ROWS_AFTER_S:
        return f"first rows after about {usual}, {running_s:.0f} s so far"
    return f"first rows usually come after {usual}, and {running_s:.0f} s have gone by: the machine is busy"


@dataclass(frozen=True, slots=True)
class Writer:
    """The process that writes, and since when it has been running."""

    process: int
    since: datetime


@contextmanager
def only_writer(lake: Lake, pipeline: str) -> Iterator[None]:
    """While in here, no other process writes; the lock goes with the process, however it ends."""
    path = _path(lake, pipeline)
    make_folder(path.parent)
    with path.open("a+") as lock:
        _lock(lock, pipeline, path)
        lock.truncate(0)
        with written(path.parent):
            os.write(lock.fileno(), f"{os.getpid()} {datetime.now(UTC).isoformat()}".encode())
        yield


def make_folder(folder: Path) -> None:
    """Make a folder of a lake; RequestError when the lake cannot be written."""
    try:
        with written(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise RequestError(
            f"the lake cannot be written: {problem.strerror}",
            where=str(folder),
            do="Name a folder of your own with --lake, or make this one writable.",
        ) from problem


def refuse_a_second(lake: Lake, pipeline: str) -> None:
    """LakeMismatch when another process writes the pipeline's tables; for whoever has more to start before a run."""
    if found := writer(lake, pipeline):
        raise _written_by(str(found.process), pipeline, _path(lake, pipeline))


def writer(lake: Lake, pipeline: str) -> Writer | None:
    """Who writes the pipeline's tables at this moment, if anybody does."""
    try:
        with _path(lake, pipeline).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
            except BlockingIOError:
                said = lock.read().split()
    except FileNotFoundError:
        return None
    if len(said) != 2:
        return None  # it is just beginning
    return Writer(int(said[0]), datetime.fromisoformat(said[1]))


def _path(lake: Lake, pipeline: str) -> Path:
    return lake.vigie(pipeline) / "lock"


def _lock(lock: IO[str], pipeline: str, path: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            if time.monotonic() < until:
                time.sleep(PAUSE_S)
                continue
            lock.seek(0)
            raise _written_by(lock.read().partition(" ")[0] or "unknown", pipeline, path) from problem


def _written_by(process: str, pipeline: str, path: Path) -> LakeMismatch:
    return LakeMismatch(
        f"pipeline '{pipeline}' is being run in this lake by process {process}",
        where=str(path),
        do="Stop that one first, or use another lake with --lake.",
    )
