"""The three pipelines over both engines, from a folder and from Kafka, in order and out of order: equal to each other,
and to what is worked out without either."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.activity import reference
from tests.activity.test_pipeline import in_order, written
from tests.reference import compare, compare_lakes, tables
from tests.runs import Job, an_inbox
from tests.sensors.test_pipeline import AGGREGATES
from tests.servers import registry
from tests.servers.kafka import send
from tests.tier import nightly
from vigie.address import Kafka
from vigie.engines.spark.kafka_broker import Broker
from vigie.engines.spark.server import Server
from vigie.feed import Simulation, Tick
from vigie.feeding import framed
from vigie.graph import Source
from vigie.lake import Lake, rows
from vigie.pipeline import load
from vigie.settings import read_settings

pytestmark = [nightly, pytest.mark.timeout(1_800)]

START = 1_748_779_200.0  # a noon long past
LASTS_S = 45 * 60.0
KEYS = {"flights": 20, "sensors": 60, "activity": 15}
INTERVALS = {"weather": 60.0, "maintenance": 600.0}
FILES, PARTITIONS, A_BATCH = 4, 3, 2_000
# Messages that are judged by the run itself on Spark: none, or those of the smaller batches.
FEW = {"folder": "0", "kafka": str(A_BATCH * 3 // 4)}
# The oracle of flights has no clock: the slowest partition holds every window back. In the others a partition may have
# no message at all, and none that was read to its end holds anything back.
IDLE_S = {"flights": 1e6}
# What ranks all keys together, or looks at a key in two partitions: which readings are looked at together is a matter
# of the moment.
OF_THE_MOMENT = {"OFF_COURSE", "EDIT_BURST"}


@pytest.fixture(scope="module")
def spark() -> Iterator[str]:
    """Where a Connect server listens."""
    running = Server(read_settings())
    yield running.start()
    running.stop()


def sent(source: Source, keys: int, *, disordered: bool) -> list[Tick]:
    """What a source's own simulator sends, 2 % of it faulty. Disordered, a third comes up to eight minutes after its
    time, which windows wait for or not, and a fiftieth up to forty, which is more than silver waits."""
    assert source.simulated is not None
    simulation = Simulation(START, keys, INTERVALS.get(source.name, 10.0), seed=7, faults=0.02)
    ticks = takewhile(lambda tick: tick.at < START + LASTS_S, source.simulated(simulation))
    every = [(tick.at, message) for tick in ticks for message in tick.messages]
    if disordered:
        chance = random.Random(source.name)

        def delay() -> float:
            drawn = chance.random()
            return chance.uniform(0, 2_400 if drawn < 0.02 else 480) if drawn < 0.33 else 0.0

        every = sorted(((at + delay(), message) for at, message in every), key=lambda each: each[0])
    return [Tick(at, [message]) for at, message in every]


def values(ticks: Iterable[Tick]) -> list[bytes]:
    return [value for tick in ticks for _, value in tick.messages]


def in_a_folder(feeds: Mapping[str, Sequence[Tick]], folder: Path) -> str:
    """Each source's messages in a few files, each of which is a batch; what `--from` is told."""
    for name, ticks in feeds.items():
        size = -(-len(ticks) // FILES)
        an_inbox(folder / name, *(values(ticks[at : at + size]) for at in range(0, len(ticks), size)))
    return " ".join(f"{name}=inbox:{folder / name}" for name in feeds)


def in_kafka(sources: Mapping[str, Source], feeds: Mapping[str, Sequence[Tick]], broker: Broker, prefix: str) -> str:
    """Each source's messages in a topic of several partitions, as Avro where it is such a source."""
    told = []
    for name, ticks in feeds.items():
        topic = f"{prefix}-{name}"
        written_there = framed(sources[name], iter(ticks), Kafka(broker.servers, topic), read_settings())
        messages = [message for tick in written_there for message in tick.messages]
        told.append(f"{name}={send(broker, topic, messages, PARTITIONS)}")
    return " ".join(told)


def alerts(lake: Path, pipeline: str) -> set[tuple[object, ...]]:
    found = [row for row in rows(Lake(lake).alerts(pipeline)) if row["rule"] not in OF_THE_MOMENT]
    return {tuple(row[name] for name in ("alert_id", "opened_at", "closed_at")) for row in found}


IN_TIME = "seen_until IS NULL OR event_timestamp >= seen_until - INTERVAL 10 MINUTE"
READINGS = f"""SELECT sensor_id, time_bucket(INTERVAL 5 MINUTE, event_timestamp) AS window_start,
    window_start + INTERVAL 5 MINUTE AS window_end, {AGGREGATES} FROM silver GROUP BY ALL"""


def other_windows(lake: Path, silver: str, gold: str, query: str) -> list[str]:
    """The windows of a table that are not what DuckDB makes of those rows of silver that were in time for them."""
    given = written(lake, gold)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("every_row", tables.rows(lake, silver).to_arrow())
        database.execute(f"CREATE VIEW silver AS SELECT * FROM every_row WHERE {IN_TIME}")
        wanted = {*in_order(rounded(database.sql(query).to_arrow_table().to_pylist()))}
    assert given, f"{gold} is empty"
    return [f"{gold}: {row}" for row in in_order(rounded(given)) if row not in wanted]


def rounded(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums of floating numbers hang on their order in the last digits."""
    return [
        {name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in row.items()}
        for row in found
    ]


def of_sensors(lake: Path) -> list[str]:
    return other_windows(lake, "silver/sensor_readings", "gold/sensors/readings_5m", READINGS)


def of_activity(lake: Path) -> list[str]:
    return [
        said
        for name, query in reference.GOLD.items()
        for said in other_windows(
            lake,
            "silver/recent_changes" if name == "edits_per_minute" else "silver/user_activity",
            f"gold/activity/{name}",
            query,
        )
    ]


ORACLES: Mapping[str, Callable[[Path], list[str]]] = {
    "flights": compare,
    "sensors": of_sensors,
    "activity": of_activity,
}


@pytest.mark.parametrize("place", ["folder", "kafka"])
@pytest.mark.parametrize("disordered", [False, True], ids=["ordered", "disordered"])
@pytest.mark.parametrize("name", ORACLES)
def test_both_engines_fill_the_lake_that_duckdb_and_polars_work_out(  # noqa: PLR0913
    broker: Broker,
    schemas: registry.Server,  # noqa: ARG001  (settings name it)
    spark: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    disordered: bool,
    place: str,
) -> None:
    monkeypatch.setenv("VIGIE_SPARK_FEW", FEW[place])
    sources = {source.name: source for source in load(name).graph().sources}
    feeds = {each: sent(source, KEYS[name], disordered=disordered) for each, source in sources.items()}
    if place == "folder":
        address = in_a_folder(feeds, tmp_path / "inbox")
    else:
        address = in_kafka(sources, feeds, broker, f"{name}-{disordered}")

    for engine in ("embedded", spark):
        lake = str(tmp_path / engine.partition(":")[0])
        job = Job(lake, address, name, messages_a_batch=A_BATCH, idle_s=IDLE_S.get(name, 0), engine=engine)
        code, _, complained = job.finish(900)
        assert code == 0, complained

    assert ORACLES[name](tmp_path / "sc") == []
    assert compare_lakes(tmp_path / "embedded", tmp_path / "sc") == []
    assert alerts(tmp_path / "embedded", name) == alerts(tmp_path / "sc", name)
    assert {row["engine"] for row in rows(Lake(tmp_path / "sc").ledger(name))} == {"spark"}
    if disordered:
        assert sum(row["late"] or 0 for row in rows(Lake(tmp_path / "sc").ledger(name))) > 0
    if place == "kafka":
        first = next(iter(sources))
        assert {row["partition"] for row in rows(Lake(tmp_path / "sc").bronze(first))} == {*range(PARTITIONS)}
