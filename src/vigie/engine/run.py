"""Running a pipeline: its queries are started, watched, and stopped together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from vigie.check import checked
from vigie.contracts import Surroundings
from vigie.core import lake_format
from vigie.core.alerts.sender import Courier, at_work, couriers, see_through
from vigie.core.alerts.watch import Teller, Watchman
from vigie.core.alerts.watch_thread import Post
from vigie.core.compaction import Caretaker
from vigie.core.delivery_log import Receipts
from vigie.core.ingest.avro_schemas import Schemas
from vigie.core.ledger import Entry, Ledger
from vigie.core.left_undone import LeftUndone
from vigie.core.observer import THE_LOG, Watcher
from vigie.core.request import Request
from vigie.engine import failures, session
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.deliveries import Open, deliveries, open_all
from vigie.engine.gold import Settled, every_s
from vigie.engine.hotpath import HotPath
from vigie.engine.latest import Latest
from vigie.engine.readings import kafka_of, readings_of
from vigie.engine.reports import Reports, report_of
from vigie.engine.revival import Revived
from vigie.engine.tables import Stamp
from vigie.engine.windows import Windows, reported
from vigie.engine.workshop import Workshop
from vigie.graph import Gold, Source, Watch
from vigie.pipeline import Pipeline
from vigie.settings import Settings
from vigie.writer import only_writer

if TYPE_CHECKING:
    from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

CONTEXT_EVERY_S = 10.0
WATCH_EVERY_S = 0.5
Step = Windows | Latest | Settled

log = logging.getLogger(__name__)


def run(
    pipeline: Pipeline,
    request: Request,
    settings: Settings,
    stop: threading.Event | None = None,
    watcher: Watcher = THE_LOG,
) -> None:
    """Run until `stop` is set, or with `once` until all that is there has gone through."""
    graph = checked(pipeline)
    with ExitStack() as closing, failures.explained(request.lake):
        readings = readings_of(graph, request, settings, closing, watcher)
        lake_format.claim(request.lake, graph.name, lake_format.STREAMED)
        closing.enter_context(only_writer(request.lake, graph.name))
        around = Surroundings(settings, kafka_of(readings), graph.name)
        outside = _Outside(readings, open_all(graph, around, request.lake), around)
        log.info("Starting Spark: ten to thirty seconds ...")
        spark = session.start(settings, graph.name, brief=request.brief)
        closing.callback(spark.stop)
        log.info("Spark is ready; the first batch takes longest: half a minute on two cores.")
        ledger = Ledger(request.lake.ledger(graph.name), graph.name, "spark")
        receipts = Receipts(watcher.taken, watcher.put_off)
        shop = Workshop(spark, graph, request.lake, ledger, watcher.committed, receipts)
        _Run(shop, request, outside, stop or threading.Event(), watcher).go()


@dataclass(frozen=True, slots=True)
class _Outside:
    """What a run reads, each source by its name, and what it delivers to."""

    readings: dict[str, Any]
    going: Sequence[Open]
    around: Surroundings


class _Run:
    """The queries of one run, and the watches beside them."""

    def __init__(
        self, shop: Workshop, request: Request, outside: _Outside, stop: threading.Event, watcher: Watcher
    ) -> None:
        self._shop = shop
        self._request = request
        self._readings = outside.readings
        self._going = outside.going
        self._around = outside.around
        self._stop = stop
        self._watcher = watcher
        self._failed: list[BaseException] = []
        self._steps = 0  # that are being taken at this moment
        self._read = 0
        self._idle = threading.Condition()
        self._turn = threading.Lock()  # of the tables that are off the hot path
        self._ending = threading.Event()
        self._windows: dict[str, Gold] = {}
        self._written: dict[str, int] = {}  # the last batch of each of them that the ledger has
        self._reports: dict[str, Reports] = {}  # of each query, or of the one that took its place
        self._sources: dict[str, Revived] = {}
        self._waiting: list[tuple[Gold, Settled]] = []

    def go(self) -> None:
        """Start the queries and see them through; with `once`, gold follows when the hot path has finished."""
        hot = [self._start_hot(source) for source in self._shop.graph.sources]
        watches, graph = self._shop.graph.watches, self._shop.graph
        turns = [[(gold, self._step(gold)) for gold in turn] for turn in graph.gold_in_turn()]
        watchmen = [self._watchman(watch) for watch in watches]
        pairs = zip(watches, watchmen, strict=True)
        sent = [courier for watch, watchman in pairs for courier in self._couriers(watch, watchman)]
        if self._request.once:
            self._watch(hot)
            for watchman in watchmen:
                watchman.catch_up(self._stop)
            with at_work(sent):
                for turn in turns:
                    if not self._stop.is_set():
                        self._watch(self._start_gold(turn))
                for watch, watchman in zip(watches, watchmen, strict=True):
                    if isinstance(graph.read_by(watch), Gold):
                        watchman.catch_up(self._stop)
                if not self._stop.is_set():
                    self._watch(self._start_deliveries())
                see_through(sent, self._stop)
            if not self._stop.is_set():
                log.info("All that was there has gone through." if self._read else "Nothing new was there.")
            return
        with Caretaker(self._shop.lake), at_work(sent), ExitStack() as posts:
            for watch, watchman in zip(watches, watchmen, strict=True):
                posts.enter_context(Post(watchman, self._reader_of(watch), self._failed.append))
            gold = [query for turn in turns for query in self._start_gold(turn)]
            self._watch([*hot, *gold, *self._start_deliveries()])

    def _start_hot(self, source: Source) -> Revived:
        path = HotPath(self._shop, source, self._readings[source.name], self._schemas(source))
        for entry in path.fill():  # tables that were added to the lake
            self._watcher.batch([entry])
            if self._stop.is_set():
                break
        every = max(self._request.every, CONTEXT_EVERY_S) if source.context else self._request.every

        def started() -> StreamingQuery:
            self._pool("gold" if source.context else "hot")
            return self._started(source.name, path.stream().writeStream.foreachBatch(self._guarded(path)), every)

        self._sources[source.name] = Revived(started)
        return self._sources[source.name]

    def _schemas(self, source: Source) -> Schemas | None:
        """The schemas of a source whose messages are Avro, as they come here."""
        registry = getattr(self._readings[source.name], "registry", None)
        if registry is None:
            return None
        lake, name = self._shop.lake, self._shop.graph.name
        notes = Checkpoint(lake.checkpoint(name, source.name) / "schemas")
        return Schemas(lake.schemas(name, source.name), registry, notes, self._ending)

    def _watchman(self, watch: Watch) -> Watchman:
        shop = self._shop
        return Watchman(shop.lake, shop.graph, watch, Teller(shop.committed, self._watcher.alert))

    def _couriers(self, watch: Watch, watchman: Watchman) -> Iterator[Courier]:
        return couriers(self._shop.context, watch, watchman.name, self._around, self._failed.append)

    def _reader_of(self, watch: Watch) -> Callable[[], bool]:
        """What says whether all that a watch watches has been read."""
        graph = self._shop.graph
        source = self._sources[graph.source_of(graph.silver_of(watch)).name]
        return lambda: source.has_read_all

    def _start_gold(self, turn: Sequence[tuple[Gold, Step]]) -> list[StreamingQuery]:
        self._pool("gold")
        return [query for gold, step in turn for query in self._begun(gold, step)]

    def _begun(self, gold: Gold, step: Step) -> list[StreamingQuery]:
        """The table's query; none, for now, when it waits for something."""
        if isinstance(step, Settled) and step.waits:
            log.info("%s waits for %s", gold.table, step.waits)
            self._waiting.append((gold, step))
            return []
        every = max(self._request.every, every_s(gold))
        query = self._started(gold.name, step.stream().writeStream.foreachBatch(self._in_turn(step)), every)
        if isinstance(step, Windows):
            self._written[gold.name] = self._last_batch(gold)
            self._windows[gold.name] = gold
        return [query]

    def _awakened(self) -> Iterator[StreamingQuery]:
        """The queries of tables that need not wait any longer."""
        ready = [each for each in self._waiting if not each[1].waits]
        self._waiting = [each for each in self._waiting if each not in ready]
        for gold, step in ready:
            yield from self._begun(gold, step)

    def _step(self, gold: Gold) -> Step:
        if gold.is_stream:
            return Windows(self._shop, gold)
        return Latest(self._shop, gold) if gold.latest_by else Settled(self._shop, gold)

    def _start_deliveries(self) -> list[StreamingQuery]:
        return [
            self._started(
                route.name,
                route.rows.writeStream.foreachBatch(self._guarded(route.step)),
                max(self._request.every, route.every),
            )
            for route in deliveries(self._shop, self._going, self._ending, self._request.once)
        ]

    def _in_turn(self, step: Callable[[Any, int], list[Entry]]) -> Any:
        """The step, guarded, and one at a time: tables that need not hurry leave the cores to those that do."""
        guarded = self._guarded(step)

        def in_turn(batch: Any, number: int) -> None:
            with self._turn:
                guarded(batch, number)

        return in_turn

    def _guarded(self, step: Callable[[Any, int], list[Entry]]) -> Any:
        """The step, with what it raises kept as it is: Spark would hand back its text alone. A step that has
        begun is finished before a stop; none begins after."""

        def guarded(batch: Any, number: int) -> None:
            with self._idle:
                if self._ending.is_set() or self._stop.is_set():
                    raise InterruptedError("a stop was asked for")
                self._steps += 1
            try:
                if entries := step(batch, number):
                    self._read += sum(entry.read for entry in entries)
                    self._watcher.batch(entries)
            except LeftUndone:
                raise InterruptedError("a stop was asked for") from None
            except BaseException as problem:
                if failures.is_of_the_broker(problem):
                    raise InterruptedError(failures.AWAY) from None
                self._failed.append(problem)
                # Spark looks for causes in the text it is given, and a long one overflows its stack.
                raise InterruptedError(f"the step ended with {type(problem).__name__}") from None
            finally:
                with self._idle:
                    self._steps -= 1
                    self._idle.notify_all()

        return guarded

    def _started(self, name: str, writer: DataStreamWriter, every: float) -> StreamingQuery:
        checkpoint = Checkpoint(self._shop.lake.checkpoint(self._shop.graph.name, name))
        checkpoint.forget_a_first_batch_half_planned()
        writer = writer.queryName(name).option("checkpointLocation", str(checkpoint.folder))
        if self._request.once:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=f"{int(every * 1000)} milliseconds")
        query = writer.start()
        self._reports[name] = Reports(name, query)
        return query

    def _pool(self, name: str) -> None:
        """The queries that are started from here on share the cores as this pool does."""
        self._shop.spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)

    def _watch(self, started: Sequence[Revived | StreamingQuery]) -> None:
        """Until all have ended, one has died, or a stop is asked for; then none is left running."""
        queries = list(started)
        try:
            while any(query.isActive for query in queries) and not self._stop.wait(WATCH_EVERY_S):
                self._report()
                queries += self._awakened()
                for reading in self._readings.values():
                    reading.watch()
                for source in self._sources.values():
                    source.tend()
                dead = [query for query in queries if not query.isActive]
                if self._failed or any(query.exception() for query in dead):
                    break
        finally:
            asked = self._stop.is_set()
            with self._idle:
                if any(query.isActive for query in queries):
                    self._ending.set()
                self._idle.wait_for(lambda: not self._steps)
            for query in queries:
                query.stop()
        self._report()
        if self._failed:
            raise self._failed[0]
        if asked:
            return
        for query in queries:
            problem = query.exception()
            if problem is not None:
                raise failures.died(query.name, str(problem), self._request.lake) from problem

    def _report(self) -> None:
        """Tell what Spark says of each batch that has ended since the last look; of windows, write it down, too."""
        for reports in self._reports.values():
            gold = self._windows.get(reports.name)
            for progress in reports.look():
                if gold is not None:
                    self._write_down(reported(progress, gold), reports)
                if (report := report_of(progress)) is not None:
                    self._watcher.report(report)

    def _write_down(self, entry: Entry, reports: Reports) -> None:
        if entry.batch > self._written[reports.name] and entry.read:
            self._shop.ledger.write([entry], Stamp(f"{reports.query.id}:{entry.table}", entry.batch))
            self._written[reports.name] = entry.batch
            self._watcher.batch([entry])

    def _last_batch(self, gold: Gold) -> int:
        entries = self._shop.ledger.entries(pc.field("table") == gold.table, "batch")
        return max((entry["batch"] for entry in entries), default=-1)
