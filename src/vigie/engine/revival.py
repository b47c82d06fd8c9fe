"""The query of a source that is started again when its Kafka was away, as a new run would start it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from vigie.backoff import Clock
from vigie.engine import failures
from vigie.sources.kafka import BrokerAway

if TYPE_CHECKING:
    from pyspark.errors import StreamingQueryException
    from pyspark.sql.streaming import StreamingQuery

PATIENCE_S = 600.0  # that a broker may be away: as long as a feed waits for it
AGAIN_AFTER_S = 5.0
NOTHING_NEW = "Waiting for data to arrive"  # as Spark says it
STEADY_S = 120.0  # a query that lived so long had reached its broker: one that does not dies within a minute

log = logging.getLogger(__name__)


class Revived:
    """A query that dies when its broker does not answer, and lives again: nobody has to start the run again.

    Spark goes on from the query's checkpoint, as after any death: a batch that was begun is taken a second time. It is
    asked of as a query is, by `isActive` and `exception`, and is alive for whoever asks while it waits. When nobody
    answered for ten minutes it stays dead.
    """

    def __init__(self, start: Callable[[], StreamingQuery], clock: Clock | None = None) -> None:
        self._start = start
        self._clock = clock or Clock()
        self._query = start()
        self._began = self._clock.time()
        self._missed: float | None = None  # when the broker was first found away
        self._due: float | None = None  # when the query is started again

    @property
    def name(self) -> str:
        return str(self._query.name)

    @property
    def isActive(self) -> bool:
        return bool(self._query.isActive) or self._waits()

    def exception(self) -> StreamingQueryException | None:
        """What it died of, for good."""
        return None if self._waits() else self._query.exception()

    @property
    def has_read_all(self) -> bool:
        """Whether it found nothing more to read when it last looked."""
        return bool(self._query.isActive) and self._query.status["message"] == NOTHING_NEW

    def stop(self) -> None:
        self._query.stop()

    def tend(self) -> None:
        """Start it again, if that is due."""
        if self._due is not None and self._clock.time() >= self._due:
            self._query = self._start()
            self._began, self._due = self._clock.time(), None

    def _waits(self) -> bool:
        if self._due is None and not self._query.isActive:
            self._due = self._judged(self._query.exception())
        return self._due is not None

    def _judged(self, problem: StreamingQueryException | None) -> float | None:
        """When a query that ended like this is started again; none when it is not."""
        death = problem and failures.died(self.name, str(problem))
        if not isinstance(death, BrokerAway):
            return None
        now = self._clock.time()
        if self._missed is None or now - self._began > STEADY_S:
            self._missed = now
        left = self._missed + PATIENCE_S - now
        if left <= 0:
            return None
        log.warning(
            "%s: %s. It is asked for again in %.0f s; given up in %.0f minutes. Nothing is lost.",
            self.name, death.what, AGAIN_AFTER_S, left / 60,
        )  # fmt: skip
        return now + AGAIN_AFTER_S
