"""Bringing messages from a simulator or a live source to an inbox, to Kafka or to a socket."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from vigie.address import Address, Inbox, Kafka
from vigie.errors import BadSetting, RunFailed
from vigie.outlets import BLINK, Message, Outlet
from vigie.outlets.inbox import InboxOutlet
from vigie.outlets.kafka import KafkaOutlet
from vigie.outlets.tcp import TcpOutlet

log = logging.getLogger(__name__)

SLICE = 1_000  # messages that are sent before the feed looks up again
REPORT_SECONDS = 0.5
RATE_SECONDS = 5.0  # an inbox delivers in steps: over less, its rate would jump
FINISH_SECONDS = 30.0  # what a feed that was told to stop gives a slow destination


Label = Callable[[dict[str, Any]], object]


def unlabelled(_: dict[str, Any]) -> None:
    """Nobody wants to know what was broken on purpose."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulator is asked for: the same values give the same bytes."""

    start: float  # epoch seconds, UTC
    keys: int = 2_000  # aircraft, sensors, users or pages
    interval: float = 10.0  # seconds between two messages of one key
    seed: int = 0
    faults: float = 0.0  # share of messages that are broken on purpose
    fields: frozenset[str] | None = None  # of the schema that messages are to have, where one says so
    label: Label = field(default=unlabelled, compare=False)  # is told of each fault as it begins

    def check(self, whom: str, most: int) -> None:
        """BadSetting for what no simulator can do that writes milliseconds; `whom` is what the keys are, in words."""
        if not 1 <= self.keys <= most:
            raise BadSetting(f"{self.keys:,} {whom} are not to be had", where="--keys", do=f"Ask for 1 to {most:,}.")
        if self.interval < 0.001:
            raise BadSetting(
                f"an interval of {self.interval} seconds is too short: instants are written in milliseconds",
                where="--interval",
                do="Give one of at least 1ms, as 10s.",
            )
        if not 0 <= self.faults <= 1:
            raise BadSetting(
                f"a share of {self.faults} faults is none", where="--faults", do="Give a share of 0 to 1, as 0.02."
            )


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What a live feed is asked for; None where nothing was said. A feed refuses what it cannot do, as BadSetting."""

    interval: float | None = None  # seconds between two questions to a source that is asked
    credits: int | None = None  # that it may spend, where questions cost
    seconds: float | None = None  # until it ends by itself


NOTHING_SAID = LiveOptions()


class Tick(NamedTuple):
    """Messages that are due at one moment.

    Ticks come in the order of their time. A live source that has nothing to say yields an empty tick at least
    every half second, because the feed can only stop, report and tidy up between two ticks.
    """

    at: float  # epoch seconds, UTC
    messages: list[tuple[bytes | None, bytes]]  # key and value


Simulate = Callable[[Simulation], Iterator[Tick]]


class Clock(Protocol):
    """Time as a feed sees it: the wall clock, or one that a test turns."""

    def now(self) -> float:
        """Epoch seconds."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return when the seconds are over or `stop` is set."""


class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        stop.wait(seconds)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast messages go out.

    In real time a tick goes when the clock reaches it and ticks of the past go at once, so that a feed that
    starts ten minutes ago catches up and then is live. Otherwise each goes as soon as the destination takes it.
    """

    real_time: bool = True
    rate: float | None = None  # messages a second at most
    clock: Clock = field(default_factory=WallClock)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a feed is; reported twice a second at most, and at the end."""

    sent: int  # messages that the destination has
    rate: float  # messages a second, over the last five seconds
    lag: float  # seconds from the time of the tick that is being sent to now
    outlet: str


def feed(
    ticks: Iterable[Tick],
    to: Address,
    *,
    pace: Pace,
    stop: threading.Event,
    progress: Callable[[Progress], None],
    rows: int | None = None,
) -> int:
    """Send ticks until they or `rows` are used up or `stop` is set; how many messages the destination has.

    However it ends, also by an exception out of `ticks`, what was taken is delivered before this returns. A
    destination that is slow or away for a while makes the feed stand still, and nothing is lost but what
    `TcpOutlet` says; one that is not there is a BadAddress before the first tick is asked for.
    """
    with closing(_open(to, pace.clock)) as outlet:
        running = _Feed(outlet, pace, stop, _Gauge(outlet, str(to), pace.clock, progress))
        try:
            running.send_all(ticks, rows)
        finally:
            running.finish()
        return outlet.delivered


