"""The loop over a real Kafka: whatever batches a topic of several partitions is cut into, one answer, killed or not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.reference import compare_lakes, tables
from tests.runs import GARBAGE, Job, killed_at_random, simulated
from tests.servers.kafka import Messages, keyed, send
from tests.tier import by_night
from vigie.engines.spark.kafka_broker import Broker

PARTITIONS = 3
KILLS = by_night(20, few=3)


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
    address = send(broker, "cut", [*keyed(simulated(12_000)), *garbage, (None, None)], PARTITIONS)

    assert taken(tmp_path / "one", address, 10**6).count("ledger") == 3, "a look, all the others, idle"
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
