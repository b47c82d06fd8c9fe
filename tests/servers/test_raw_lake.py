"""The raw lake on a stand-in for MongoDB: every message of bronze, once, whole, whatever became of it in silver."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.avro.messages import NOON, V1, V2, V3, an_event, framed
from tests.reference import tables
from tests.runs import Job, an_inbox, until
from tests.servers.kafka import send
from tests.servers.mongodb import Server, a_server
from tests.servers.registry import a_registry
from tests.tier import nightly
from vigie.engines.spark.kafka_broker import Broker

MANY = 20_000
PIPELINE = """
from tests.avro.messages import DDL
from vigie import Pipeline
from vigie.sinks.mongo_messages import MongoMessages

shop = Pipeline("shop")
events_raw = shop.source("events_raw", schema=DDL, key="user_id", format="avro")


@shop.silver("events", reads=events_raw, schema=DDL, event_time="at", late_by="10 minutes", unique="event_id",
             expect={"has a version": "version < 9"})
def events(rows):
    "One event."
    return rows


shop.deliver(events_raw, to=MongoMessages("events", id="event_id", indexes=("_vigie.received_at",)))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_server(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@pytest.fixture
def mongo(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    server.clear()
    monkeypatch.setenv("VIGIE_MONGO", server.address)
    return server


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(PIPELINE)
    return str(path)


def events(first: int, last: int, **fields: Any) -> list[dict[str, Any]]:
    return [an_event(event_id=f"e{at}", at=NOON + timedelta(milliseconds=at), **fields) for at in range(first, last)]


def finished(job: Job) -> str:
    code, _, complained = job.finish(seconds=500)
    assert code == 0, complained
    return complained


@nightly
@pytest.mark.timeout(1_500)
def test_every_message_of_a_topic_is_there_once_with_all_its_fields_whatever_silver_made_of_it(
    broker: Broker, mongo: Server, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create_topic("events")
    with a_registry() as registry:
        monkeypatch.setenv("VIGIE_REGISTRY", registry.url)
        numbers = {text: registry.put("events-value", text) for text in (V1, V2)}
        numbers[V3] = registry.put("others-value", V3)  # no table has its `country`, and none may lack it
        good = [framed(V1, row, numbers[V1]) for row in events(0, 500)]
        good += [framed(V2, row, numbers[V2]) for row in events(500, 900, referrer="/")]
        good += [framed(V3, row, numbers[V3]) for row in events(900, 1_200, referrer="/", country="FR")]
        late = [framed(V1, an_event(event_id=f"l{at}", at=NOON - timedelta(hours=1)), numbers[V1]) for at in range(5)]
        aside = [framed(V1, an_event(event_id=f"q{at}", version=9), numbers[V1]) for at in range(7)]
        broken = [b"", good[0][:-1], b"\0\0\0\xff\xff" + good[1][5:]]
        nameless = [framed(V1, an_event(event_id="", version=9), numbers[V1])]
        first = [*good[:600], *broken, *aside, *nameless, *good[600:], *good[:20], *late]
        send(broker, "events", [(b"k", value) for value in first])
        job = Job(str(tmp_path / "lake"), f"kafka://{broker.servers}/events", shop, messages_a_batch=400)
        finished(job)
        held = mongo.all("events")

        finished(replace(job, lake=str(tmp_path / "another")))
        replayed = mongo.all("events")
        send(broker, "events", [(b"k", value) for value in [*good, *late, *aside]])
        finished(job)

    assert account(tmp_path / "lake") == {
        "read": 2_448,
        "accepted": 1_200,
        "quarantined": 18,
        "duplicate": 1_220,
        "late": 10,
    }
    own = {document["_id"] for document in held if isinstance(document["_id"], str)}
    assert own == {f"e{at}" for at in range(1_200)} | {f"l{at}" for at in range(5)} | {f"q{at}" for at in range(7)}
    placed = [document for document in held if isinstance(document["_id"], dict)]
    assert len(held) == len(own) + len(placed) == 1_216
    assert Counter(document["_vigie"].get("broken") for document in placed) == {
        "is valid Avro": 2, "has a known schema": 1, None: 1
    }  # fmt: skip
    assert sorted(document["_vigie"]["value"] for document in placed if "broken" in document["_vigie"]) == sorted(
        broken
    )
    for document in held:
        stood = {name: document["_vigie"][name] for name in ("topic", "partition", "offset")}
        assert document["_id"] == stood or "broken" not in document["_vigie"]
    by_name = {document["_id"]: document for document in held if document not in placed}
    assert by_name["e1199"] == {
        "_id": "e1199", **events(1_199, 1_200, referrer="/", country="FR")[0], "_vigie": by_name["e1199"]["_vigie"]
    }  # fmt: skip
    assert {by_name[name]["_vigie"]["schema_number"] for name in ("e0", "l0", "q0")} == {numbers[V1]}
    assert ("referrer" in by_name["e0"], "country" in by_name["e600"]) == (False, False)
    assert replayed == held
    assert mongo.all("events") == held, "produced again, it changes nothing either"
    assert mongo.count("events_dead_letters") == 0
    assert [("_vigie.received_at", 1)] in mongo.indexes("events")


def account(lake: Path) -> dict[str, int]:
    """What became in silver of all that was read."""
    ledger = tables.rows(lake, "_vigie/shop/ledger")
    lines = ledger.filter(ledger["table"] == "silver/events")
    names = ("read", "accepted", "quarantined", "duplicate", "late")
    return {name: int(lines[name].sum()) for name in names}


@nightly
@pytest.mark.timeout(1_500)
def test_lines_of_json_are_there_with_fields_that_nobody_declared_and_a_killed_run_is_followed_by_the_rest(
    mongo: Server, shop: str, tmp_path: Path
) -> None:
    lines = [json.dumps(row, default=str).encode() for row in events(0, MANY, extra={"a.b": [1, None], "$c": "d"})]
    broken = [b"{", b"[]", b'{"event_id": 7, "is_bot": "no", "\\u0000": 1}']
    job = Job(str(tmp_path / "lake"), f"inbox:{an_inbox(tmp_path / 'inbox', [*lines, *broken, *lines[:10]])}", shop)
    process = job.start()
    until(lambda: mongo.count("events") > 0)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    begun = mongo.count("events")

    finished(job)

    assert 0 < begun < MANY
    held = {str(document["_id"]): document for document in mongo.all("events")}
    refused = mongo.all("events_dead_letters")
    assert len(held) + len(refused) == MANY + len(broken)
    assert [json.loads(each["row"])["extra"]["$c"] for each in refused] == ["d"] * len(refused)
    [seventh] = [document for document in held.values() if document["_id"] == 7]
    assert seventh["_vigie"]["value"] == broken[2]
    if "e0" in held:
        assert held["e0"]["extra"] == {"a.b": [1, None], "$c": "d"}


@nightly
@pytest.mark.timeout(1_500)
def test_messages_that_are_deleted_from_bronze_stop_no_delivery(mongo: Server, shop: str, tmp_path: Path) -> None:
    inbox = an_inbox(tmp_path / "inbox", [json.dumps(row, default=str).encode() for row in events(0, 10)])
    job = Job(str(tmp_path / "lake"), f"inbox:{inbox}", shop)
    finished(job)
    DeltaTable(tmp_path / "lake/bronze/events_raw").delete("line < 5")
    (inbox / "more.jsonl").write_text("".join(json.dumps(row, default=str) + "\n" for row in events(10, 12)))

    finished(job)

    assert {document["_id"] for document in mongo.all("events")} == {f"e{at}" for at in range(12)}
