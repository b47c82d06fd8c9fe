"""One process writes a pipeline's tables in a lake."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vigie.errors import LakeMismatch
from vigie.graph import Graph
from vigie.lake import Lake


@contextmanager
def only_writer(graph: Graph, lake: Lake) -> Iterator[None]:
    """While in here, no other process does; the lock goes with the process, however it ends."""
    path = lake.vigie(graph.name) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        _lock(lock, graph, path)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock(lock: IO[str], graph: Graph, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        lock.seek(0)
        raise LakeMismatch(
            f"pipeline '{graph.name}' is being run in this lake by process {lock.read().strip() or 'unknown'}",
            where=str(path),
            do="Stop that one first, or use another lake with --lake.",
        ) from problem
