"""Who carries what an outbox holds to its receiver: a thread for each, so that no receiver slows anything else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from vigie.alerts import Event
from vigie.backoff import REFUSED_S, Backoff, Clock
from vigie.commands import Silences
from vigie.engine.outbox import Outbox
from vigie.engine.receipts import NotedReceiver
from vigie.engine.workshop import Workshop
from vigie.errors import BadSetting, RunFailed
from vigie.extras import install_extra
from vigie.graph import AlertSink, RemoteSink, Surroundings, Watch
from vigie.problem import is_installed
from vigie.sinks import NotNow, Refused

LOOK_EVERY_S = 0.2
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
        try:
            sent = self.outbox.send()
        except (NotNow, Refused) as problem:
            return self._setback(problem)
        if self._backoff.failures:
            log.info("%s: the receiver takes alerts again", self.outbox.name)
            self._backoff.reset()
        if sent:
            self.resting.clear()
            return 0.0
        self.resting.set()
        return LOOK_EVERY_S

    def _setback(self, problem: NotNow | Refused) -> float:
        pause = self._backoff.after(REFUSED_S if isinstance(problem, Refused) else problem.wait)
        if isinstance(problem, Refused):
            log.error("%s: %s\nNothing is lost; it is tried again in %.0f s.", self.outbox.name, problem, pause)
            self.resting.set()
        else:
            log.warning("%s: %s; it is tried again in %.1f s", self.outbox.name, problem, pause)
        return pause


def couriers(
    shop: Workshop, watch: Watch, name: str, around: Surroundings, failed: Callable[[BaseException], None]
) -> Iterator[Courier]:
    """One for each sink of a watch that is not off; `name` is what the watch is called in the log of alerts."""
    lake, pipeline = shop.lake, shop.graph.name
    for delivery in watch.deliveries:
        sink = delivery.to
        if missing := sink.missing(around):
            log.info("alerts do not go to %s: %s", sink.name, missing)
            continue
        needs(sink, sink.name)
        note = lake.checkpoint(pipeline, f"outbox-{sink.name}-of-{name}".replace("/", "-")) / "note.json"
        receiver = NotedReceiver(note.parent.name, sink.opened(around), shop.receipts)
        wanted = partial(_is_told, name, Silences(lake, pipeline))
        outbox = Outbox(lake.alert_events(pipeline), note, receiver, wanted, sink.at_once, shop.committed)
        yield Courier(outbox, failed)


def _is_told(watch: str, silences: Silences, event: Event) -> bool:
    return event.watch == watch and event.alert.suppressed_by is None and not silences.cover(event)


def needs(sink: AlertSink | RemoteSink, where: str) -> None:
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
