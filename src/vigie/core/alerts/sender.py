"""Who carries what an outbox holds to its receiver: a thread for each, so that no receiver slows anything else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from vigie.backoff import REFUSED_S, Backoff, Clock
from vigie.commands import Silences
from vigie.contracts import AlertSink, DigestSink, MessageSink, RemoteSink, Surroundings
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.outbox import TRIES, Destination, Outbox, Portion
from vigie.core.alerts.unsent import Wanted, outbox_folder
from vigie.core.delivery_log import NotedReceiver
from vigie.core.run_context import RunContext
from vigie.errors import BadSetting, RunFailed
from vigie.extras import install_extra, is_installed
from vigie.graph import Watch
from vigie.sinks import NotNow, Refused, Undeliverable

LOOK_EVERY_S = 0.2
PAUSES_S = 0.0, 1.0, 2.0  # before a notification is sent that was refused so many times
ASKED = 3  # different notifications that a receiver refuses before it is left alone for a while
LEAVES_WITHIN_S = 3.0
LAST_TRIES_S = 30.0

log = logging.getLogger(__name__)


class Courier:
    """Sends what is in an outbox, and tries again for as long as it takes.

    `failed` is told of what no courier can mend. `resting` is set while there is nothing to send, or nothing that
    the receiver takes before somebody mends something.
    """

    def __init__(
        self,
        outbox: Outbox,
        failed: Callable[[BaseException], None],
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.outbox = outbox
        self.resting = threading.Event()
        self.stop = threading.Event()
        self.problem: BaseException | None = None
        self._failed = failed
        self._clock = clock or Clock()
        self._backoff = backoff or Backoff()
        self._refusals = 0  # since it took something
        self._waits_until = 0.0
        # A daemon, so that a receiver that does not answer does not hold up the end of the program.
        self._thread = threading.Thread(target=self._go, name=outbox.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self, within: float) -> None:
        """Wait for what is being sent, but no longer: its note is then not written, and it is sent again."""
        self._thread.join(within)
        self.outbox.put_down()

    def _go(self) -> None:
        try:
            while not self.stop.is_set():
                self._clock.wait(self.stop, self._turn())
        except BaseException as problem:
            self.problem = problem
            self._failed(problem)
        finally:
            self.resting.set()
            self.outbox.close()

    def _turn(self) -> float:
        """Send the next few; how long to wait before the next turn."""
        if self._clock.time() < self._waits_until and self.outbox.fewest_refusals():
            return PAUSES_S[1]  # what comes meanwhile is tried at once
        try:
            sent = self.outbox.send()
        except NotNow as problem:
            pause = self._backoff.after(problem.wait)
            log.warning("%s: %s; it is tried again in %.1f s", self.outbox.name, problem, pause)
            return pause
        except Undeliverable as problem:
            return self._undelivered(problem)
        except Refused as problem:
            return self._refused(problem)
        if self._backoff.failures or self._refusals:
            log.info("%s: the receiver takes alerts again", self.outbox.name)
            self._backoff.reset()
        self._refusals, self._waits_until = 0, 0.0
        if sent:
            self.resting.clear()
            return 0.0
        self.resting.set()
        return LOOK_EVERY_S

    def _undelivered(self, problem: Undeliverable) -> float:
        """The others are sent at once, and this one a few times more."""
        tries = self.outbox.fewest_refusals()
        if tries < TRIES:
            log.warning("%s: %s; the others go on", self.outbox.name, problem.what)
            self.resting.clear()
            return PAUSES_S[tries]
        self._waits_until = self._clock.time() + REFUSED_S
        self._refusals += 1
        self._stands_still(problem, REFUSED_S)
        return PAUSES_S[1]

    def _refused(self, problem: Refused) -> float:
        """A few others are asked about, in case that it is this one that is at fault; then nothing for a while."""
        self._refusals += 1
        if self._refusals < ASKED and not self.outbox.fewest_refusals():
            log.warning("%s: %s; another is tried", self.outbox.name, problem.what)
            self.resting.clear()
            return PAUSES_S[1]
        pause = self._backoff.after(REFUSED_S)
        self._stands_still(problem, pause)
        return pause

    def _stands_still(self, problem: Refused, pause: float) -> None:
        waiting = self.outbox.waiting()
        log.error(
            "%s takes nothing, and %s wait: %s\nNothing is lost; it is tried again in %.0f s.",
            self.outbox.name, f"{waiting:,}", problem, pause,
        )  # fmt: skip
        self.resting.set()


def couriers(
    context: RunContext, watch: Watch, name: str, around: Surroundings, failed: Callable[[BaseException], None]
) -> Iterator[Courier]:
    """One for each sink of a watch that is not off; `name` is what the watch is called in the log of alerts."""
    lake, pipeline = context.lake, context.graph.name
    for delivery in watch.deliveries:
        sink = delivery.to
        folder = outbox_folder(lake, pipeline, sink, name)
        off = folder / "off"  # so that whoever looks at the lake knows
        if missing := sink.missing(around):
            log.info("alerts do not go to %s: %s", sink.name, missing)
            if folder.exists():
                off.touch()
            continue
        off.unlink(missing_ok=True)
        needs(sink, sink.name)
        to = Destination(
            NotedReceiver(folder.name, sink.opened(around), context.receipts),
            DeadLetters(lake.dead_letters(pipeline), pipeline, folder.name),
            Portion(sink.at_once, sink.digest_over if isinstance(sink, DigestSink) else 0),
        )
        wanted = Wanted(name, Silences(lake, pipeline), delivery.at_least)
        yield Courier(Outbox(lake.alert_events(pipeline), folder / "note.json", to, wanted, context.committed), failed)


def needs(sink: AlertSink | RemoteSink | MessageSink, where: str) -> None:
    """BadSetting when the library of a sink that is set up is not there."""
    if sink.module and not is_installed(sink.module):
        raise BadSetting(
            f"{type(sink).__name__} is set up, but the library '{sink.module}' is not installed",
            where=where,
            do=install_extra(sink.extra, sink.module),
        )


@contextmanager
def at_work(sent: Sequence[Courier]) -> Iterator[None]:
    """While in here they carry; at the end they leave within seconds, all together."""
    for courier in sent:
        courier.start()
    try:
        yield
    finally:
        for courier in sent:
            courier.stop.set()
        deadline = time.monotonic() + LEAVES_WITHIN_S
        for courier in sent:
            courier.leave(max(0.0, deadline - time.monotonic()))


def see_through(sent: Iterable[Courier], stop: threading.Event, within: float = LAST_TRIES_S) -> None:
    """Wait until all is sent, or the time is over; RunFailed with what is still waiting then."""
    sent = list(sent)
    deadline = time.monotonic() + within
    for courier in sent:
        while not courier.resting.is_set() and time.monotonic() < deadline and not stop.is_set():
            courier.resting.wait(min(LOOK_EVERY_S, within))
    for problem in (courier.problem for courier in sent if courier.problem is not None):
        raise problem
    if stop.is_set():
        return
    waiting = {courier.outbox.name: courier.outbox.waiting() for courier in sent}
    left = [f"{count:,} for {name}" for name, count in waiting.items() if count]
    if left:
        raise RunFailed(
            f"notifications could not be delivered and wait: {'; '.join(left)}",
            do="The log says why. Nothing is lost: the next run sends them.",
        )
