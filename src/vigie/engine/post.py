"""A watch at its post: a thread that looks at silver whenever it grew, and turns the clock when it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from vigie.engine.watching import Watchman

LOOK_EVERY_S = 0.1
TICK_S = 1.0


class Post:
    """Keeps one watch until it is left; what it cannot do, `failed` is told."""

    def __init__(
        self,
        watchman: Watchman,
        is_behind: Callable[[], bool],
        failed: Callable[[BaseException], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watchman = watchman
        self._is_behind = is_behind
        self._failed = failed
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name=watchman.name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _go(self) -> None:
        try:
            self._keep()
        except BaseException as problem:
            self._failed(problem)

    def _keep(self) -> None:
        newest, came = self._watchman.newest, self._clock()
        ticked = came
        while not self._stop.is_set():
            look = self._watchman.look()
            if self._watchman.newest != newest:
                newest, came = self._watchman.newest, self._clock()
            if look is not None:
                continue
            if self._clock() - ticked >= TICK_S and not self._is_behind():
                ticked = self._clock()
                self._watchman.silences(timedelta(seconds=ticked - came))
            self._stop.wait(LOOK_EVERY_S)
