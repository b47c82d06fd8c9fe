"""Flights through a real Kafka: every message once, in silver or in quarantine, and clear words when it goes."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from tests.reference import compare, compare_lakes, tables
from tests.runs import DIED, GARBAGE, Job, a_state, commits, killed_at_random, simulated
from tests.servers.kafka import Messages, a_broker, keyed, send
from tests.tier import NIGHTLY, by_night, nightly
from vigie.engines.spark.kafka_broker import Broker
from vigie.lake import Lake, rows

KILLS_WITH_CHILDREN = by_night((True, False, True), few=(True,))


def batches(lake: Path) -> list[int]:
    """The batches that were read from Kafka, as the ledger has them."""
    return sorted(row["batch"] for row in rows(Lake(lake).ledger("flights")) if row["table"] == "bronze/flights_raw")


@pytest.mark.timeout(600)
def test_what_kafka_holds_goes_through_once_and_garbage_stays_what_it_is(broker: Broker, tmp_path: Path) -> None:
    garbage: Messages = [(b"\xff\x00", value) for value in GARBAGE.values()]
    feed = b"\n".join([b"a line", b"in a message"])
    beside = [(b"\xff\x00", value) for value in simulated(300, seed=11)]  # so that no partition has garbage alone
    send(broker, "whole", [*keyed(simulated(3_000)), *beside, *garbage, (None, None), (None, feed)])
    job = Job(str(tmp_path / "lake"), f"kafka://{broker.servers}/whole", messages_a_batch=1_000, times=2)

    code, written, complained = job.finish()

    assert code == 0, complained
    numbers = batches(tmp_path / "lake")
    assert numbers == [*range(len(numbers))]
    assert len(numbers) >= 3
    assert compare(tmp_path / "lake") == []
    aside = tables.rows(tmp_path / "lake", "quarantine/flights")
    assert {*GARBAGE.values(), feed, None} <= {*aside["value"]}
    assert b"\xff\x00" in {*aside["key"]}


@nightly
@pytest.mark.timeout(600)
def test_a_run_from_kafka_that_died_within_a_batch_goes_on_to_the_end_of_the_topic(
    broker: Broker, tmp_path: Path
) -> None:
    send(broker, "cut", keyed(simulated(3_000)))
    address = f"kafka://{broker.servers}/cut"
    for commit in ("plan", "bronze/flights_raw"):
        job = Job(str(tmp_path / "lake"), address, messages_a_batch=1_000, die_after=[commit])
        assert job.finish()[0] == DIED

    code, written, complained = Job(str(tmp_path / "lake"), address, messages_a_batch=1_000).finish()

    assert code == 0, complained
    taken = batches(tmp_path / "lake")
    assert taken == [*range(len(taken))], "none twice and none left out; where they are cut is Spark's"
    assert len(taken) >= 3
    assert compare(tmp_path / "lake") == []


@nightly
@pytest.mark.timeout(1_200)
def test_a_run_from_kafka_that_is_killed_leaves_what_an_undisturbed_one_leaves(broker: Broker, tmp_path: Path) -> None:
    send(broker, "torn", keyed(simulated(12_000)))
    address = f"kafka://{broker.servers}/torn"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    torn = Job(str(tmp_path / "torn"), address, messages_a_batch=200)

    made = [killed_at_random(torn, chance, with_children=with_children) for with_children in KILLS_WITH_CHILDREN]
    code, written, complained = torn.finish()

    told = f"seed {seed}, killed after {made} commits; then {complained}"
    assert code == 0, told
    assert written.count("ledger\n") > 1, f"nothing was left for the last run: {told}"
    assert compare(tmp_path / "torn") == [], told
    if NIGHTLY:  # each lake by itself equals the reference
        assert Job(str(tmp_path / "whole"), address, messages_a_batch=200).finish()[0] == 0
        assert compare_lakes(tmp_path / "whole", tmp_path / "torn", cuts=True) == [], told


@nightly
@pytest.mark.timeout(600)
def test_a_broker_that_stays_away_ends_a_live_run_with_clear_words_and_nothing_is_lost(tmp_path: Path) -> None:
    def states(at: int) -> Messages:
        return keyed([a_state(at + second, icao24=f"{k:06x}") for second in range(0, 300, 5) for k in range(10)])

    with a_broker(tmp_path / "kafka") as first:
        port = first.port
        send(first, "live", states(0))
        live = Job(str(tmp_path / "lake"), f"kafka://{first.servers}/live", once=False, patience_s=0).start()
        assert any(commit == "ledger" for commit in commits(live)), live.communicate()[1]
    try:
        _, complained = live.communicate(timeout=240)
    except TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(live.pid, 9)
        raise

    assert live.returncode == 1, complained
    assert "the Kafka broker went away" in complained
    with a_broker(tmp_path / "kafka", port) as again:
        send(again, "live", states(300))
        code, _, complained = Job(str(tmp_path / "lake"), f"kafka://{again.servers}/live").finish()
    assert code == 0, complained
    assert tables.rows(tmp_path / "lake", "silver/flights_ml").height == 1_200
    assert compare(tmp_path / "lake") == []
