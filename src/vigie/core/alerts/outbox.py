"""What a sink has yet to be told of a watch: the log of alerts, from where its note says on.

The note is written once the receiver has taken something. A process that dies between the two sends it again, under
the same id: at least once, and never under two ids.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vigie.alerts import Event
from vigie.contracts import Receiver
from vigie.core.alerts.backlog import Backlog, Pending
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.unsent import Note, found_after
from vigie.core.delta import changes, tables
from vigie.disk import write_whole
from vigie.lake import is_table
from vigie.sinks import NotNow, Refused, Undeliverable

TRIES = 3  # before a notification is the one at fault


@dataclass(frozen=True, slots=True)
class Portion:
    """How many events a receiver is given: as many as `at_once`, where more than `digest_over` wait, or else one."""

    at_once: int = 1
    digest_over: int = 0

    def of(self, waiting: int) -> int:
        return self.at_once if waiting > self.digest_over else 1


@dataclass(frozen=True, slots=True)
class Destination:
    """Where events go: to a receiver, so many at a time, and what it refuses for good to the dead letters."""

    receiver: Receiver
    letters: DeadLetters
    portion: Portion = Portion()


class Outbox:
    """The events that are `wanted` on their way to one sink, the worst first, and each alert's opening before its end.

    One that is refused for good lets the others pass. Once the receiver has taken another, so that it is not the
    receiver that is at fault, it goes to the dead letters.
    """

    def __init__(
        self,
        log: Path,
        note: Path,
        to: Destination,
        wanted: Callable[[Event], bool],
        committed: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.name = note.parent.name
        self._log = log
        self._path = note
        self._receiver = to.receiver
        self._portion = to.portion
        self._committed = committed
        self._wanted = wanted
        self._letters = to.letters
        self._most = self._portion.at_once  # fewer after one of several was refused
        self._taken = 0
        self._took_the_last = False
        self._buried: set[str] = set()  # alerts whose end will not be taken either
        self._put_down = False
        if note.exists():
            self._note = Note.read(note)
            if is_table(log):
                changes.check(log, self._note.version)
        else:  # who is told from now on is not told what was found long ago
            self._note = Note(tables.version(log) if is_table(log) else -1)
            write_whole(self._path, str(self._note))
        self._backlog = Backlog(log, self._note)

    def send(self) -> bool:
        """Send the next few; whether there were any. What the receiver raises, this raises, unless the events are
        dead letters by then or are to be given in smaller portions; until they are done with, they wait."""
        self._backlog.read_on(self._wanted)
        some = self._backlog.next(min(self._most, self._portion.of(len(self._backlog.pending))))
        if not some:
            if not self._put_down and self._backlog.done([]) != self._note:  # what was read is none of this sink's
                self._done([])
            return False
        told = [each for each in some if self._wanted(each.event)]
        try:
            if told:
                self._receiver.send([each.event for each in told])
        except NotNow:
            for each in told:
                each.setbacks += 1
            raise
        except Refused as problem:
            if not self._is_settled(told, problem):
                raise
            return True
        self._committed(f"{self.name} sent")
        if self._put_down:
            return False
        if told:
            self._taken += 1
            self._took_the_last = True
            self._most = min(2 * self._most, self._portion.at_once)
            self._backlog.give_another_chance()
        self._done(some)
        return True

    def fewest_refusals(self) -> int:
        """How often the one that was refused least often was."""
        self._backlog.read_on(self._wanted)
        return min((each.refusals for each in self._backlog.pending.values()), default=0)

    def waiting(self) -> int:
        """How many are still to be sent."""
        note = self._note
        _, found = found_after(self._log, note.version, sys.maxsize)
        return sum(self._wanted(event) for _, event in note.left(found))

    def put_down(self) -> None:
        """Write no more notes: another may have taken up the outbox by then."""
        self._put_down = True

    def close(self) -> None:
        self._receiver.close()

    def _is_settled(self, told: Sequence[Pending], problem: Refused) -> bool:
        """Whether the outbox can go on at once after a refusal."""
        if len(told) > 1:
            self._most = max(1, len(told) // 2)
            return isinstance(problem, Undeliverable)
        [each] = told
        alert_id = each.event.alert.alert_id
        if not each.refusals and isinstance(problem, Undeliverable):
            each.since = self._taken - (self._took_the_last or alert_id in self._buried)
        elif not each.refusals:
            each.since = self._taken
        each.refusals += 1
        self._took_the_last = False
        if each.refusals < TRIES or self._taken <= each.since or self._put_down:
            return False
        self._letters.add(each.event, problem.what, each.refusals)
        self._buried.add(alert_id)
        self._committed(f"{self.name} dead letter")
        self._done([each])
        return True

    def _done(self, some: Sequence[Pending]) -> None:
        self._note = self._backlog.done(each.place for each in some)
        write_whole(self._path, str(self._note))
        self._committed(f"{self.name} note")
