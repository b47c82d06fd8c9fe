"""A watch at its post: a thread that looks at silver whenever it grew, and turns the clock when it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from vigie.core.alerts.watch import Watchman

LOOK_EVERY_S = 0.1
TICK = timedelta(seconds=1)


class Post:
    """Keeps one watch until it is left; what it cannot do, `failed` is told.

    Nobody is called silent before what is watched was read to its end: who seems silent may have spoken meanwhile.
    """

    def __init__(
        self,
        watchman: Watchman,
        has_read_all: Callable[[], bool],
        failed: Callable[[BaseException], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._watchman = watchman
        self._has_read_all = has_read_all
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
        ticked = self._clock() - TICK
        while not self._stop.is_set():
            if self._watchman.look() is not None:
                continue
            now = self._clock()
            if abs(now - ticked) >= TICK and self._is_told(now):
                ticked = now
            self._stop.wait(LOOK_EVERY_S)
        self._watchman.put_all()

    def _is_told(self, now: datetime) -> bool:
        """Whether all who are silent by now are called so; not when that could not be known yet."""
        ahead = self._watchman.unheard(now)
        if not self._watchman.is_anybody_silent(ahead):
            return True
        if not self._has_read_all() or self._watchman.look() is not None:
            return False
        self._watchman.silences(ahead)
        return True
