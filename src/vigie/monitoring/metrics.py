"""What a run has told of itself since it began, as Prometheus's metrics."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from vigie.alerts import Event
from vigie.graph import Gold, Graph

if TYPE_CHECKING:
    from vigie.core.ledger import Entry
    from vigie.core.observer import Report

OUTCOMES = ("accepted", "quarantined", "duplicate", "late")
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds

Labels = tuple[str, ...]


def now() -> datetime:
    return datetime.now(UTC)


class Metrics(Collector):
    """Counted from the moment it is made. What it gives at once was true at one moment: rows that were read and what
    became of them are never of two different batches."""

    def __init__(self, graph: Graph, clock: Callable[[], datetime] = now) -> None:
        self._pipeline = graph.name
        self._clock = clock
        self._lock = threading.Lock()
        # A series that begins with its first event has no rate of it: what can be known is there from the start.
        nodes = list(graph.nodes())
        self._read: Counter[Labels] = Counter({(node.table,): 0 for node in nodes})
        self._rows: Counter[Labels] = Counter(
            {(node.table, outcome): 0 for node in nodes for outcome in OUTCOMES if not isinstance(node, Gold)}
        )
        self._turns: Counter[Labels] = Counter(
            {(rule.name, rule.severity, turn): 0 for watch in graph.watches for rule in watch.rules
             for turn in ("opened", "closed")}
        )  # fmt: skip
        self._taken: Counter[Labels] = Counter()
        self._put_off: Counter[Labels] = Counter()
        self._watermarks: dict[Labels, datetime] = {}
        self._durations: dict[str, Durations] = {}
        self._ended: dict[Labels, float] = {}

    def batch(self, entries: Sequence[Entry]) -> None:
        """The lines of the ledger of one batch."""
        with self._lock:
            for entry in entries:
                self._read[entry.table,] += entry.read
                for outcome in OUTCOMES:
                    if (rows := getattr(entry, outcome)) is not None:
                        self._rows[entry.table, outcome] += rows
                if (reached := entry.progress or entry.late_before) is not None:
                    self._watermarks[entry.table,] = reached

    def report(self, report: Report) -> None:
        """A batch has ended."""
        with self._lock:
            self._durations.setdefault(report.query, Durations()).add(report.seconds)
            self._ended[report.query,] = report.ended_at.timestamp()

    def alert(self, event: Event) -> None:
        with self._lock:
            self._turns[event.alert.rule, event.alert.severity, event.event] += 1

    def taken(self, delivery: str) -> None:
        with self._lock:
            self._taken[delivery,] += 1
            self._put_off[delivery,] += 0

    def put_off(self, delivery: str) -> None:
        with self._lock:
            self._put_off[delivery,] += 1
            self._taken[delivery,] += 0

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            return list(self._families())

    def _families(self) -> Iterator[Metric]:
        counted, gauged = self._counted, self._gauged
        yield counted("vigie_rows_read", "Rows that were read on the way into a table.", self._read, "table")
        yield counted("vigie_rows", "Rows that were read, by what became of them.", self._rows, "table", "outcome")
        yield counted("vigie_alert_turns", "Alerts that opened and closed.", self._turns, "rule", "severity", "turn")
        yield counted("vigie_deliveries", "Times that a sink took something.", self._taken, "delivery")
        yield counted(
            "vigie_delivery_retries", "Times that a sink took nothing and is tried again.", self._put_off, "delivery"
        )
        yield self._histogram()
        ended = "When the last batch of a query ended, in seconds since 1970."
        yield gauged("vigie_last_batch_timestamp_seconds", ended, self._ended, "query")
        at = self._clock()
        ages = {table: max(0.0, (at - mark).total_seconds()) for table, mark in self._watermarks.items()}
        age = "How long ago the instant is up to which event time had come with the last batch."
        yield gauged("vigie_watermark_age_seconds", age, ages, "table")

    def _histogram(self) -> Metric:
        took = "How long batches took, from what they read to their commit."
        family = HistogramMetricFamily("vigie_batch_duration_seconds", took, labels=("pipeline", "query"))
        for query, durations in self._durations.items():
            family.add_metric((self._pipeline, query), durations.buckets(), durations.total)
        return family

    def _counted(self, name: str, about: str, values: Counter[Labels], *labels: str) -> Metric:
        family = CounterMetricFamily(name, about, labels=("pipeline", *labels))
        for key, value in values.items():
            family.add_metric((self._pipeline, *key), value)
        return family

    def _gauged(self, name: str, about: str, values: dict[Labels, float], *labels: str) -> Metric:
        family = GaugeMetricFamily(name, about, labels=("pipeline", *labels))
        for key, value in values.items():
            family.add_metric((self._pipeline, *key), value)
        return family


class Durations:
    """How many took how long."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """How many took no longer than each bound."""
        bounds = (*(str(bound) for bound in BUCKETS), "+Inf")
        return list(zip(bounds, accumulate(self._counts), strict=True))
