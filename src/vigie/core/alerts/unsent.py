"""What a sink has yet to be told of a watch: the log of alerts, from where its note says on. No Spark, and no run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vigie.alerts import EVENTS, Event
from vigie.commands import Silences
from vigie.contracts import AlertSink
from vigie.core.delta import changes
from vigie.errors import LakeDamaged
from vigie.graph import SEVERITIES, Watch
from vigie.lake import PUT_BACK, Lake

Place = tuple[int, int]  # the version of the log that brought an event, and its number among those of that version


@dataclass(frozen=True, slots=True)
class Note:
    """How far an outbox is: it is done with all up to a version, with the first `sent` events after it, and with
    those `beyond` that were more urgent than what lies before them."""

    version: int
    sent: int = 0
    beyond: frozenset[Place] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Note:
        try:
            said = json.loads(path.read_text())
            beyond = frozenset((int(version), int(number)) for version, number in said.get("beyond", ()))
            return cls(int(said["version"]), int(said["sent"]), beyond)
        except (ValueError, LookupError, TypeError, AttributeError) as problem:
            raise LakeDamaged(
                "the note of what a sink was told is not what was written there", where=str(path), do=PUT_BACK
            ) from problem

    def __str__(self) -> str:
        said: dict[str, object] = {"version": self.version, "sent": self.sent}
        return json.dumps({**said, "beyond": sorted(self.beyond)} if self.beyond else said)

    def left(self, found: Iterable[tuple[Place, Event]]) -> Iterator[tuple[Place, Event]]:
        """Of what was found after its version, what it is not done with."""
        return (each for number, each in enumerate(found) if number >= self.sent and each[0] not in self.beyond)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a sink of a watch is told of: the watch's own, from a severity on, but for what is suppressed or
    silenced."""

    watch: str
    silences: Silences
    at_least: str = SEVERITIES[0]

    def __call__(self, event: Event) -> bool:
        if event.watch != self.watch or event.alert.suppressed_by is not None:
            return False
        is_severe = SEVERITIES.index(event.alert.severity) >= SEVERITIES.index(self.at_least)
        return is_severe and not self.silences.cover(event)


def found_after(log: Path, version: int, most_rows: int) -> tuple[int, list[tuple[Place, Event]]]:
    """About so many events that were found after a version, in the order of the log, and the version of the last."""
    gain = changes.gained(log, version, most_rows)
    if gain is None:
        return version, []
    parts = changes.by_version(log, gain, EVENTS.names, EVENTS)
    events = [
        ((brought, number), Event.of(row)) for brought, rows in parts for number, row in enumerate(rows.to_pylist())
    ]
    return gain.version, events


def outbox_folder(lake: Lake, pipeline: str, sink: AlertSink, watch: str) -> Path:
    """Where the outbox of a sink of a watch keeps its note."""
    return lake.checkpoint(pipeline, f"outbox-{sink.name}-of-{watch}".replace("/", "-"))


def watch_name(table: str, watch: Watch) -> str:
    """What a watch over a table is called in the log of alerts."""
    return f"watch-{table}-by-{watch.key}"
