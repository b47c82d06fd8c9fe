"""What a sink has yet to be told of a watch: the log of alerts, from where its note says on.

The note is written once the receiver has taken something. A process that dies between the two sends it again, under
the same id: at least once, and never under two ids.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from vigie.alerts import EVENTS, Event
from vigie.engine import following, tables
from vigie.engine.checkpoints import write_whole
from vigie.graph import Receiver
from vigie.lake import is_table


class Outbox:
    """The events that are `wanted` on their way to one sink, in the order in which they were found."""

    def __init__(
        self,
        log: Path,
        note: Path,
        receiver: Receiver,
        wanted: Callable[[Event], bool],
        at_once: int = 1,
        committed: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.name = note.parent.name
        self._log = log
        self._note = note
        self._receiver = receiver
        self._at_once = at_once
        self._committed = committed
        self._wanted = wanted
        self._reading = -1  # the version that the events in hand are of
        self._in_hand: list[Event] = []
        self._put_down = False
        if note.exists():
            said = json.loads(note.read_text())
            self._version, self._sent = int(said["version"]), int(said["sent"])
            if is_table(log):
                following.check(log, self._version)
        else:  # who is told from now on is not told what was found long ago
            self._version, self._sent = tables.version(log) if is_table(log) else -1, 0
            self._write_note()

    def send(self) -> bool:
        """Send the next few; whether there were any. What the receiver raises, this raises, and they stay the next."""
        if not self._in_hand and not self._take():
            return False
        some = self._in_hand[: self._at_once]
        if told := [event for event in some if self._wanted(event)]:
            self._receiver.send(told)
        self._committed(f"{self.name} sent")
        if self._put_down:
            return False
        self._in_hand = self._in_hand[len(some) :]
        self._sent += len(some)
        if not self._in_hand:
            self._version, self._sent = self._reading, 0
        self._write_note()
        self._committed(f"{self.name} note")
        return True

    def waiting(self) -> int:
        """How many are still to be sent."""
        gain = following.gained(self._log, self._version, sys.maxsize)
        return 0 if gain is None else sum(map(self._wanted, self._found(gain)[self._sent :]))

    def put_down(self) -> None:
        """Write no more notes: another may have taken up the outbox by then."""
        self._put_down = True

    def close(self) -> None:
        self._receiver.close()

    def _take(self) -> bool:
        """Take in hand what the next commit that holds something for this sink holds."""
        while (gain := following.gained(self._log, self._version, most_rows=1)) is not None:
            self._in_hand = self._found(gain)[self._sent :]
            self._reading = gain.version
            if self._in_hand:
                return True
            self._version, self._sent = gain.version, 0
        return False

    def _found(self, gain: following.Gain) -> list[Event]:
        return [Event.of(row) for row in following.rows_of(self._log, gain, EVENTS.names, EVENTS).to_pylist()]

    def _write_note(self) -> None:
        write_whole(self._note, json.dumps({"version": self._version, "sent": self._sent}))
