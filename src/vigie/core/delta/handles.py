"""Delta tables that are open already: to open one anew takes as long as a small commit.

What is held is brought forward by what was committed since. It is one thread's own, and opened anew now and then: a
handle that is held for long gets slow.
"""

from __future__ import annotations

import threading
from pathlib import Path

from deltalake import DeltaTable

from vigie.lake import opened, reading

USED = 25  # times, and it is opened anew


class _Held(threading.local):
    def __init__(self) -> None:
        self.newest: dict[Path, tuple[DeltaTable, int]] = {}
        self.past: dict[Path, tuple[DeltaTable, int]] = {}


_held = _Held()


def newest(path: Path) -> DeltaTable:
    """The table as it is; LakeDamaged when its log cannot be read."""
    held, used = _held.newest.pop(path, (None, 0))
    if held is None or used >= USED or not _is_still_there(held, path):
        held, used = opened(path), 0
    else:
        with reading(path):
            held.update_incremental()
    _held.newest[path] = held, used + 1
    return held


def at(path: Path, version: int) -> DeltaTable:
    """The table as it was at a version; versions that grow are the quick ones."""
    held, used = _held.past.pop(path, (None, 0))
    if held is None or used >= USED or held.version() > version or not _is_still_there(held, path):
        held, used = opened(path, version), 0
    else:
        with reading(path):
            held.load_as_version(version)
    _held.past[path] = held, used + 1
    return held


def _is_still_there(table: DeltaTable, path: Path) -> bool:
    """A table that was taken away has no commits to be brought forward by, and would seem to be as it was."""
    return (path / "_delta_log" / f"{table.version():020}.json").exists()
