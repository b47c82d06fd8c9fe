"""Delta tables that are open already: to open one anew takes as long as a small commit.

What is held is brought forward by what was committed since. It is one thread's own, and opened anew now and then: a
handle that is held for long gets slow.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from vigie.lake import opened, reading

USED = 25  # times, and it is opened anew
Mark = tuple[int, int, int]  # a version, and which file its commit is: its number on the disk, when it was written


@dataclass(slots=True)
class _Handle:
    table: DeltaTable
    mark: Mark | None
    used: int = 0

    def is_of(self, path: Path) -> bool:
        """Whether the table is the one that was opened: of one that was taken away no commits come, and it would seem
        to be as it was; of one that was made anew come another's."""
        return self.used < USED and self.mark is not None and self.mark == _mark(path, self.mark[0])


class _Held(threading.local):
    def __init__(self) -> None:
        self.newest: dict[Path, _Handle] = {}
        self.past: dict[Path, _Handle] = {}


_held = _Held()


def newest(path: Path) -> DeltaTable:
    """The table as it is; LakeDamaged when its log cannot be read."""
    handle = _held.newest.pop(path, None)
    if handle is None or not handle.is_of(path):
        handle = _Handle(opened(path), None)
    else:
        with reading(path):
            handle.table.update_incremental()
    return _kept(_held.newest, handle, path)


def at(path: Path, version: int) -> DeltaTable:
    """The table as it was at a version; versions that grow are the quick ones."""
    handle = _held.past.pop(path, None)
    if handle is None or handle.table.version() > version or not handle.is_of(path):
        handle = _Handle(opened(path, version), None)
    else:
        with reading(path):
            handle.table.load_as_version(version)
    return _kept(_held.past, handle, path)


def _kept(held: dict[Path, _Handle], handle: _Handle, path: Path) -> DeltaTable:
    handle.mark, handle.used = _mark(path, handle.table.version()), handle.used + 1
    held[path] = handle
    return handle.table


def _mark(path: Path, version: int) -> Mark | None:
    try:
        commit = (path / "_delta_log" / f"{version:020}.json").stat()
    except FileNotFoundError:
        return None
    return version, commit.st_ino, commit.st_mtime_ns
