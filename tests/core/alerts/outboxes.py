"""Outboxes in a folder of their own, and a courier whose time a test turns."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sinks.receivers import WATCH
from vigie.alerts import Event
from vigie.backoff import Backoff, Clock
from vigie.contracts import Receiver
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.outbox import Destination, Outbox, Portion
from vigie.core.alerts.sender import Courier
from vigie.lake import is_table, rows


def an_outbox(tmp_path: Path, receiver: Receiver, at_once: int = 1, digest_over: int = 0) -> Outbox:
    letters = DeadLetters(tmp_path / "dead_letters", "p", "outbox-x")
    to = Destination(receiver, letters, Portion(at_once, digest_over))
    return Outbox(tmp_path / "log", tmp_path / "outbox-x" / "note.json", to, is_told)


def dead_letters(tmp_path: Path) -> list[tuple[str, str]]:
    """The key and the event of each, sorted."""
    path = tmp_path / "dead_letters"
    return sorted((row["key"], row["event"]) for row in rows(path)) if is_table(path) else []


def is_told(event: Event) -> bool:
    return event.watch == WATCH and event.alert.suppressed_by is None


def note(tmp_path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((tmp_path / "outbox-x" / "note.json").read_text())
    return said


def sent_all(outbox: Outbox) -> None:
    while outbox.send():
        pass


class TurnedClock:
    """A clock that a wait turns; `until` is told the time, and ends the courier's work when it says so."""

    def __init__(self, until: Callable[[float], bool]) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._until = until

    def wait(self, event: threading.Event, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        if self._until(self.now):
            event.set()

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.wait)


def carried(outbox: Outbox, clock: TurnedClock) -> Courier:
    """A courier that has worked until the clock said that it is enough."""
    failed: list[BaseException] = []
    courier = Courier(outbox, failed.append, clock.clock(), Backoff(lambda: 1.0))
    courier.start()
    courier.leave(60)
    assert failed == []
    return courier
