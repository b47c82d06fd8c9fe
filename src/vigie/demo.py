"""`vigie demo`: a simulated feed, the pipeline it fills, and a live view of both, in one process."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live

from vigie.address import Address, Inbox, Kafka
from vigie.engine.run import Request, Watcher, run
from vigie.errors import RequestError, VigieError
from vigie.feed import Pace, Progress, Simulation, feed
from vigie.graph import Source
from vigie.lake import Lake
from vigie.pipeline import Pipeline
from vigie.screen import Screen
from vigie.settings import Settings

PAST_S = 600.0  # so that windows close at once
FAULTS = 0.01  # so that there is something to see in quarantine
REFRESH_S = 1.0
PLAIN_EVERY_S = 10.0

log = logging.getLogger(__name__)


def demo(  # noqa: PLR0913
    pipeline: Pipeline,
    settings: Settings,
    lake: Lake,
    kafka: bool,
    stop: threading.Event,
    simulation: Simulation | None = None,
) -> None:
    """Run until `stop` is set or VIGIE_DEMO_MINUTES are over; what was begun is finished or taken back cleanly."""
    graph = pipeline.graph()
    source = next((source for source in graph.sources if source.simulated is not None), None)
    if source is None:
        raise RequestError(
            f"pipeline '{pipeline.name}' has no simulated feed to show",
            do="Give its source one (simulated=...), or run it on a feed of your own: vigie run.",
        )
    simulation = simulation or Simulation(start=time.time() - PAST_S, faults=FAULTS)
    screen = Screen(graph, lake)
    feeding = _Feeding(source, simulation, screen, stop)
    inbox = lake.inbox(source.name)
    inbox.mkdir(parents=True, exist_ok=True)
    request = Request(lake, {} if kafka else {source.name: Inbox(inbox)}, every=1.0, kafka=kafka)
    with contextlib.ExitStack() as closing:
        closing.enter_context(_shown(screen, stop))
        closing.enter_context(_ended_after(settings.demo_minutes, stop))
        closing.callback(feeding.join)
        if not kafka:
            feeding.start(Inbox(inbox))
        run(pipeline, request, settings, stop, Watcher(entry=screen.entry, reads=feeding.follow))
        feeding.check()


class _Feeding:
    """The feed, in a thread of its own; a feed that fails ends the demo with what it said."""

    def __init__(self, source: Source, simulation: Simulation, screen: Screen, stop: threading.Event) -> None:
        self._source = source
        self._simulation = simulation
        self._screen = screen
        self._stop = stop
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    def follow(self, source: Source, address: Address) -> None:
        """Start once it is known which Kafka the run reads."""
        if source is self._source and isinstance(address, Kafka):
            self.start(address)

    def start(self, to: Address) -> None:
        self._thread = threading.Thread(target=self._go, args=(to,), name="feed", daemon=True)
        self._thread.start()

    def _go(self, to: Address) -> None:
        assert self._source.simulated is not None
        try:
            ticks = self._source.simulated(self._simulation)
            feed(ticks, to, pace=Pace(real_time=True), stop=self._stop, progress=self._told)
        except BaseException as problem:
            self._failed = problem
            self._stop.set()

    def _told(self, progress: Progress) -> None:
        self._screen.fed(progress)

    def join(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        if isinstance(self._failed, VigieError):
            raise self._failed
        if self._failed is not None:
            raise RuntimeError("the feed failed") from self._failed


@contextlib.contextmanager
def _ended_after(minutes: float | None, stop: threading.Event) -> Iterator[None]:
    """Ask for the stop when the minutes are over."""
    if minutes is None:
        yield
        return
    timer = threading.Timer(minutes * 60, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _shown(screen: Screen, stop: threading.Event) -> Iterator[None]:
    """The live view at a terminal; a line every ten seconds for a log."""
    done = threading.Event()
    if sys.stdout.isatty():
        console = Console()
        told = logging.getLogger("vigie")
        level = told.level
        told.setLevel(logging.WARNING)  # lines would tear the picture
        with Live(screen.drawn(), console=console, refresh_per_second=4, screen=False) as live:
            thread = _each(REFRESH_S, done, lambda: live.update(screen.drawn()))
            try:
                yield
            finally:
                done.set()
                thread.join()
                live.update(screen.drawn())
                told.setLevel(level)
    else:
        thread = _each(PLAIN_EVERY_S, done, lambda: log.info("%s", screen.line()))
        try:
            yield
        finally:
            done.set()
            thread.join()
            log.info("%s", screen.line())
    console = Console(stderr=True)
    if stop.is_set():
        console.print(f"Stopped. The tables stay in {Path(str(screen.lake)).resolve()}: vigie ledger {screen.name}")


def _each(seconds: float, done: threading.Event, act: Callable[[], object]) -> threading.Thread:
    def go() -> None:
        while not done.wait(seconds):
            act()

    thread = threading.Thread(target=go, name="screen", daemon=True)
    thread.start()
    return thread
