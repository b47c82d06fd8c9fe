"""Simulated recent changes of wikis, as vigie.activity.wikimedia sends those of Wikimedia: edits, and with them bots
in bursts and edit wars.

https://schema.wikimedia.org/repositories/primary/jsonschema/mediawiki/recentchange/
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vigie.activity.faults import Faults
from vigie.activity.identities import uuids
from vigie.activity.moments import Stamps, busy
from vigie.activity.spoilers import CHANGE_SPOILERS
from vigie.activity.wikis import BOT_SHARE, Page, bots, pages, people
from vigie.feed import Simulation, Tick
from vigie.spoiling import Message

MOST_PAGES = 100_000
TICKS_AN_INTERVAL = 20
SHORTEST_TICK_S, LONGEST_TICK_S = 0.001, 1.0
TYPES = ("edit", "categorize", "log", "new")
TYPES_UPTO = np.cumsum((0.74, 0.14, 0.07, 0.05))
WAR_EVERY_S, BURST_EVERY_S = 240.0, 300.0
REVERTS, PAUSE_S = (6, 14), (15.0, 60.0)
EDITS, BOT_PAUSE_S = (150, 300), (0.1, 0.5)

PEOPLE_FOR_EACH, BOTS_FOR_EACH = 5, 1  # change a second

HEAD = (
    b'{"$schema":"/mediawiki/recentchange/1.0.0","meta":{"uri":"%b","request_id":"%b","id":"%b","dt":"%b",'
    b'"domain":"%b","stream":"mediawiki.recentchange","topic":"eqiad.mediawiki.recentchange","partition":0,'
    b'"offset":%d},"id":%d,"type":"%b","namespace":%d,"title":"%b","title_url":"%b","comment":"%b","timestamp":%d,'
    b'"user":"%b","bot":%b,'
)
EDIT = (
    b'"notify_url":"https://%b/w/index.php?diff=%d&oldid=%d","minor":%b,"patrolled":%b,'
    b'"length":{"old":%b,"new":%d},"revision":{"old":%b,"new":%d},'
)
LOG = b'"log_id":%d,"log_type":"%b","log_action":"%b","log_params":"%b","log_action_comment":"%b",'
TAIL = b'"server_url":"https://%b","server_name":"%b","server_script_path":"/w","wiki":"%b","parsedcomment":"%b"}'
LOGS = (
    (b"patrol", b"autopatrol", rb"{\"curid\":1301,\"previd\":1300,\"auto\":1}"),
    (b"thanks", b"thank", b"[]"),
    (b"delete", b"delete", b"4::[[Talk]]"),
    (b"upload", b"overwrite", rb"{\"img_sha1\":\"2fd4e1c67a2d28fced849ee1bb76e7391b93eb12\"}"),
)


class Change(NamedTuple):
    """An edit that is to come: of a page, by somebody, by so many bytes."""

    page: int
    user: bytes
    by: int
    is_bot: bool
    comment: bytes
    is_of_a_war: bool = False


def simulate(simulation: Simulation) -> Iterator[Tick]:
    """Every change of the pages, for ever, in the order of time but for what faults delay.

    The keys are pages. One is changed once an interval on average when it is quietest, and twice as often when it is
    busiest; what a burst or a war adds comes on top.
    """
    simulation.check("pages", MOST_PAGES)
    return _ticks(simulation)


def _ticks(simulation: Simulation) -> Iterator[Tick]:
    wikis = _Wikis(simulation)
    # Few pages do not need many ticks.
    step = min(max(simulation.interval / TICKS_AN_INTERVAL, SHORTEST_TICK_S), LONGEST_TICK_S)
    step = max(step, simulation.interval / simulation.keys)
    number, owed = 0, 0.0
    while True:
        number += 1
        at = simulation.start + number * step
        owed += busy(at) * simulation.keys * step / simulation.interval
        due = math.floor(owed)
        owed -= due
        yield Tick(at, wikis.change(due, at - step, at))


class _Wikis:
    """All pages, how long each is, and what is going on."""

    def __init__(self, simulation: Simulation) -> None:
        # Streams of their own: faults change nothing about the changes behind them.
        rngs = [np.random.default_rng([simulation.seed % 2**64, stream]) for stream in range(20, 23)]
        # Another start is another feed, whose events must not be taken for those of this one.
        self._names = np.random.default_rng([simulation.seed % 2**64, 23, round(simulation.start * 1_000) % 2**64])
        self._rng = rngs[1]
        self._faults = Faults(simulation, CHANGE_SPOILERS, rngs[2])
        self._label, self._stamps = simulation.label, Stamps()
        self._pages = pages(simulation.keys, rngs[0])
        # So many that none of them alone is busy.
        rate = simulation.keys / simulation.interval
        self._people, self._bots = people(int(PEOPLE_FOR_EACH * rate)), bots(int(BOTS_FOR_EACH * rate))
        self._length = rngs[0].integers(200, 60_000, simulation.keys).tolist()
        self._revision = rngs[0].integers(1_200_000_000, 1_300_000_000, simulation.keys).tolist()
        # Some pages are changed far more often than others.
        weight = 1 / np.arange(10, 10 + simulation.keys) ** 0.7
        self._upto = np.cumsum(weight) / weight.sum()
        self._last_by = [0] * simulation.keys
        self._at_war: dict[int, float] = {}  # pages that others leave alone, and until when
        self._number = 0
        self._coming: list[tuple[float, int, Change]] = []
        self._planned = 0
        self._next_war = simulation.start + float(self._rng.exponential(WAR_EVERY_S))
        self._next_burst = simulation.start + float(self._rng.exponential(BURST_EVERY_S))

    def change(self, count: int, since: float, until: float) -> list[Message]:
        """What is sent at a moment: so many changes of any pages since the last, and those that were planned."""
        while self._next_war < until:
            self._plan_a_war(self._next_war)
            self._next_war += float(self._rng.exponential(WAR_EVERY_S))
        while self._next_burst < until:
            self._plan_a_burst(self._next_burst)
            self._next_burst += float(self._rng.exponential(BURST_EVERY_S))
        made = self._usual(count, since, until)
        while self._coming and self._coming[0][0] < until:
            at, _, change = heapq.heappop(self._coming)
            made.append((at, "edit", change))
        made.sort(key=lambda one: one[0])
        names = iter(uuids(self._names, 2 * len(made)))
        messages = [self._message(at, kind, change, next(names), next(names)) for at, kind, change in made]
        return self._faults.spoilt(messages, until)

    def _usual(self, count: int, since: float, until: float) -> list[tuple[float, str, Change]]:
        draw = self._rng.random((4, count))
        moments = (since + (until - since) * draw[0]).tolist()
        kinds = np.minimum(np.searchsorted(TYPES_UPTO, draw[1], "right"), len(TYPES) - 1).tolist()
        where = np.minimum(np.searchsorted(self._upto, draw[2], "right"), len(self._pages) - 1).tolist()
        by = np.rint(self._rng.laplace(15, 120, count)).astype(np.int64).tolist()
        made = []
        for at, kind, page, who, size in zip(moments, kinds, where, draw[3].tolist(), by, strict=True):
            is_bot = who < BOT_SHARE
            share = who / BOT_SHARE if is_bot else (who - BOT_SHARE) / (1 - BOT_SHARE)
            names = self._bots if is_bot else self._people
            change = Change(page, names[int(share * len(names))], size, is_bot, b"" if size % 3 else b"copy edit")
            made.append((at, TYPES[kind], change))
        return made

    def _plan_a_war(self, at: float) -> None:
        """Two users undo one another on a page."""
        page = int(self._rng.integers(len(self._pages)))
        first, second = self._rng.choice(len(self._people), 2, replace=False).tolist()
        by = int(self._rng.integers(200, 3_000))
        pauses = self._rng.uniform(*PAUSE_S, int(self._rng.integers(*REVERTS)))
        moments = (at + np.cumsum(pauses)).tolist()
        for number, moment in enumerate(moments):
            user, other = (second, first) if number % 2 else (first, second)
            comment = b"Undid revision by " + self._people[other] if number else b"updated"
            self._plan(moment, Change(page, self._people[user], -by if number % 2 else by, False, comment, True))
        self._at_war = {each: until for each, until in self._at_war.items() if until > at} | {page: moments[-1]}
        there = self._pages[page]
        self._tell("edit_war", there.wiki.name + b":" + there.title, moments)

    def _plan_a_burst(self, at: float) -> None:
        """A bot changes one page after the other, several in a second."""
        bot = self._bots[int(self._rng.integers(len(self._bots)))]
        count = int(self._rng.integers(*EDITS))
        moments = (at + np.cumsum(self._rng.uniform(*BOT_PAUSE_S, count))).tolist()
        where = self._rng.integers(len(self._pages), size=count).tolist()
        for moment, page in zip(moments, where, strict=True):
            self._plan(moment, Change(page, bot, 24, True, b"Bot: link mended"))
        self._tell("bot_burst", bot, moments)

    def _plan(self, at: float, change: Change) -> None:
        self._planned += 1
        heapq.heappush(self._coming, (at, self._planned, change))

    def _tell(self, kind: str, key: bytes, moments: list[float]) -> None:
        begins, ends = (self._stamps.of(at).decode() for at in (moments[0], moments[-1]))
        self._label({"kind": kind, "key": key.decode(), "from": begins, "to": ends, "edits": len(moments)})

    def _message(self, at: float, kind: str, change: Change, name: bytes, request: bytes) -> Message:
        self._number += 1
        change = change if change.is_of_a_war else self._out_of_the_war(change, at)
        number, page = self._number, self._pages[change.page]
        wiki, domain = page.wiki.name, page.wiki.domain
        title, uri, namespace = page.title, page.uri, 6 if page.title.startswith(b"File:") else 0
        if kind == "categorize":
            title, uri, namespace = b"Category:Living people", b"https://%b/wiki/Category:Living_people" % domain, 14
        head = HEAD % (
            uri, request, name, self._stamps.of(at), domain, 5_000_000_000 + number, 1_900_000_000 + number,
            kind.encode(), namespace, title, uri, change.comment, round(at * 1_000) // 1_000, change.user,
            b"true" if change.is_bot else b"false",
        )  # fmt: skip
        body = self._edit(kind, change, page) if kind in ("edit", "new") else b""
        if kind == "log":
            log_type, action, params = LOGS[number % len(LOGS)]
            body = LOG % (160_000_000 + number, log_type, action, params, change.comment)
        return title, head + body + TAIL % (domain, domain, wiki, change.comment)

    def _out_of_the_war(self, change: Change, at: float) -> Change:
        """The change, of the next page at which nobody fights."""
        page = change.page
        while self._at_war.get(page, at) > at and len(self._at_war) < len(self._pages):
            page = (page + 1) % len(self._pages)
        return change._replace(page=page)

    def _edit(self, kind: str, change: Change, page: Page) -> bytes:
        """What an edit says of the page before and after; a new page was nothing before."""
        is_new = kind == "new"
        old = 0 if is_new else self._length[change.page]
        new = max(1, 500 + abs(change.by) if is_new else old + change.by)
        before, after = self._revision[change.page], 1_300_000_000 + self._number
        if new - old == -self._last_by[change.page] and not change.is_of_a_war:
            new += 1  # by chance nobody undoes another
        self._last_by[change.page] = new - old
        self._length[change.page], self._revision[change.page] = new, after
        return EDIT % (
            page.wiki.domain, after, before, b"true" if abs(change.by) < 20 else b"false",
            b"true" if change.is_bot else b"false", b"null" if is_new else b"%d" % old, new,
            b"null" if is_new else b"%d" % before, after,
        )  # fmt: skip
