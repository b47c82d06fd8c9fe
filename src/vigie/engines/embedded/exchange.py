"""Rows on their way to the engine and back, as Arrow files in memory-backed storage where there is room."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from vigie.engines.embedded.nulls import nothing_beneath_nulls

IN_MEMORY = Path("/dev/shm")
PREFIX = "vigie-rows-"
ROOM_LEFT = 64 << 20  # of memory-backed storage, for others


class Exchange:
    """A folder of this process in memory, and one on disk for what does not fit there."""

    def __init__(self, spill: Path | None = None) -> None:
        clear()
        self._spill = spill or Path(tempfile.gettempdir())
        self._numbers = itertools.count()
        self._folders: dict[Path, Path] = {}
        self._links: dict[Path, Path] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, tables: Sequence[pa.Table]) -> Iterator[tuple[list[Path], Path]]:
        """A folder for each of these tables, with its rows, and one for the answer; all are gone afterwards."""
        size = sum(table.nbytes for table in tables)
        place = self._folder(2 * size) / str(next(self._numbers))
        try:
            inputs = [place / f"in-{at}" for at in range(len(tables))]
            for folder, table in zip(inputs, tables, strict=True):
                folder.mkdir(parents=True)
                with ipc.new_file(folder / "rows.arrow", table.schema) as file:
                    file.write_table(nothing_beneath_nulls(table))
            yield inputs, place / "out"
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def linked(self, table: Path) -> Path:
        """Where sail finds a Delta table: blanks and accents in the path that it is given are others to it."""
        folder = self._folder(0)
        with self._lock:
            if table not in self._links:
                self._links[table] = folder / f"table-{next(self._numbers)}"
                self._links[table].symlink_to(table.absolute())
            return self._links[table]

    def close(self) -> None:
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, size: int) -> Path:
        base = IN_MEMORY if _has_room(size) else self._spill
        with self._lock:
            if base not in self._folders:
                self._folders[base] = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
            return self._folders[base]


def read(folder: Path) -> pa.Table | None:
    """The rows of an answer, in no promised order; none where no rows were written."""
    parts = [ipc.open_file(pa.memory_map(str(file))).read_all() for file in sorted(folder.glob("*.arrow"))]
    return pa.concat_tables(parts) if parts else None


def clear() -> None:
    """Take away what processes left in memory that were killed."""
    for base in (IN_MEMORY, Path(tempfile.gettempdir())):
        for folder in base.glob(f"{PREFIX}*"):
            process = folder.name.removeprefix(PREFIX).partition("-")[0]
            if process.isdecimal() and not _is_alive(int(process)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _has_room(size: int) -> bool:
    return IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > size + ROOM_LEFT
