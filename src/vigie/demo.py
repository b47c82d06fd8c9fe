"""`vigie demo`: a simulated feed, the pipeline it fills, and a live view of both, in one process."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from shlex import quote

from rich.console import Console, RenderableType
from rich.live import Live

from vigie.address import Address
from vigie.core.observer import Watcher, both
from vigie.core.request import OwnKafka, Request
from vigie.dashboard import serving
from vigie.duration import parse_duration
from vigie.errors import BadSetting, RequestError, VigieError
from vigie.feed import Pace, Progress, Simulation, feed
from vigie.feeding import fields_of, framed
from vigie.graph import Graph, Source
from vigie.lake import Lake
from vigie.monitoring.glance import glance, is_context
from vigie.pipeline import SHIPPED, Pipeline
from vigie.running import run
from vigie.screen import Screen
from vigie.settings import Settings
from vigie.terminal import lines_above, say, typed
from vigie.writer import make_folder, refuse_a_second

PAST_S = 600.0  # so that there is a backlog to catch up with
WINDOW_S = 300.0  # what must have gone by since a window was settled, so that the first is given at once
FAULTS = 0.01  # so that there is something to see in quarantine
REFRESH_S = 1.0
PLAIN_EVERY_S = 10.0
DASHBOARD_LIMIT_S = 120.0

log = logging.getLogger(__name__)


def demo(  # noqa: PLR0913
    pipeline: Pipeline,
    settings: Settings,
    lake: Lake,
    kafka: OwnKafka | None,
    stop: threading.Event,
    simulation: Simulation | None = None,
    *,
    beside: Watcher | None = None,
) -> None:
    """Run until `stop` is set or VIGIE_DEMO_MINUTES are over; what was begun is finished or taken back cleanly.

    `beside` is told what the screen is told.
    """
    graph = pipeline.graph()
    shown = [source for source in graph.main_sources if source.simulated is not None]
    if not shown:
        raise RequestError(
            f"pipeline '{pipeline.name}' has no simulated feed to show",
            do="Give a source one (simulated=...), or run it on a feed of your own: vigie run.",
        )
    simulation = simulation or Simulation(start=begin(graph, lake, time.time()), faults=FAULTS)
    screen = Screen(graph, lake)
    context = [source for source in graph.sources if source.context and source.simulated is not None]
    together = Together(screen.fed)
    feeds = [_Feeding(source, simulation, settings, partial(together.told, source.name), stop) for source in shown]
    feeds += [_Feeding(beside, simulation, settings, lambda _progress: None, stop) for beside in context]
    for source in shown:
        make_folder(lake.inbox(source.name))
    refuse_a_second(lake, pipeline.name)
    request = Request(lake, every=1.0, kafka=kafka)

    def follow(source: Source, address: Address) -> None:
        for feeding in feeds:
            feeding.follow(source, address)

    watcher = Watcher(reads=follow, batch=screen.batch, alert=screen.alert)
    with contextlib.ExitStack() as closing:
        closing.enter_context(_watched(lake, pipeline.name, stop))
        closing.enter_context(_shown(screen, settings, stop))
        closing.enter_context(_ended_after(settings.demo_minutes, stop))
        for feeding in feeds:
            closing.callback(feeding.join)
        run(pipeline, request, settings, stop, both(watcher, beside or Watcher()))
        for feeding in feeds:
            feeding.check()


def begin(graph: Graph, lake: Lake, now: float) -> float:
    """When the feed begins: so long ago that the first windows close at once, but after what the lake already has.

    What is simulated for a time twice is not the same twice: each aircraft would be in two places at once.
    """
    settled = max((parse_duration(gold.late_by) for gold in graph.gold if gold.late_by), default=timedelta())
    past = now - max(PAST_S, settled.total_seconds() + WINDOW_S)
    newest = (glance(lake, graph, table).newest for table in graph.silver if not is_context(graph, table))
    return max([past, *(min(at.timestamp(), now) for at in newest if at is not None)])


class Together:
    """How far several feeds are, as if they were one."""

    def __init__(self, told: Callable[[Progress], None]) -> None:
        self._told = told
        self._last: dict[str, Progress] = {}
        self._lock = threading.Lock()

    def told(self, name: str, progress: Progress) -> None:
        with self._lock:
            self._last[name] = progress
            all_of = list(self._last.values())
            self._told(
                Progress(
                    sum(one.sent for one in all_of),
                    sum(one.rate for one in all_of),
                    max(one.lag for one in all_of),
                    " and ".join(one.outlet for one in all_of),
                )
            )


class _Feeding:
    """The feed, in a thread of its own; a feed that fails ends the demo with what it said."""

    def __init__(
        self,
        source: Source,
        simulation: Simulation,
        settings: Settings,
        told: Callable[[Progress], None],
        stop: threading.Event,
    ) -> None:
        self._source = source
        self._settings = settings
        self._simulation = simulation
        self._told = told
        self._stop = stop
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    def follow(self, source: Source, address: Address) -> None:
        """Start once it is known where the run reads this source."""
        if source is self._source:
            self._thread = threading.Thread(target=self._go, args=(address,), name="feed", daemon=True)
            self._thread.start()

    def _go(self, to: Address) -> None:
        assert self._source.simulated is not None
        try:
            simulation = replace(self._simulation, fields=fields_of(self._source))
            ticks = framed(self._source, self._source.simulated(simulation), to, self._settings)
            feed(ticks, to, pace=Pace(real_time=True), stop=self._stop, progress=self._told)
        except BaseException as problem:
            self._failed = problem
            self._stop.set()

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
def _watched(lake: Lake, pipeline: str, stop: threading.Event) -> Iterator[None]:
    """The dashboard beside it, where its extra is installed."""
    with contextlib.ExitStack() as closing:
        try:
            beside = closing.enter_context(serving.beside(lake, pipeline if pipeline in SHIPPED else None))
            threading.Thread(target=_told_of, args=(*beside, lake, stop), daemon=True).start()
        except BadSetting as problem:
            say(f"There is no dashboard beside it: {problem}")
        yield


def _told_of(address: str, is_usual: bool, lake: Lake, stop: threading.Event) -> None:
    """Say where the dashboard is once it is there: a browser that comes too early shows a page of its own."""
    if serving.answers(address, DASHBOARD_LIMIT_S, stop):
        say(f"The dashboard is at {address}{'' if is_usual else f'; port {serving.PORT} is taken'}")
    elif not stop.is_set():
        say(f"The dashboard does not answer; {serving.log_of(lake)} says why")


@contextlib.contextmanager
def _shown(screen: Screen, settings: Settings, stop: threading.Event) -> Iterator[None]:
    """The live view at a terminal; a line every ten seconds for a log."""
    done = threading.Event()
    if sys.stdout.isatty():
        console = Console()
        told = logging.getLogger("vigie")
        level = told.level
        told.setLevel(logging.WARNING)  # lines would tear the picture

        def drawn() -> RenderableType:
            return screen.drawn(console.size.height - 1, is_ending=stop.is_set())  # the cursor stands on the last

        to_a_person = sys.stderr.isatty()
        with Live(drawn(), console=console, refresh_per_second=4, redirect_stderr=to_a_person) as live, lines_above():
            thread = _each(REFRESH_S, done, lambda: live.update(drawn()))
            try:
                yield
            finally:
                done.set()
                thread.join()
                live.update(drawn())
                told.setLevel(level)
    else:
        thread = _each(PLAIN_EVERY_S, done, lambda: log.info("%s", screen.line()))
        try:
            yield
        finally:
            done.set()
            thread.join()
            log.info("%s", screen.line())
    if stop.is_set():
        say(f"Stopped. The tables stay in {screen.lake.root.resolve()}: {_what_next(screen, settings)}")


def _what_next(screen: Screen, settings: Settings) -> str:
    """What to type from here to see more of the lake."""
    place = "" if screen.lake.root == Lake.at(settings.lake).root else f" --lake {quote(str(screen.lake.root))}"
    return f"{typed()} ledger {screen.name}{place}, or {typed()} dashboard {screen.name}{place}"


def _each(seconds: float, done: threading.Event, act: Callable[[], object]) -> threading.Thread:
    def go() -> None:
        while not done.wait(seconds):
            act()

    thread = threading.Thread(target=go, name="screen", daemon=True)
    thread.start()
    return thread
