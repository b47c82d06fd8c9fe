"""Pipelines that nobody wrote come to the same on both engines, in whatever batches, and for DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Event

import pytest

from tests.conformance.compare import like, same
from tests.conformance.generated import KEPT, RECEIVED, SILVER, Expected, Made, Rows, drawn, expected
from tests.core.loops import begun
from tests.core.partitions import Partitions
from tests.reference import compare_lakes
from tests.tier import by_night
from vigie import Pipeline
from vigie.core.alerts.watch import Watchman
from vigie.core.engine import Engine
from vigie.core.ledger import Entry
from vigie.engines.spark.engine import Spark
from vigie.engines.spark.server import Server
from vigie.lake import Lake, is_table, rows

PARTS = ("read", "accepted", "quarantined", "duplicate", "late")
BATCHES = {"embedded": (1, 2, 3, 7, 20), "spark": (1, 2, 3)}
FEW = 0, 10_000, 20  # messages that Spark's executors are spared: none, all, and some batches of a pipeline
SEEDS = by_night(range(200), few=range(1, 4))


def lake_of(folder: Path, engine: Engine, made: Made, pipeline: Pipeline, chance: Random) -> tuple[Path, list[Entry]]:
    """All of its messages in so many batches, cut anywhere, with a new start between some of them; what was told."""
    messages = [[(message, RECEIVED) for message in partition] for partition in made.partitions]
    batches = chance.choice(BATCHES[engine.name])
    most = 2 * max([1, *map(len, made.partitions)]) // batches

    def take(left: list[int]) -> list[int]:
        return left if batches == 1 else [min(each, chance.randrange(most + 1)) for each in left]

    told: list[Entry] = []
    source, graph, place = Partitions(messages, take), pipeline.graph(), Lake(folder / engine.name)
    loop, watchman = begun(place.root, engine, pipeline, source, told), Watchman(place, graph, graph.watches[0])
    while loop.ingest() or loop.follow():
        if chance.random() < 0.5:
            watchman.look()
        if chance.random() < 0.3:
            loop.close()
            loop, watchman = begun(place.root, engine, pipeline, source, told), Watchman(place, graph, graph.watches[0])
    watchman.catch_up(Event())
    loop.close()
    return place.root, told


def apart(lake: Path, told: Sequence[Entry], made: Made, wanted: Expected) -> list[str]:
    """What sets a lake apart from what must have come of its messages."""
    asked = ["seen_until", *(f"e{at}" for at in range(len(made.columns)))]
    found = [
        *_apart(SILVER, held(lake / SILVER, [*KEPT, *asked]), wanted.silver),
        *_apart("quarantine", held(lake / "quarantine/generated", ["partition", "offset"]), wanted.quarantined),
        *_apart("late", held(lake / "late/generated", ["partition", "offset"]), wanted.late),
        *_apart("alerts", held(Lake(lake).alerts("generated"), ["key", "opened_at", "closed_at"]), wanted.alerts),
    ]
    for table in made.gold:
        found += _apart(table.name, held(lake / "gold" / table.name, table.columns), wanted.gold[table.name])
    for address, sums in wanted.totals.items():
        parts = PARTS if address == SILVER else ("read", "late")
        ours = [sum(getattr(entry, part) or 0 for entry in told if entry.table == address) for part in parts]
        if ours != sums:
            found.append(f"the ledger says {dict(zip(parts, ours, strict=True))} of {address}, and it is {sums}")
    return found


def held(table: Path, columns: Sequence[str]) -> Rows:
    return [tuple(row[name] for name in columns) for row in rows(table)] if is_table(table) else []


def _apart(name: str, ours: Rows, wanted: Rows) -> list[str]:
    if len(ours) != len(wanted):
        return [f"{name} has {len(ours)} rows, and there are {len(wanted)}"]
    pairs = zip(sorted(ours, key=like), sorted(wanted, key=like), strict=True)
    far = [(one, other) for one, other in pairs if not same(one, other, exact=False)]
    return [f"{name}: {len(far)} rows differ, as {far[0][0]}, which is {far[0][1]}"] if far else []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(300)
def test_both_engines_give_what_duckdb_gives(embedded: Engine, server: Server, tmp_path: Path, seed: int) -> None:
    made, chance = drawn(seed), Random(seed)
    wanted = expected(made)
    spark = Spark(server, FEW[seed % len(FEW)])

    lakes = [lake_of(tmp_path, engine, made, made.pipeline(), chance) for engine in (embedded, spark)]

    for lake, told in lakes:
        assert apart(lake, told, made, wanted) == [], lake.name
    assert compare_lakes(lakes[0][0], lakes[1][0]) == []


@pytest.mark.parametrize("seed", by_night(range(200, 500), few=range(200, 208)))
@pytest.mark.timeout(120)
def test_the_embedded_engine_gives_what_duckdb_gives(embedded: Engine, tmp_path: Path, seed: int) -> None:
    made = drawn(seed)

    lake, told = lake_of(tmp_path, embedded, made, made.pipeline(), Random(seed))

    assert apart(lake, told, made, expected(made)) == []