def _open(to: Address, clock: Clock) -> Outlet:
    if isinstance(to, Inbox):
        return InboxOutlet(to, clock.now)
    if isinstance(to, Kafka):
        return KafkaOutlet(to)
    return TcpOutlet(to)


class _Gauge:
    """Turns what an outlet has delivered into reports."""

    def __init__(self, outlet: Outlet, name: str, clock: Clock, progress: Callable[[Progress], None]) -> None:
        self.at: float | None = None  # of the tick that is being sent
        self.name = name
        self._outlet, self._clock, self._progress = outlet, clock, progress
        self._seen = deque([(clock.now(), 0)])

    def look(self) -> None:
        """Report, if the last report is long enough ago."""
        # A clock that was set back reports too.
        if not 0 <= self._clock.now() - self._seen[-1][0] < REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        now, sent = self._clock.now(), self._outlet.delivered
        self._seen.append((now, sent))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RATE_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (sent - before) / (now - since) if now > since else 0.0
        lag = max(0.0, now - self.at) if self.at is not None else 0.0
        self._progress(Progress(sent, rate, lag, self.name))


class _Feed:
    """One feed at work."""

    def __init__(self, outlet: Outlet, pace: Pace, stop: threading.Event, gauge: _Gauge) -> None:
        self._outlet, self._pace, self._stop, self._gauge = outlet, pace, stop, gauge
        self._due = float("-inf")  # when the rate allows the next message
        self._slice = SLICE if pace.rate is None else max(1, min(SLICE, int(pace.rate * BLINK)))

    def send_all(self, ticks: Iterable[Tick], rows: int | None) -> None:
        left = rows
        if left == 0:
            return
        for at, due in ticks:
            if self._pace.real_time:
                self._wait_until(at)
            self._gauge.at = at
            messages = due if left is None else due[:left]
            self._send(messages)
            if left is not None:
                left -= len(messages)
            if self._pace.real_time:
                self._outlet.tend()
            self._gauge.look()
            if self._stop.is_set() or left == 0:
                return

    def _send(self, messages: Sequence[Message]) -> None:
        start = 0
        while start < len(messages):
            self._wait_until(self._due)
            if self._stop.is_set():
                return
            taken = self._outlet.send(messages[start : start + self._slice])
            start += taken
            if self._pace.rate is not None:
                # What a late wake-up missed is made up for, but no more than a blink of it.
                self._due = max(self._due, self._pace.clock.now() - BLINK) + taken / self._pace.rate
            self._gauge.look()

    def _wait_until(self, moment: float) -> None:
        clock = self._pace.clock
        while (left := moment - clock.now()) > 0 and not self._stop.is_set():
            self._outlet.tend()
            self._gauge.look()
            clock.wait(min(left, BLINK), self._stop)

    def finish(self) -> None:
        """Deliver what was taken; after `stop`, not for ever."""
        stopped_at: float | None = None
        while waiting := self._outlet.finish():
            self._gauge.look()
            if not self._stop.is_set():
                continue
            if stopped_at is None:
                stopped_at = time.monotonic()
                log.warning(
                    "Stopping: %s messages were taken and are not delivered yet. %s has %.0f s to take them; another "
                    "Ctrl-C gives them up now.", f"{waiting:,}", self._gauge.name, FINISH_SECONDS,
                )  # fmt: skip
            if time.monotonic() - stopped_at > FINISH_SECONDS:
                self._gauge.report()
                raise RunFailed(
                    f"{waiting:,} messages were taken but not delivered: the destination does not take them; "
                    f"{self._outlet.delivered:,} messages were delivered",
                    where=self._gauge.name,
                    do="See that what receives them is running, then feed the rest.",
                )
        self._gauge.report()
