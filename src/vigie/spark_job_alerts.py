"""The rules of a declared watch as a stateful operator of Structured Streaming: one key at a time, its past as state.

A watch of `vigie run` also knows maintenance, rules that learn from all keys, and a silence that began before the
first reading; see vigie.core.alerts.watch. What opens and closes here opens and closes there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql.streaming.stateful_processor import (
    ExpiredTimerInfo,
    StatefulProcessor,
    StatefulProcessorHandle,
    TimerValues,
)

from vigie import ddl
from vigie.detectors import Burst, InARow, Silent
from vigie.detectors.judging import QUIET, turns
from vigie.detectors.readings import Readings
from vigie.graph import Rule, Watch
from vigie.instants import MICROSECOND

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from vigie.detectors.judgement import Judgement

OPENED, CLOSED = "opened", "closed"
EVENT = """event STRING, rule STRING, key STRING, severity STRING, at TIMESTAMP, value DOUBLE, threshold DOUBLE,
    message STRING"""


@dataclass(frozen=True)
class Rules:
    """The rules of a watch that are named, and what they look at."""

    judged: tuple[Rule, ...]
    silent: tuple[Rule, ...]
    columns: tuple[str, ...]
    conditions: Mapping[str, str]  # as detectors name them, and as Spark asks them
    looks_back: int  # microseconds

    @classmethod
    def of(cls, watch: Watch, names: Sequence[str]) -> Rules:
        named = [rule for rule in watch.rules if rule.name in names]
        judged = tuple(rule for rule in named if rule.detector.judgement is not None)
        judgements = [judgement_of(rule) for rule in judged]
        return cls(
            judged,
            tuple(rule for rule in named if isinstance(rule.detector, Silent)),
            tuple(dict.fromkeys(name for each in judgements for name in each.columns)),
            {ddl.in_duckdb(said): said for rule in judged for said in _conditions(rule)},
            max((each.looks_back // MICROSECOND for each in judgements), default=0),
        )

    @property
    def width(self) -> int:
        """How many numbers a reading has beside its moment."""
        return len(self.columns) + len(self.conditions)


def _conditions(rule: Rule) -> Iterator[str]:
    if isinstance(rule.detector, Burst | InARow) and rule.detector.condition:
        yield rule.detector.condition


def judgement_of(rule: Rule) -> Judgement:
    assert rule.detector.judgement is not None
    return rule.detector.judgement


@dataclass
class Known:
    """What is known of a key: its readings that a rule may still look back to, each a moment and its numbers, and the
    rules that fire."""

    past: list[list[float]] = field(default_factory=list)
    firing: list[str] = field(default_factory=list)


def alerts(readings: DataFrame, watch: Watch, event_time: str, names: Sequence[str]) -> DataFrame:
    """What opens and closes by these rules of a watch, key by key; one row for each.

    A rule of silence needs a clock, and a query with one never ends by itself: leave it out with `availableNow`.
    """
    from pyspark.sql import functions as F

    rules = Rules.of(watch, names)
    numbers = [F.col(f"`{name}`").cast("double") for name in rules.columns]
    numbers += [F.coalesce(F.expr(said), F.lit(False)).cast("double") for said in rules.conditions.values()]
    asked = readings.select(
        F.col(f"`{watch.key}`").alias("key"),
        F.unix_micros(event_time).alias("moment"),
        *(number.alias(f"n{at}") for at, number in enumerate(numbers)),
    )
    clock = "ProcessingTime" if rules.silent else "None"
    return asked.groupBy("key").transformWithStateInPandas(Judging(rules), EVENT, "append", clock)


class Judging(StatefulProcessor):
    """Judges the new readings of a key with what its state has of it; a timer goes off when nothing comes any more."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def init(self, handle: StatefulProcessorHandle) -> None:
        self._handle = handle
        self._state = handle.getValueState("known", "known STRING")

    def handleInputRows(
        self, key: tuple[Any, ...], rows: Iterator[pd.DataFrame], timerValues: TimerValues
    ) -> Iterator[pd.DataFrame]:
        known = self._known()
        events = list(judged(self._rules, str(key[0]), known, pd.concat(rows)))
        for rule in self._rules.silent:
            for timer in list(self._handle.listTimers()):
                self._handle.deleteTimer(timer)
            self._handle.registerTimer(timerValues.getCurrentProcessingTimeInMs() + _span(rule) // 1_000)
        return self._told(known, events)

    def handleExpiredTimer(
        self,
        key: tuple[Any, ...],
        timerValues: TimerValues,  # noqa: ARG002
        expiredTimerInfo: ExpiredTimerInfo,  # noqa: ARG002
    ) -> Iterator[pd.DataFrame]:
        known = self._known()
        return self._told(known, list(fallen_silent(self._rules, str(key[0]), known)))

    def _known(self) -> Known:
        held = self._state.get() if self._state.exists() else None
        return Known() if held is None else Known(**json.loads(held[0]))

    def _told(self, known: Known, events: list[dict[str, Any]]) -> Iterator[pd.DataFrame]:
        self._state.update((json.dumps({"past": known.past, "firing": known.firing}),))
        if events:
            table = pd.DataFrame(events)
            yield table.assign(at=pd.to_datetime(table["at"], unit="us", utc=True))


def judged(rules: Rules, key: str, known: Known, arrived: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """What opens and closes with new readings of a key (`moment`, and `n0`, `n1` ... as `alerts` asks for them), which
    are known from then on."""
    fresh = arrived[["moment", *(f"n{at}" for at in range(rules.width))]].to_numpy(float)
    past = np.array(known.past, float).reshape(-1, rules.width + 1)
    rows = np.concatenate([past, fresh])
    order = np.argsort(rows[:, 0], kind="stable")
    readings = _readings(rules, rows[order], (np.arange(len(rows)) >= len(past))[order])
    first, last = int(fresh[:, 0].min()), int(rows[:, 0].max())
    for rule in [rule for rule in rules.silent if rule.name in known.firing]:
        known.firing.remove(rule.name)
        yield _event(CLOSED, rule, key, first, None, None)
    for rule in rules.judged:
        fired = np.array([QUIET + 1 if rule.name in known.firing else QUIET])
        for turn in turns(rule.name, readings, judgement_of(rule).judge(readings), fired, [key]):
            (known.firing.append if turn.fires else known.firing.remove)(rule.name)
            yield _event(OPENED if turn.fires else CLOSED, rule, key, turn.moment, turn.value, turn.threshold)
    known.past = rows[order][rows[order][:, 0] >= last - rules.looks_back].tolist()


def _readings(rules: Rules, rows: Any, is_new: Any) -> Readings:
    many = len(rules.columns)
    return Readings(
        np.zeros(len(rows), np.int64),
        rows[:, 0].astype(np.int64),
        np.zeros(len(rows), np.int64),
        is_new,
        {name: rows[:, 1 + at] for at, name in enumerate(rules.columns)},
        {said: rows[:, 1 + many + at] > 0 for at, said in enumerate(rules.conditions)},
    )


def fallen_silent(rules: Rules, key: str, known: Known) -> Iterator[dict[str, Any]]:
    """What opens when nothing was heard of a key for as long as a rule waits."""
    last = int(max(moment for moment, *_ in known.past))
    for rule in rules.silent:
        if rule.name not in known.firing:
            known.firing.append(rule.name)
            seconds = _span(rule) / 1e6
            yield _event(OPENED, rule, key, last + _span(rule), seconds, seconds)


def _span(rule: Rule) -> int:
    """For how many microseconds nothing is heard of a key that is silent."""
    assert isinstance(rule.detector, Silent)
    return rule.detector.span // MICROSECOND


def _event(
    event: str, rule: Rule, key: str, moment: int, value: float | None, threshold: float | None
) -> dict[str, Any]:
    said = rule.detector.says(value or 0.0, threshold or 0.0)
    message = f"{rule.name} at {key}: {said}" if event == OPENED else f"{rule.name} at {key} is over"
    return {
        "event": event, "rule": rule.name, "key": key, "severity": rule.severity, "at": moment,
        "value": value, "threshold": threshold, "message": message,
    }  # fmt: skip
