"""Activity while its servers are stopped and its programs are killed: everything arrives, once, and stays as it is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from deltalake import DeltaTable

from tests.activity import reference
from tests.activity.test_pipeline import in_order, written
from tests.reference import compare_lakes, tables
from tests.runs import Job, Killed, killed_at_random, until
from tests.servers import mongodb, registry
from tests.servers.kafka import send
from tests.servers.test_avro import live
from tests.servers.test_feed_kafka import received
from tests.sinks import bigquery_server as bigquery
from tests.tier import nightly
from vigie import feeding
from vigie.activity import edits, simulator
from vigie.activity.pipeline import changes, user_events
from vigie.address import Kafka
from vigie.core.ingest.avro_schemas import numbers_in
from vigie.engines.spark.kafka_broker import Broker
from vigie.feed import Pace, Simulate, Simulation, Tick, feed
from vigie.graph import Source
from vigie.lake import Lake, rows
from vigie.settings import read_settings

VIGIE = str(Path(sys.executable).with_name("vigie"))
V2 = str(user_events.avro[-1].with_name("user_activity.v2.avsc"))
TABLES = ("user_activity", "recent_changes")
GOLD = (*reference.GOLD, "sessions")
# More than the ten minutes that a window is waited for; a quarter of it is less, and so never late beside another.
LONG_S = 28 * 60.0
KEYS, SEED = 10, 7
EVENTS, A_SECOND, A_BATCH = 3_000, 400, 1_000
pytestmark = nightly
FEEDS_KILLED, RUNS_KILLED = 3, 2
# The topic's key is the title: edits of one user stand in both partitions, and which are looked at together is a
# matter of the moment.
OF_TWO_PARTITIONS = "EDIT_BURST"


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongodb.Server]:
    with mongodb.a_server(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Topics:
    """What a run of activity reads."""

    users: Kafka
    wikis: Kafka

    @property
    def addresses(self) -> str:
        return f"user_activity={self.users} recent_changes={self.wikis}"


def topics_of(broker: Broker, name: str) -> Topics:
    made = Topics(Kafka(broker.servers, f"{name}-users"), Kafka(broker.servers, f"{name}-wikis"))
    for topic in (made.users, made.wikis):
        broker.create_topic(topic.topic)
    return made


def parts(simulate: Simulate, source: Source, schemas: Sequence[str | None]) -> list[list[Tick]]:
    """The last half hour, in as many parts as there are schemas, each part as its schema has it."""
    start = time.time() - LONG_S - 60
    ends = [start + LONG_S * at / len(schemas) for at in range(len(schemas) + 1)]
    found = []
    for begin, end, schema in zip(ends, ends[1:], schemas, strict=False):
        simulation = Simulation(start, KEYS, seed=SEED, fields=feeding.fields_of(source, schema))
        ticks = takewhile(lambda tick, end=end: tick.at < end, simulate(simulation))  # type: ignore[misc]
        found.append([tick for tick in ticks if tick.at >= begin])
    return found


def by_avro(source: Source, ticks: Sequence[Tick], to: Kafka, schema: str | None = None) -> Iterator[Tick]:
    """Ticks as they are written to Kafka: their schema is registered when this returns."""
    return feeding.framed(source, iter(ticks), to, read_settings(), schema)


def fed(ticks: Iterator[Tick], to: Kafka) -> None:
    feed(ticks, to, pace=Pace(real_time=False), stop=threading.Event(), progress=lambda _: None)


def silver_of(sent: Sequence[Sequence[Tick]], row: Any) -> reference.Silver:
    """What silver makes of it."""
    silver = reference.Silver()
    silver.take((row(value) for part in sent for tick in part for _, value in tick.messages), datetime.now(UTC))
    return silver


def holds(lake: Path, table: str, sent: Sequence[Sequence[Tick]]) -> bool:
    """Whether silver has as many rows as were sent."""
    return tables.rows(lake, f"silver/{table}").height == sum(len(tick.messages) for part in sent for tick in part)


def said(run: subprocess.Popen[str], words: str) -> str:
    """The next line of its log that has these words."""
    assert run.stderr is not None
    others = []
    for line in run.stderr:
        if words in line:
            return line
        others.append(line)
    raise AssertionError(f"the run ended without a word of '{words}': {others}")


@contextmanager
def away(broker: Broker) -> Iterator[None]:
    """While in here, nobody answers at its address."""
    broker.__exit__(None, None, None)
    try:
        yield
    finally:
        broker.__enter__()


@pytest.mark.timeout(600)
def test_mongodb_the_registry_and_kafka_are_stopped_in_the_middle_of_a_run_and_everything_arrives_once(
    broker: Broker, schemas: registry.Server, mongo: mongodb.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", mongo.address)
    mongo.clear()
    lake, topics = tmp_path / "lake", topics_of(broker, "stopped")
    users = parts(simulator.simulate, user_events, [None, None, V2, V2])
    wikis = parts(edits.simulate, changes, [None])
    of_users, of_wikis = silver_of(users, reference.event_row), silver_of(wikis, reference.change_row)
    expected, closed = dict(zip(TABLES, (of_users, of_wikis), strict=True)), gold_of(of_users, of_wikis)
    fed(by_avro(changes, wikis[0], topics.wikis), topics.wikis)
    fed(by_avro(user_events, users[0], topics.users), topics.users)

    with live(Job(str(lake), topics.addresses, "activity", once=False)) as run:
        until(lambda: holds(lake, "user_activity", users[:1]))

        mongo.stop()
        fed(by_avro(user_events, users[1], topics.users), topics.users)
        said(run, "MongoDB is away")
        mongo.start()
        until(lambda: holds(lake, "user_activity", users[:2]))

        of_version_2 = by_avro(user_events, users[2], topics.users, V2)
        schemas.stop()
        fed(of_version_2, topics.users)
        said(run, "Waiting for schema")
        schemas.start()
        until(lambda: holds(lake, "user_activity", users[:3]))

        last = by_avro(user_events, users[3], topics.users, V2)
        is_connected, is_away = threading.Event(), threading.Event()

        def while_it_is_away() -> Iterator[Tick]:
            is_connected.set()
            is_away.wait()
            yield from last

        feeding_on = threading.Thread(target=fed, args=[while_it_is_away(), topics.users])
        feeding_on.start()
        is_connected.wait()
        with away(broker):
            is_away.set()
            told = said(run, "the Kafka broker went away")
        feeding_on.join()

        until(lambda: holds(lake, "user_activity", users))
        collections = {f"{kind}{table}": len(expected[table].rows) for kind in ("", "accepted_") for table in TABLES}
        until(lambda: {name: mongo.count(name) for name in collections} == collections)
        until(lambda: gold(lake) == closed)

    assert "asked for again in 5 s" in told and "Nothing is lost." in told
    for table in TABLES:
        assert in_order(written(lake, f"silver/{table}")) == in_order(expected[table].rows.values())
        for collection in (table, f"accepted_{table}"):
            assert [each["_id"] for each in mongo.all(collection)] == sorted(expected[table].rows)
            assert mongo.count(f"{collection}_dead_letters") == 0
    # No table has the field of version 2; the raw lake has it.
    of_version = {1: False, 2: True}
    assert {each["schema_version"]: "referrer" in each for each in mongo.all("user_activity")} == of_version
    assert set(tables.rows(lake, "silver/user_activity")["schema_version"]) == {1, 2}


def gold(lake: Path) -> dict[str, list[str]]:
    return {table: in_order(written(lake, f"gold/activity/{table}")) for table in GOLD}


def gold_of(users: reference.Silver, wikis: reference.Silver) -> dict[str, list[str]]:
    """What gold makes of silver."""
    made = {table: reference.gold(table, wikis if table == "edits_per_minute" else users) for table in reference.GOLD}
    return {table: in_order(rows) for table, rows in {**made, "sessions": reference.sessions(users)}.items()}


@dataclass(frozen=True, slots=True)
class Torn:
    """A lake whose feed and whose runs were killed, and the same topics gone through by an undisturbed run."""

    job: Job
    topics: Topics
    differences: list[str]
    warehouse: bigquery.Server
    story: str

    @property
    def lake(self) -> Path:
        return Path(self.job.lake)


@pytest.fixture(scope="module")
def torn(
    broker: Broker, schemas: registry.Server, mongo: mongodb.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Torn]:
    """The last run of a lake begins without its registry, which it does not need."""
    folder, topics = tmp_path_factory.mktemp("torn"), topics_of(broker, "torn")
    seed = random.randrange(2**32)
    job = Job(str(folder / "torn"), topics.addresses, "activity")
    [wikis] = parts(edits.simulate, changes, [None])
    fed(by_avro(changes, wikis, topics.wikis), topics.wikis)
    mongo.clear()
    with bigquery.a_server(folder) as warehouse:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("VIGIE_MONGO", mongo.address)
            environment.setenv("VIGIE_BIGQUERY_PROJECT", bigquery.PROJECT)
            environment.setenv("VIGIE_BIGQUERY_ENDPOINT", warehouse.endpoint)
            small = replace(job, once=False, messages_a_batch=A_BATCH)
            arrived, made = killed(small, topics.users, seed)
            killed_once_it_keeps_schemas(small)
            schemas.stop()
            code, _, complained = job.finish()
            schemas.start()
            story = f"seed {seed}, feeds killed after {arrived} messages and runs after {made} commits; {complained}"
            assert code == 0, story
            assert "The run goes on by the schemas that the lake keeps" in complained
        read_to_the_end = replace(job, idle_s=0)  # so that no clock says how far the windows are given
        for lake in ("torn", "whole"):
            code, _, complained = replace(read_to_the_end, lake=str(folder / lake)).finish()
            assert code == 0, complained
        yield Torn(read_to_the_end, topics, compare_lakes(folder / "whole", folder / "torn"), warehouse, story)


def killed(job: Job, users: Kafka, seed: int) -> tuple[list[int], list[Killed]]:
    """Kill the feed of users, which is begun again from its start, and runs beside it; after how much each time."""
    arrived: list[int] = []
    feeding_on = threading.Thread(target=fed_by_killed_feeds, args=[users, random.Random(seed), arrived])
    feeding_on.start()
    chance = random.Random(seed + 1)
    made = [killed_at_random(job, chance, with_children=bool(at % 2)) for at in range(RUNS_KILLED)]
    feeding_on.join()
    return arrived, made


def killed_once_it_keeps_schemas(job: Job) -> None:
    """Those of both topics: the runs before it may have died too early to meet any."""
    kept = [Lake(Path(job.lake)).schemas("activity", source) for source in TABLES]
    process = job.start()
    try:
        until(lambda: all(map(numbers_in, kept)) or process.poll() is not None)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert all(map(numbers_in, kept))


def fed_by_killed_feeds(to: Kafka, chance: random.Random, arrived: list[int]) -> None:
    command = [
        VIGIE,
        "feed",
        "activity",
        "user_activity",
        "--to",
        str(to),
        "--rows",
        str(EVENTS),
        "--rate",
        str(A_SECOND),
    ]
    command += ["--keys", str(KEYS), "--seed", str(SEED), "--start", str(time.time() - 3_000)]
    quiet = partial(subprocess.Popen[bytes], command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(FEEDS_KILLED):
        wanted = length(to) + chance.randint(1, EVENTS // 4)
        with quiet() as process:
            until(lambda wanted=wanted: length(to) >= wanted)
            process.kill()
        arrived.append(length(to))
    with quiet() as process:
        assert process.wait(120) == 0


def length(topic: Kafka) -> int:
    """How many messages a topic has."""
    consumer = Consumer({"bootstrap.servers": topic.servers, "group.id": "test"})
    try:
        return sum(
            consumer.get_watermark_offsets(TopicPartition(topic.topic, partition), timeout=10)[1]
            for partition in (0, 1)
        )
    finally:
        consumer.close()


@pytest.mark.timeout(600)
def test_a_feed_and_runs_that_are_killed_leave_the_tables_of_an_undisturbed_run(torn: Torn) -> None:
    # What a feed sends again is a repeat or late, as the runs' batches were cut.
    other = [difference for difference in torn.differences if not difference.startswith(("late/", "_vigie/"))]
    assert other == [], torn.story
    users = tables.rows(torn.lake, "silver/user_activity")
    assert users.height == users["event_id"].n_unique() == EVENTS, torn.story
    for table in GOLD:
        assert tables.rows(torn.lake, f"gold/activity/{table}").height > 0, torn.story
    assert alerts(torn.lake) == alerts(torn.lake.with_name("whole")) != set(), torn.story
    assert outcomes(torn.lake, "user_activity")["again"] == length(torn.topics.users) - EVENTS > 0, torn.story


def alerts(lake: Path) -> set[tuple[object, ...]]:
    """What was raised, and when it was over."""
    found = [row for row in rows(Lake(lake).alerts("activity")) if row["rule"] != OF_TWO_PARTITIONS]
    return {tuple(row[name] for name in ("alert_id", "opened_at", "closed_at")) for row in found}


def outcomes(lake: Path, table: str) -> dict[str, int]:
    """What the ledger says became of the messages of a silver table: those that came again are repeats, or late."""
    entries = [entry for entry in rows(Lake(lake).ledger("activity")) if entry["table"] == f"silver/{table}"]
    sums = {
        name: sum(entry[name] for entry in entries) for name in ("read", "accepted", "quarantined", "duplicate", "late")
    }
    return {**sums, "again": sums["duplicate"] + sums["late"]}


@pytest.mark.timeout(600)
def test_whole_topics_that_are_produced_again_change_nothing_but_bronze_and_the_ledger(
    torn: Torn, broker: Broker, mongo: mongodb.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", mongo.address)
    monkeypatch.setenv("VIGIE_BIGQUERY_PROJECT", bigquery.PROJECT)
    monkeypatch.setenv("VIGIE_BIGQUERY_ENDPOINT", torn.warehouse.endpoint)
    before, counted = everything(torn, mongo), {table: outcomes(torn.lake, table) for table in TABLES}
    for topic in (torn.topics.users, torn.topics.wikis):
        messages = [message for partition in received(topic).values() for message in partition]
        send(broker, topic.topic, messages)

    code, _, complained = torn.job.finish()

    assert code == 0, complained
    assert everything(torn, mongo) == before
    for table, topic in zip(TABLES, (torn.topics.users, torn.topics.wikis), strict=True):
        sent = length(topic)
        now = outcomes(torn.lake, table)
        assert tables.rows(torn.lake, f"bronze/{table}").height == now["read"] == sent
        grown = {name: now[name] - counted[table][name] for name in now}
        assert (grown["read"], grown["accepted"], grown["quarantined"], grown["again"]) == (sent // 2, 0, 0, sent // 2)


def everything(torn: Torn, mongo: mongodb.Server) -> dict[str, Any]:
    """What readers see: each table of silver and gold by its version, MongoDB and BigQuery by all that they hold."""
    names = [*(f"silver/{table}" for table in TABLES), *(f"gold/activity/{table}" for table in GOLD)]
    held: dict[str, Any] = {name: DeltaTable(torn.lake / name).version() for name in names}
    for table in TABLES:
        raw, documents = mongo.all(table), mongo.all(f"accepted_{table}")
        lines = torn.warehouse.ask(f"SELECT * FROM {table} ORDER BY event_id")
        there = sorted(row["event_id"] for row in rows(torn.lake / f"silver/{table}"))
        assert [document["_id"] for document in documents] == [document["_id"] for document in raw] == there
        assert [line[0] for line in lines] == there
        held |= {f"raw {table}": raw, f"accepted {table}": documents, f"bigquery {table}": lines}
    return held
