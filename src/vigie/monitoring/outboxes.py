"""What waits at each sink of alerts, since when, and what it refused for good: read from the lake, without Spark."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vigie.commands import Silences
from vigie.core.alerts.unsent import Note, Wanted, found_after, outbox_folder, watch_name
from vigie.graph import Graph
from vigie.lake import Lake, is_table, opened, reading


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sink of a watch: how many notifications wait there, when the first of them was found, and how many were
    refused for good and are dead letters. One that is off was not set up when the pipeline last ran."""

    delivery: str
    waiting: int
    since: datetime | None
    dead_letters: int
    is_off: bool


def outboxes(lake: Lake, graph: Graph) -> tuple[Waiting, ...]:
    """Each that has ever been set up."""
    letters = dead_letters(lake, graph)
    return tuple(_waiting(lake, graph, letters, each) for each in _outboxes(lake, graph))


def outboxes_in_use(lake: Lake, graph: Graph) -> tuple[Waiting, ...]:
    """Those that are on. What waits at the others may be the alerts of a year."""
    letters = dead_letters(lake, graph)
    return tuple(_waiting(lake, graph, letters, each) for each in _outboxes(lake, graph) if not each.is_off)


def dead_letters(lake: Lake, graph: Graph) -> Counter[str]:
    """How many notifications were refused for good, by delivery."""
    path = lake.dead_letters(graph.name)
    if not is_table(path):
        return Counter()
    with reading(path):
        return Counter(opened(path).to_pyarrow_table(columns=["delivery"]).column("delivery").to_pylist())


@dataclass(frozen=True, slots=True)
class _Outbox:
    watch: str
    at_least: str
    folder: Path

    @property
    def is_off(self) -> bool:
        return (self.folder / "off").exists()


def _outboxes(lake: Lake, graph: Graph) -> Iterator[_Outbox]:
    for watch in graph.watches:
        name = watch_name(graph.read_by(watch).name, watch)
        for delivery in watch.deliveries:
            folder = outbox_folder(lake, graph.name, delivery.to, name)
            if (folder / "note.json").exists():
                yield _Outbox(name, delivery.at_least, folder)


def _waiting(lake: Lake, graph: Graph, letters: Counter[str], outbox: _Outbox) -> Waiting:
    note = Note.read(outbox.folder / "note.json")
    wanted = Wanted(outbox.watch, Silences(lake, graph.name), outbox.at_least)
    _, found = found_after(lake.alert_events(graph.name), note.version, sys.maxsize)
    left = [event.alert.raised_at for _, event in note.left(found) if wanted(event)]
    name = outbox.folder.name
    return Waiting(name, len(left), min(left, default=None), letters[name], outbox.is_off)
