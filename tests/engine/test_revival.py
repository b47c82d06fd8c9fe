"""The query of a source while its Kafka is away: started again, for ten minutes, and for nothing else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest
from py4j.protocol import Py4JError

from vigie.backoff import Clock
from vigie.engine import failures
from vigie.engine.revival import AGAIN_AFTER_S, PATIENCE_S, STEADY_S, Revived
from vigie.errors import RunFailed
from vigie.sources.kafka import BrokerAway

AWAY = "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment."


@dataclass
class Query:
    """What Spark tells of a query: it lives until it is said to have died of something."""

    died_of: str = ""
    stopped: bool = False
    name: str = "events"

    @property
    def isActive(self) -> bool:
        return not self.died_of and not self.stopped

    def exception(self) -> Any:
        return self.died_of or None

    def stop(self) -> None:
        self.stopped = True


class Life:
    """A query that lives again, by a clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.queries: list[Query] = []
        self.query = Revived(self._started, Clock(lambda: self.now))

    def _started(self) -> Any:
        self.queries.append(Query())
        return self.queries[-1]

    def goes_on(self, seconds: float) -> None:
        self.now += seconds
        self.query.tend()

    def dies(self, of: str = AWAY) -> None:
        self.queries[-1].died_of = of


def test_a_query_whose_broker_is_away_is_alive_for_who_asks_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    life = Life()

    life.dies()
    while_it_waits = life.query.isActive, life.query.exception()
    life.goes_on(AGAIN_AFTER_S - 0.1)
    early = len(life.queries)
    life.goes_on(0.2)

    assert while_it_waits == (True, None)
    assert (early, len(life.queries)) == (1, 2)
    assert life.query.isActive
    [said] = caplog.messages
    assert said == (
        "events: the Kafka broker went away. It is asked for again in 5 s; given up in 10 minutes. Nothing is lost."
    )


def test_a_broker_that_stays_away_is_given_up_after_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    life = Life()

    while life.query.isActive and life.now < 2 * PATIENCE_S:
        life.dies()
        life.goes_on(20)

    assert PATIENCE_S <= life.now < PATIENCE_S + 60
    assert str(life.query.exception()) == AWAY
    assert "start again: the run goes on where it stopped" in failures.died("events", AWAY).do


def test_a_broker_that_is_away_every_hour_is_waited_for_each_time() -> None:
    life = Life()

    for _ in range(50):
        life.dies()
        assert life.query.isActive
        life.goes_on(AGAIN_AFTER_S)
        life.goes_on(max(3_600, STEADY_S))

    assert len(life.queries) == 51


@pytest.mark.parametrize(
    "reason",
    ["UnknownTopicOrPartitionException: gone", "OffsetOutOfRange", "No space left on device", "ValueError: boom"],
)
def test_a_query_that_dies_of_anything_else_stays_dead(reason: str) -> None:
    life = Life()

    life.dies(reason)
    life.goes_on(AGAIN_AFTER_S)

    assert (life.query.isActive, str(life.query.exception())) == (False, reason)
    assert len(life.queries) == 1


def test_a_query_that_was_stopped_or_has_done_its_work_is_not_started_again() -> None:
    life = Life()

    life.query.stop()
    life.goes_on(AGAIN_AFTER_S)

    assert (life.query.isActive, life.query.exception()) == (False, None)
    assert len(life.queries) == 1


@pytest.mark.parametrize(
    ("problem", "is_it"),
    [
        (BrokerAway("the broker stopped answering while a batch was counted again"), True),
        (Py4JError(f"An error occurred.\n: org.apache.spark.SparkException: Job aborted\nCaused by: {AWAY}"), True),
        (Py4JError("An error occurred.\n: java.io.IOException: No space left on device"), False),
        (RunFailed("10 messages stand between the offsets of this batch, and 9 were read"), False),
        (TimeoutError("TimeoutException"), False),
    ],
)
def test_a_step_that_failed_because_of_the_broker_is_told_from_others(problem: BaseException, is_it: bool) -> None:
    assert failures.is_of_the_broker(problem) is is_it


def test_what_the_step_of_a_query_leaves_as_its_reason_is_known_again() -> None:
    said = f"[STREAM_FAILED] Traceback (most recent call last): InterruptedError: {failures.AWAY}"

    assert isinstance(failures.died("events", said), BrokerAway)
