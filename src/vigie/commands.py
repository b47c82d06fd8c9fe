"""What a person says to a pipeline that runs, or will: acknowledge an alert, silence a rule or a key.

Commands are rows of a Delta table. Whoever types appends one, whether a process runs or not; the process reads them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
from deltalake import write_deltalake

from vigie.alerts import INSTANT, Event
from vigie.disk import written
from vigie.lake import Lake, is_table, opened, rows
from vigie.oneline import on_one_line

ACK: Final = "ack"
SILENCE: Final = "silence"
UNSILENCE: Final = "unsilence"
COMMANDS = pa.schema(
    [
        ("at", INSTANT),
        ("verb", pa.string()),
        ("alert_id", pa.string()),
        ("rule", pa.string()),
        ("key", pa.string()),
        ("until", INSTANT),
        ("note", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that was said, at an instant of the wall's clock. `until` is when a silence ends by itself; where
    `rule` or `key` is none, every one is meant."""

    at: datetime
    verb: Literal["ack", "silence", "unsilence"]
    alert_id: str | None = None
    rule: str | None = None
    key: str | None = None
    until: datetime | None = None
    note: str | None = None

    def __str__(self) -> str:
        about = f"alert {self.alert_id}" if self.verb == ACK else self.scope
        until = f" until {self.until:%Y-%m-%d %H:%M:%S} UTC" if self.until else ""
        words = {ACK: "Acknowledged", SILENCE: "Silenced", UNSILENCE: "No longer silenced"}
        return f"{words[self.verb]}: {about}{until} (said {self.at:%Y-%m-%d %H:%M:%S} UTC)"

    @property
    def scope(self) -> str:
        """Which rule and key are meant, in words."""
        if self.rule is None:
            return f"key {on_one_line(str(self.key))}"
        return f"rule {self.rule}" + (f" at {on_one_line(self.key)}" if self.key is not None else "")

    def covers(self, rule: str, key: str) -> bool:
        return self.rule in {None, rule} and self.key in {None, key}


def give(lake: Lake, pipeline: str, command: Command) -> None:
    """Append a command; it stands when this returns."""
    path = lake.commands(pipeline)
    with written(path), _alone(path):
        write_deltalake(str(path), pa.Table.from_pylist([asdict(command)], COMMANDS), mode="append", name=pipeline)


def given(lake: Lake, pipeline: str) -> tuple[Command, ...]:
    """All commands so far, in the order in which they were given."""
    path = lake.commands(pipeline)
    if not is_table(path):
        return ()
    return tuple(sorted((Command(**row) for row in rows(path)), key=lambda command: command.at))


class Silences:
    """The silences of a pipeline, read again when more was said."""

    def __init__(self, lake: Lake, pipeline: str) -> None:
        self._lake = lake
        self._pipeline = pipeline
        self._version = -1
        self._commands: tuple[Command, ...] = ()

    def cover(self, event: Event) -> bool:
        """Whether nobody is to be told of this alert: one that was found while its rule or key was silenced. Nobody
        is told of its end then, either."""
        path = self._lake.commands(self._pipeline)
        if is_table(path) and (version := opened(path).version()) != self._version:
            self._commands, self._version = given(self._lake, self._pipeline), version
        alert = event.alert
        return silenced_until(self._commands, alert.rule, alert.key, alert.raised_at) is not None


def silenced_until(commands: Iterable[Command], rule: str, key: str, at: datetime) -> datetime | None:
    """Until when a rule is silent for a key, as things stand at an instant; none when it is not."""
    ends = (silence.until for silence in in_force(commands, at) if silence.covers(rule, key))
    return max((end for end in ends if end is not None), default=None)


def in_force(commands: Iterable[Command], at: datetime) -> list[Command]:
    """The silences of an instant: begun, not over, and not ended by a later command."""
    held: list[Command] = []
    for command in commands:
        if command.at > at:
            continue
        if command.verb == SILENCE:
            held.append(command)
        elif command.verb == UNSILENCE:
            held = [silence for silence in held if not ended(silence, command)]
    return [silence for silence in held if silence.until is not None and silence.until > at]


def ended(silence: Command, command: Command) -> bool:
    """Whether a command ends a silence: one of the very rule and key, or a narrower one."""
    return command.rule in {None, silence.rule} and command.key in {None, silence.key}


def acknowledged(commands: Iterable[Command]) -> Iterator[tuple[str, Command]]:
    """Each alert that was acknowledged, with the first command that did so."""
    seen: set[str] = set()
    for command in commands:
        if command.verb == ACK and command.alert_id is not None and command.alert_id not in seen:
            seen.add(command.alert_id)
            yield command.alert_id, command


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two who make the table at once would undo each other's first commit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
