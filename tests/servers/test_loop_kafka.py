"""The loop over a real Kafka: whatever batches a topic of several partitions is cut into, one answer, killed or not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.reference import compare_lakes, tables
from tests.runs import GARBAGE, Job, killed_at_random, simulated
from tests.servers.test_flights_kafka import Messages, a_broker, keyed
from tests.tier import by_night
from vigie.engines.spark.kafka_broker import Broker

PARTITIONS = 3
KILLS = by_night(20, few=3)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with a_broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def filled(broker: Broker, topic: str, messages: Messages) -> str:
    """A topic of several partitions with these messages, each key in one of them; its address."""
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": broker.servers, "message.max.bytes": 12_000_000})
    for key, value in messages:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
    return f"kafka://{broker.servers}/{topic}"


def taken(lake: Path, address: str, messages: int) -> list[str]:
    job = Job(str(lake), address, messages_a_batch=messages, idle_s=0)
    code, written, complained = job.finish()
    assert code == 0, complained
    return written.splitlines()


@pytest.mark.timeout(600)
def test_a_topic_in_one_batch_and_in_many_and_killed_on_the_way_leaves_the_same_lake(
    broker: Broker, tmp_path: Path
) -> None:
    garbage: Messages = [(b"\xff\x00", value) for value in GARBAGE.values()]
    address = filled(broker, "cut", [*keyed(simulated(12_000)), *garbage, (None, None)])

    assert taken(tmp_path / "one", address, 10**6).count("ledger") == 2, "one, and one in which all are idle"
    assert taken(tmp_path / "many", address, 900).count("ledger") > 3
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    torn = Job(str(tmp_path / "torn"), address, messages_a_batch=200, idle_s=0)
    for at in range(KILLS):
        killed_at_random(torn, chance, with_children=bool(at % 2))
    taken(tmp_path / "torn", address, 4_000)

    assert compare_lakes(tmp_path / "one", tmp_path / "many") == []
    assert compare_lakes(tmp_path / "one", tmp_path / "torn") == [], f"seed {seed}"
    aside = tables.rows(tmp_path / "one", "quarantine/flights")
    assert {*GARBAGE.values(), None} <= {*aside["value"]}
    assert {*tables.rows(tmp_path / "one", "bronze/flights_raw")["partition"]} == {*range(PARTITIONS)}
