"""Simulated users of a shop on the web: visits, page by page, of people and of bots, and now and then a burst."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.activity.events import Bools, Clicks, Floats, Indices, pages_of_bots
from vigie.activity.faults import Faults
from vigie.activity.identities import uuids
from vigie.activity.moments import Stamps, busy
from vigie.activity.spoilers import USER_SPOILERS
from vigie.feed import Simulation, Tick
from vigie.spoiling import Message

MOST_USERS = 100_000
DEVICES = (b"desktop", b"mobile", b"tablet")
SHARES = (0.45, 0.48, 0.07)
BOTS = 0.04  # of all users
READS_FOR_S = 4.0  # a person looks at a page so long on average, unless the interval leaves no time for it
BOT_IS_FASTER = 4
BURST_IS_FASTER = 8
PEOPLE_SEE, MOST_PAGES = 12, 60  # of a visit, on average and at most
BOTS_SEE = 200
BURST_HAS = (120, 240)
BURSTS = 1 / 5_000  # of all visits of people

EVENT = (
    b'{"event_id": "%b", "user_id": "%b", "session_id": "%b", "timestamp": "%b", "action": "%b", "page": "%b", '
    b'"device": "%b", "is_bot": %b, "schema_version": '
)


def simulate(simulation: Simulation) -> Iterator[Tick]:
    """Every event of the users, for ever, in the order of time but for what faults delay.

    A user comes back often enough to cause an event an interval on average when it is quietest, and twice as many
    when it is busiest. Events are of version 2 where the schema has a `referrer`, which is empty when nothing led
    there; else of version 1.
    """
    simulation.check("users", MOST_USERS)
    return _ticks(simulation)


def _ticks(simulation: Simulation) -> Iterator[Tick]:
    users = _Users(simulation)
    number = 0
    while True:
        # A tick in which nobody does anything is left out.
        number = max(number + 1, int((users.next_at - simulation.start) / users.step) + 1)
        at = simulation.start + number * users.step
        yield Tick(at, users.until(at))


class _Users:
    """All users, and where each is in a visit."""

    def __init__(self, simulation: Simulation) -> None:
        # Streams of their own: faults change nothing about the events behind them.
        rngs = [np.random.default_rng([simulation.seed % 2**64, stream]) for stream in range(4)]
        # Another start is another feed, whose events must not be taken for those of this one.
        self._names = np.random.default_rng([simulation.seed % 2**64, 4, round(simulation.start * 1_000) % 2**64])
        self._rng = rngs[1]
        self._faults = Faults(simulation, USER_SPOILERS, rngs[3])
        self._interval, self._label = simulation.interval, simulation.label
        self._has_referrer = simulation.fields is not None and "referrer" in simulation.fields
        self._tail = b'2, "referrer": "%b"}' if self._has_referrer else b"1}"
        count = simulation.keys
        self._ids = [b"user_%05d" % number for number in range(1, count + 1)]
        self._is_bot = rngs[0].random(count) < BOTS
        device = np.where(self._is_bot, 0, rngs[0].choice(len(DEVICES), count, p=SHARES))
        self._device = [DEVICES[at] for at in device.tolist()]
        self._bot = [b"true" if is_bot else b"false" for is_bot in self._is_bot.tolist()]
        self._clicks = Clicks(count, rngs[2], self._is_bot, pages_of_bots(count, rngs[0]))
        self._reads = min(READS_FOR_S, 0.4 * simulation.interval)
        self.step = self._reads / BURST_IS_FASTER
        self._session = [b""] * count
        self._stamps = Stamps()
        self._in_burst = np.zeros(count, bool)
        self._begin(simulation.start, rngs[0])

    def _begin(self, start: float, rng: np.random.Generator) -> None:
        """Each user somewhere within a visit or between two, as if it had gone on for long."""
        count = len(self._ids)
        everyone = np.arange(count)
        sees = np.where(self._is_bot, BOTS_SEE, PEOPLE_SEE)
        gap, pause = self._gap(everyone), self._pause(everyone, start)
        is_there = rng.random(count) < sees * gap / (sees * gap + pause)
        self._left = np.where(is_there, rng.integers(1, sees, endpoint=True), 0)
        self._next_at = start + np.where(is_there, gap * rng.random(count), rng.exponential(pause))
        self._open(np.flatnonzero(is_there))

    @property
    def next_at(self) -> float:
        return float(self._next_at.min())

    def until(self, at: float) -> list[Message]:
        """What is sent at a moment: the events since the last."""
        who = np.flatnonzero(self._next_at < at)
        moments = self._next_at[who]
        order = np.argsort(moments, kind="stable")
        who, moments = who[order], moments[order]
        starts = self._left[who] == 0
        self._enter(who[starts], moments[starts])
        self._left[who] -= 1
        ends = self._left[who] == 0
        messages = self._messages(who, moments, starts, ends)
        self._next_at[who] = moments + self._until_the_next(who, ends, at)
        return self._faults.spoilt(messages, at)

    def _enter(self, who: Indices, at: Floats) -> None:
        """Visits that begin."""
        if not len(who):
            return
        bots = self._is_bot[who]
        bursts = ~bots & (self._rng.random(len(who)) < BURSTS)
        sees = np.minimum(self._rng.geometric(1 / PEOPLE_SEE, len(who)), MOST_PAGES)
        sees = np.where(bots, BOTS_SEE, np.where(bursts, self._rng.integers(*BURST_HAS, len(who)), sees))
        self._left[who] = sees
        self._in_burst[who] = bursts
        self._open(who)
        for place in np.flatnonzero(bursts).tolist():
            lasts = (int(sees[place]) - 1) * self.step
            self._label(
                {
                    "kind": "burst",
                    "key": self._ids[who[place]].decode(),
                    "from": self._stamps.of(float(at[place])).decode(),
                    "to": self._stamps.of(float(at[place]) + lasts).decode(),
                    "events": int(sees[place]),
                }
            )

    def _open(self, who: Indices) -> None:
        for user, name in zip(who.tolist(), uuids(self._names, len(who)), strict=True):
            self._session[user] = name

    def _gap(self, who: Indices) -> Floats:
        """How far apart two events of a visit are, on average."""
        faster = np.where(self._is_bot[who], BOT_IS_FASTER, np.where(self._in_burst[who], BURST_IS_FASTER, 1))
        gap: Floats = self._reads / faster
        return gap

    def _pause(self, who: Indices, at: float) -> Floats:
        """How long users stay away, on average: bots as long by night as by day."""
        for_people = PEOPLE_SEE * (self._interval / busy(at) - self._reads)
        for_bots = BOTS_SEE * (self._interval / 2 - self._reads / BOT_IS_FASTER)
        pause: Floats = np.where(self._is_bot[who], for_bots, for_people)
        return pause

    def _until_the_next(self, who: Indices, ends: Bools, at: float) -> Floats:
        gap = self._gap(who)
        drawn = self._rng.exponential(size=len(who))
        # People hesitate, bots hardly, and a burst not at all; nobody is faster than a step.
        people = self.step + (gap - self.step) * drawn
        bots = gap * (1 + 0.02 * (np.minimum(drawn, 2) - 1))
        waits = np.where(self._is_bot[who], bots, np.where(self._in_burst[who], self.step, people))
        waits[ends] += self._rng.exponential(self._pause(who[ends], at))
        return waits

    def _messages(self, who: Indices, moments: Floats, starts: Bools, ends: Bools) -> list[Message]:
        clicks = self._clicks.of(who, starts, ends)
        rows = zip(who.tolist(), moments.tolist(), uuids(self._names, len(who)), *clicks, strict=True)
        ids, sessions, devices, bots, stamp = self._ids, self._session, self._device, self._bot, self._stamps.of
        messages: list[Message] = []
        for user, at, name, action, page, came_from in rows:
            head = EVENT % (name, ids[user], sessions[user], stamp(at), action, page, devices[user], bots[user])
            messages.append((ids[user], head + (self._tail % came_from if self._has_referrer else self._tail)))
        return messages
