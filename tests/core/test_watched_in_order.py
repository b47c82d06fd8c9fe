"""A watch by another key than the source's: over a table of settled rows it meets them in the order of time, whatever
partitions they came by and however that was cut into batches."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.core.loops import begun
from tests.core.partitions import Partitions
from vigie import Pipeline
from vigie.core.alerts.watch import Watchman
from vigie.core.ledger import Entry
from vigie.detectors import Above
from vigie.engines.embedded.engine import Embedded
from vigie.lake import Lake, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RECEIVED = datetime(2026, 6, 1, 14, tzinfo=UTC)  # long ago: partitions that were read to their ends are idle
MINUTE = timedelta(minutes=1)
LIMIT = 30.0

shops = Pipeline("shops")
visited = shops.source("visited", schema="page STRING, who STRING, t TIMESTAMP, euros DOUBLE", key="page")


@shops.silver(
    "visits",
    reads=visited,
    schema="page STRING, who STRING, t TIMESTAMP, euros DOUBLE",
    event_time="t",
    late_by="6 minutes",
)
def visits(rows: DataFrame) -> DataFrame:
    return rows


@shops.gold("visits_in_order", reads=visits, late_by="1 minute", looks_back="1 second")
def visits_in_order(rows: DataFrame) -> DataFrame:
    """Each visit, once no earlier one can come."""
    return rows.select("who", "t", "euros")


shops.watch(visits_in_order, key="who").alert("SPENDS", Above("euros", LIMIT))

Visit = tuple[datetime, str, float]


def a_partition(chance: random.Random, size: int) -> list[Visit]:
    at, made = NOON + chance.randrange(200) * timedelta(seconds=1), list[Visit]()
    for _ in range(size):
        at += timedelta(seconds=chance.choice([1, 5, 20, 60]))
        behind = timedelta(seconds=chance.choice([0] * 6 + [30, 59, 90]))
        made.append((at - behind, chance.choice("ab"), chance.choice([10.0, 40.0])))
    return made


def expected(partitions: list[list[Visit]]) -> set[tuple[str, datetime, datetime | None]]:
    """Who spends too much from when to when, of the visits that came in time, in the order of time."""
    in_time, newest = list[Visit](), list[datetime]()
    for visits in partitions:
        reached = None
        for visit in visits:
            if reached is None or visit[0] >= reached - MINUTE:
                in_time.append(visit)
            reached = visit[0] if reached is None else max(reached, visit[0])
        newest.append(reached or NOON)
    # All are idle once they were read to their ends: the one that came furthest says what is settled.
    settled = [visit for visit in in_time if visit[0] < max(newest) - MINUTE]
    moments: dict[str, dict[datetime, bool]] = defaultdict(dict)
    for at, who, euros in settled:
        moments[who][at] = moments[who].get(at, False) or euros > LIMIT
    found = set[tuple[str, datetime, datetime | None]]()
    for who, fires in moments.items():
        since: datetime | None = None
        for at in sorted(fires):
            if fires[at] and since is None:
                since = at
            elif not fires[at] and since is not None:
                found.add((who, since, at))
                since = None
        if since is not None:
            found.add((who, since, None))
    return found


@pytest.mark.timeout(300)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32), how_many=st.integers(2, 3), most=st.sampled_from([0, 30, 8]))
def test_alerts_are_those_of_the_order_of_time(
    engine: Embedded, tmp_path_factory: pytest.TempPathFactory, seed: int, how_many: int, most: int
) -> None:
    chance, lake, told = random.Random(seed), tmp_path_factory.mktemp("lake"), list[Entry]()
    partitions = [a_partition(chance, chance.choice([10, 40])) for _ in range(how_many)]
    messages = [
        [
            (json.dumps({"page": f"p{number}", "who": who, "t": at.isoformat(), "euros": euros}).encode(), RECEIVED)
            for at, who, euros in visits
        ]
        for number, visits in enumerate(partitions)
    ]
    source = Partitions(messages, lambda left: [chance.randrange(most + 1) if most else each for each in left])
    loop = begun(lake, engine, shops, source, told)
    [watch] = shops.graph().watches
    while loop.ingest() or loop.follow():
        if most and chance.random() < 0.5:
            loop.follow()
            Watchman(Lake(lake), shops.graph(), watch).catch_up(Event())
    Watchman(Lake(lake), shops.graph(), watch).catch_up(Event())

    found = {(row["key"], row["opened_at"], row["closed_at"]) for row in rows(Lake(lake).alerts("shops"))}
    assert found == expected(partitions)
