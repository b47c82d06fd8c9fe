"""What a watch finds does not hang on how the input was cut, also where partitions are hours apart."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.core.loops import begun
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.core.alerts.watch import Watchman
from vigie.detectors import SuddenChange
from vigie.engines.embedded.engine import Embedded
from vigie.lake import Lake, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RECEIVED = NOON + timedelta(days=1)
LATE_S, WITHIN_S, BY = 60, 600, 5.0

stoves = Pipeline("stoves")
heat = stoves.source("heat", schema="k STRING, t TIMESTAMP, c DOUBLE", key="k")


@stoves.silver("readings", reads=heat, schema="k STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="1 minute")
def readings(rows: DataFrame) -> DataFrame:
    return rows


stoves.watch(readings, key="k").alert("JUMP", SuddenChange("c", by=BY, within="10 minutes"))

Reading = tuple[str, int, float]  # whose, seconds after noon, its value


def opened(
    lake: Path, engine: Embedded, partitions: Sequence[Sequence[Reading]], take: Sequence[int], restarts: bool
) -> set[tuple[str, int]]:
    """Who jumped when, with batches of so many of each partition, and the rest at the end."""
    messages = [
        [
            (json.dumps({"k": k, "t": (NOON + timedelta(seconds=s)).isoformat(), "c": c}).encode(), RECEIVED)
            for k, s, c in those
        ]
        for those in partitions
    ]
    steps = iter(take)
    source = Partitions(messages, lambda left: [min(next(steps, 10**9), each) for each in left])
    graph, loop = stoves.graph(), begun(lake, engine, stoves, source, [])
    watchman = Watchman(Lake(lake), graph, graph.watches[0])
    while loop.ingest():
        while watchman.look():
            pass
        if restarts:
            watchman = Watchman(Lake(lake), graph, graph.watches[0])
    events = rows(Lake(lake).alert_events("stoves"))
    return {
        (event["key"], round((event["opened_at"] - NOON).total_seconds()))
        for event in events
        if event["event"] == "opened"
    }


def expected(partitions: Sequence[Sequence[Reading]]) -> set[tuple[str, int]]:
    """Of the readings that were in time, taken one by one, partition by partition: each is judged by those of its key
    that came before it, of its last ten minutes. What was overtaken ends nothing that began after it."""
    found = set()
    for those in partitions:
        come = None
        before: list[Reading] = []
        since: dict[str, int] = {}
        for k, s, c in those:
            is_late = come is not None and s < come - LATE_S
            come = s if come is None else max(come, s)
            if is_late:
                continue
            near = [other for key, at, other in before if key == k and s - WITHIN_S <= at <= s]
            fires = any(abs(other - c) > BY for other in near)
            if fires and k not in since:
                since[k] = s
                found.add((k, s))
            elif not fires and k in since and s >= since[k]:
                del since[k]
            before.append((k, s, c))
    return found


def a_partition(chance: random.Random, name: str, begins: int) -> list[Reading]:
    at, made = begins, list[Reading]()
    for _ in range(chance.choice([5, 40])):
        at += chance.choice([0, 5, 30, 300, 900])
        made.append(
            (f"{name}{chance.randrange(2)}", at - chance.choice([0] * 4 + [5, 30]), chance.choice([1.0, 4.0, 9.0]))
        )
    return made


@pytest.mark.timeout(300)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32), apart=st.sampled_from([0, 10_800]), restarts=st.booleans())
def test_alerts_are_those_of_one_by_one(
    engine: Embedded, tmp_path_factory: pytest.TempPathFactory, seed: int, apart: int, restarts: bool
) -> None:
    chance = random.Random(seed)
    partitions = [a_partition(chance, name, number * apart) for number, name in enumerate("ab")]
    take = chance.choice([[], [1] * 30, [5], [3] * 20])

    found = opened(tmp_path_factory.mktemp("lake"), engine, partitions, take, restarts)

    assert found == expected(partitions)


FAR_APART = [
    [("a", 10_800, 1.0), ("a", 10_801, 1.0), ("a", 10_802, 1.0)],
    [("b", 0, 1.0), ("b", 30, 1.0), ("b", 60, 9.0)],
]
OVERTAKEN = [[("a", 0, 1.0), ("b", 30, 1.0), ("b", 60, 1.0), ("b", 55, 9.0), ("far", 3_600, 1.0)]]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("take", [[], [1], [1] * 9], ids=["at once", "one first", "one by one"])
@pytest.mark.parametrize(
    ("partitions", "jumps"), [(FAR_APART, {("b", 60)}), (OVERTAKEN, {("b", 55)})], ids=["far apart", "overtaken"]
)
def test_what_a_rule_looks_back_to_is_there_until_nothing_can_come_that_needs_it(  # noqa: PLR0913
    engine: Embedded,
    tmp_path: Path,
    partitions: list[list[Reading]],
    jumps: set[tuple[str, int]],
    take: list[int],
    restarts: bool,
) -> None:
    assert opened(tmp_path, engine, partitions, take, restarts) == jumps == expected(partitions)
