"""What a pipeline's lake says at the moment it is asked, as Prometheus's metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vigie.errors import LakeDamaged
from vigie.graph import Graph
from vigie.lake import Lake
from vigie.monitoring.glance import glance, is_context, open_alerts
from vigie.monitoring.metrics import now
from vigie.monitoring.outboxes import outboxes_in_use

log = logging.getLogger(__name__)


class Gauges(Collector):
    """Reads the logs of the tables at each scrape. A table that cannot be read is left out, said in the log, and
    counted."""

    def __init__(self, graph: Graph, lake: Lake, clock: Callable[[], datetime] = now) -> None:
        self._graph = graph
        self._lake = lake
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            tables = list(self._tables())
            alerts = [self._alerts(), *self._notifications()]
            failures = CounterMetricFamily(
                "vigie_lake_read_failures", "Tables that could not be read for a scrape.", labels=("pipeline",)
            )
            failures.add_metric((self._graph.name,), self._failures)
        return [*tables, *alerts, failures]

    def _tables(self) -> Iterable[Metric]:
        rows = GaugeMetricFamily("vigie_table_rows", "Rows that a table has.", labels=("pipeline", "table"))
        lag = GaugeMetricFamily(
            "vigie_lag_seconds", "How long ago the newest event of a table was.", labels=("pipeline", "table")
        )
        at = self._clock()
        for node in self._graph.nodes():
            try:
                seen = glance(self._lake, self._graph, node)
            except LakeDamaged as problem:
                self._failed(problem)
                continue
            rows.add_metric((self._graph.name, node.table), seen.rows)
            if (behind := seen.lag_s(at)) is not None and not is_context(self._graph, node):
                lag.add_metric((self._graph.name, node.table), behind)
        return rows, lag

    def _alerts(self) -> Metric:
        """How many are open; of each rule that is declared, though none be."""
        family = GaugeMetricFamily(
            "vigie_open_alerts", "Alerts that are open.", labels=("pipeline", "rule", "severity")
        )
        try:
            counts = open_alerts(self._lake, self._graph)
        except LakeDamaged as problem:
            self._failed(problem)
            return family
        declared = ((rule.name, rule.severity) for watch in self._graph.watches for rule in watch.rules)
        for rule, severity in dict.fromkeys((*declared, *counts)):
            family.add_metric((self._graph.name, rule, severity), counts[rule, severity])
        return family

    def _notifications(self) -> Iterable[Metric]:
        """What waits at each sink that is on, since when, and what was refused for good."""
        labels = ("pipeline", "delivery")
        waiting = GaugeMetricFamily("vigie_notifications_waiting", "Notifications that wait at a sink.", labels=labels)
        oldest = GaugeMetricFamily(
            "vigie_oldest_notification_seconds",
            "How long ago the first that waits was found; 0 for none.",
            labels=labels,
        )
        letters = CounterMetricFamily(
            "vigie_dead_letters", "Notifications that were refused for good, all that the lake has.", labels=labels
        )
        try:
            found = outboxes_in_use(self._lake, self._graph)
        except LakeDamaged as problem:
            self._failed(problem)
            found = ()
        at = self._clock()
        for each in found:
            name = (self._graph.name, each.delivery)
            letters.add_metric(name, each.dead_letters)
            waiting.add_metric(name, each.waiting)
            age = 0.0 if each.since is None else max(0.0, (at - each.since).total_seconds())
            oldest.add_metric(name, age)
        return waiting, oldest, letters

    def _failed(self, problem: LakeDamaged) -> None:
        self._failures += 1
        log.warning("metrics are left out: %s", problem)
