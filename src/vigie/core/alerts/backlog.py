"""What an outbox has in hand of the log of alerts: which is the next, and how far it is done with them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vigie.alerts import Event
from vigie.core.alerts.unsent import Note, Place, found_after
from vigie.graph import SEVERITIES

IN_HAND = 5_000  # a more urgent one is found among so many that wait
SETBACKS = 5  # in a row, about half a minute: from then on the others are tried before it


@dataclass(slots=True)
class Pending:
    """An event that is not sent yet. `refusals` were of this one for good; `since` is how many the receiver had taken
    that count for nothing in judging whose fault they are."""

    place: Place
    event: Event
    refusals: int = 0
    since: int = 0
    setbacks: int = 0
    has_another_chance: bool = True

    @property
    def trouble(self) -> int:
        return self.refusals or (1 if self.setbacks >= SETBACKS else 0)


class Backlog:
    """Those in trouble come last, and so hold up no other; of the rest the worst come first, and then the oldest. An
    alert's end never comes before its opening."""

    def __init__(self, log: Path, note: Note) -> None:
        self._log = log
        self._read = note.version
        self._skip = note.sent
        self._beyond = note.beyond
        self._order: deque[Place] = deque()
        self._done: set[Place] = set()
        self.pending: dict[Place, Pending] = {}

    def read_on(self, wanted: Callable[[Event], bool]) -> None:
        """Take in hand what the log holds further on, up to some thousands."""
        while len(self.pending) < IN_HAND:
            version, found = found_after(self._log, self._read, IN_HAND)
            if version == self._read:
                return
            self._read = version
            for place, event in found:
                was_sent = self._skip > 0 or place in self._beyond
                self._skip -= self._skip > 0
                self._order.append(place)
                if was_sent or not wanted(event):
                    self._done.add(place)
                else:
                    self.pending[place] = Pending(place, event)

    def next(self, most: int) -> list[Pending]:
        """The next few. Whoever was in trouble goes alone, so that it is known who is at fault."""
        trouble: dict[str, int] = {}
        ranked = []
        for each in self.pending.values():
            alert = each.event.alert
            trouble[alert.alert_id] = behind = max(each.trouble, trouble.get(alert.alert_id, 0))
            ranked.append((behind, -SEVERITIES.index(alert.severity), each.place))
        first = heapq.nsmallest(most, ranked)
        at_once = first if first and not first[0][0] else first[:1]
        return [self.pending[place] for behind, _, place in at_once if behind == first[0][0]]

    def done(self, places: Iterable[Place]) -> Note:
        """Be done with these; how far it is then."""
        for place in places:
            self.pending.pop(place, None)
            self._done.add(place)
        while self._order and self._order[0] in self._done:
            self._done.discard(self._order.popleft())
        if not self._order:
            return Note(self._read)
        version, number = self._order[0]
        return Note(version - 1, number, frozenset(self._done))

    def give_another_chance(self) -> None:
        """Something was taken: each that was put off again and again is tried once more before the others."""
        for each in self.pending.values():
            if each.setbacks >= SETBACKS and each.has_another_chance:
                each.setbacks, each.has_another_chance = SETBACKS - 1, False
