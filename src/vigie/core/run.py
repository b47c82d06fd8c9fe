"""A run: the loop, the watches and the deliveries beside it, until a stop is asked for or all has gone through."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from vigie.contracts import Surroundings
from vigie.core.alerts.sender import Courier, at_work, couriers, see_through
from vigie.core.alerts.watch import Teller, Watchman
from vigie.core.alerts.watch_thread import Post
from vigie.core.compaction import Caretaker
from vigie.core.delivery import LAST_TRIES_S, Carrier, carriers
from vigie.core.engine import Engine, EngineDied
from vigie.core.ingest.avro_schemas import Schemas
from vigie.core.ledger import Entry
from vigie.core.left_undone import LeftUndone
from vigie.core.loop import Loop
from vigie.core.observer import Watcher
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.graph import Gold, Watch

LOOK_EVERY_S = 0.05  # for what is there, when nothing was
LOOK_FOR_GAINS_EVERY_S = 0.2  # of a table that is delivered

Watched = tuple[Watch, Watchman]
Going = tuple[Carrier, float]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a run is to go: with `once` until all that is there has gone through; a batch no more often than `every`
    seconds, and bounded."""

    once: bool
    every: float
    bounds: Bounds


@dataclass(slots=True)
class Run:
    """One run of a pipeline."""

    context: RunContext
    engine: Engine
    sources: Mapping[str, Source]
    wish: Wish
    around: Surroundings
    stop: threading.Event
    watcher: Watcher
    schemas: Mapping[str, Schemas]
    _failed: list[BaseException] = field(default_factory=list)
    _wakes: threading.Event = field(default_factory=threading.Event)  # something was ingested, or the run ends
    _has_read_all: threading.Event = field(default_factory=threading.Event)
    _read: int = 0
    _loop: Loop = field(init=False)

    def go(self) -> None:
        context = self.context
        patience = LAST_TRIES_S if self.wish.once else None
        going = list(carriers(context, self.around, self.stop, patience))  # refuses a setting before anything is there
        self._loop = Loop.over(
            context, self.engine, self.sources, self.wish.bounds, self._told, _restarted, self.schemas
        )
        self._say_who_waits()
        watches = [
            (watch, Watchman(context.lake, context.graph, watch, Teller(context.committed, self.watcher.alert)))
            for watch in context.graph.watches
        ]
        sent = [courier for watch, watchman in watches for courier in self._couriers(watch, watchman)]
        with closing(self._loop), suppress(LeftUndone):  # what waited for a registry when a stop was asked for
            if self.wish.once:
                self._once(watches, sent, going)
            else:
                self._live(watches, sent, going)
        if self._failed:
            raise self._failed[0]

    def _say_who_waits(self) -> None:
        for gold in self._loop.gold:
            if gold.waits:
                log.info("%s waits for %s", gold.table, gold.waits)

    def _told(self, entries: Sequence[Entry]) -> None:
        self._read += sum(entry.read for entry in entries)
        self.watcher.batch(entries)

    def _couriers(self, watch: Watch, watchman: Watchman) -> Iterator[Courier]:
        return couriers(self.context, watch, watchman.name, self.around, self._failed.append)

    def _once(self, watches: Sequence[Watched], sent: Sequence[Courier], going: Sequence[Going]) -> None:
        while not self.stop.is_set() and (self._loop.ingest() or self._loop.away):
            self._look_again()
            if self._loop.away:
                self.stop.wait(LOOK_EVERY_S)
        of_gold = [isinstance(self.context.graph.read_by(watch), Gold) for watch, _ in watches]
        self._catch_up(watchman for (_, watchman), is_of_gold in zip(watches, of_gold, strict=True) if not is_of_gold)
        with at_work(sent):
            while not self.stop.is_set() and (self._loop.follow() or self._loop.away):
                if self._loop.away:
                    self.stop.wait(LOOK_EVERY_S)
            self._catch_up(watchman for (_, watchman), is_of_gold in zip(watches, of_gold, strict=True) if is_of_gold)
            for carrier, _ in going:
                self._carried(carrier)
            see_through(sent, self.stop)
        if not self.stop.is_set() and not self._failed:
            log.info("All that was there has gone through." if self._read else "Nothing new was there.")

    def _catch_up(self, watchmen: Iterator[Watchman]) -> None:
        for watchman in watchmen:
            watchman.catch_up(self.stop)

    def _carried(self, carrier: Carrier) -> bool:
        """Whatever waits for a sink, unless a stop is asked for; whether there was anything."""
        took = False
        with suppress(LeftUndone):
            while not self._is_over() and carrier.deliver():
                took = True
        return took

    def _carry(self, carrier: Carrier, every: float) -> None:
        while not self._is_over():
            self.stop.wait(max(every, LOOK_EVERY_S) if self._carried(carrier) else LOOK_FOR_GAINS_EVERY_S)

    def _live(self, watches: Sequence[Watched], sent: Sequence[Courier], going: Sequence[Going]) -> None:
        with ExitStack() as beside:
            beside.enter_context(Caretaker(self.context.lake))
            beside.enter_context(at_work(sent))
            for _, watchman in watches:
                beside.enter_context(Post(watchman, self._has_read_all.is_set, self._fail))
            self._wakes.set()  # something may have been left to do
            beside.enter_context(self._beside("gold", self._follow))
            for carrier, every in going:
                beside.enter_context(self._beside(carrier.name, partial(self._carry, carrier, every)))
            while not self._is_over():
                began = time.monotonic()
                if self._loop.ingest():
                    self._has_read_all.clear()
                    self._wakes.set()
                    self.stop.wait(max(0.0, began + self.wish.every - time.monotonic()))
                else:
                    if not self._loop.away:
                        self._has_read_all.set()
                    self._look_again()
                    self.stop.wait(LOOK_EVERY_S)

    def _look_again(self) -> None:
        for source in self.sources.values():
            source.watch()

    def _follow(self) -> None:
        while not self._is_over():
            self._wakes.wait(self._loop.rests())
            self._wakes.clear()
            while not self._is_over() and self._loop.follow(in_turn=True):
                pass

    def _is_over(self) -> bool:
        return self.stop.is_set() or bool(self._failed)

    def _fail(self, problem: BaseException) -> None:
        self._failed.append(problem)

    @contextmanager
    def _beside(self, name: str, work: Callable[[], None]) -> Iterator[None]:
        """Work in a thread of its own; what it cannot do ends the run."""

        def go() -> None:
            try:
                work()
            except BaseException as problem:
                self._fail(problem)

        thread = threading.Thread(target=go, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            self._wakes.set()
            thread.join()


def _restarted(problem: EngineDied) -> None:
    log.warning("%s; it is started again, and the batch with it", problem)
