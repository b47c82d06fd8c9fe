"""Small files are put together while a pipeline runs: each one costs every refresh and every look for repeats."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from deltalake.exceptions import DeltaError

from vigie.lake import Lake
from vigie.maintenance import compact_small

EVERY_S = 60.0

log = logging.getLogger(__name__)


class Caretaker:
    """A thread that looks after the tables of a lake until it is left; it never touches what they hold."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name="caretaker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _go(self) -> None:
        while not self._stop.wait(EVERY_S):
            for table in self._lake.tables():
                if self._stop.is_set():
                    return
                try:
                    compact_small(table.path)
                except (DeltaError, OSError) as problem:  # a disk that is full, too
                    log.warning("%s keeps its small files for now: %s", table, problem)
