"""A run of a pipeline of numbers that goes on while they come, with the gold tables that follow."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from tests.core.loops import begun
from tests.core.numbers import a_number
from tests.runs import NOON, an_inbox
from vigie import Pipeline
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Engine
from vigie.core.ledger import Entry
from vigie.core.loop import Loop
from vigie.lake import Lake, rows


class Following:
    """Numbers are sent, and whoever asks sees what becomes of them; it may die after a commit, and begin again."""

    def __init__(self, folder: Path, engine: Engine, pipeline: Pipeline, *, dies_after: str = "") -> None:
        self._folder, self._engine, self._pipeline = folder, engine, pipeline
        self._inbox = folder / "inbox"
        self._inbox.mkdir(exist_ok=True)
        self.told: list[Entry] = []
        self.loop = self.begun(dies_after=dies_after)

    def begun(self, *, dies_after: str = "") -> Loop:
        lake, source = self._folder / "lake", Inbox(self._inbox)
        return begun(lake, self._engine, self._pipeline, source, self.told, dies_after=dies_after)

    def send(self, *values: tuple[int, float, str]) -> None:
        """Numbers (their value, when, whose), and silver has them."""
        staged = an_inbox(self._folder / "staged", [a_number(n, at, k) for n, at, k in values])
        (staged / "000.jsonl").rename(self._inbox / f"{len(list(self._inbox.iterdir())):03}.jsonl")
        assert self.loop.ingest()

    def follow(self, *, in_turn: bool) -> bool:
        self.loop._rest.clear()
        return self.loop.follow(in_turn=in_turn)

    def goes_through(self, *values: tuple[int, float, str]) -> None:
        """The same, and all that follows from them."""
        self.send(*values)
        self.follow_on()

    def follow_on(self) -> None:
        """All that is there goes through."""
        while self.loop.ingest() or self.loop.follow():
            pass

    def made(self, table: str = "made") -> list[dict[str, Any]]:
        return rows(Lake(self._folder / "lake").gold(table))


def seconds(at: datetime) -> float:
    """After noon."""
    return (at - NOON).total_seconds()
