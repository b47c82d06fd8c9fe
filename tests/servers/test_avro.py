"""Avro through a real Kafka and a real registry: every version, once, in silver; what is broken, byte for byte, in
quarantine; and clear words when the registry is away, elsewhere, or asks who is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.avro.messages import NOON, V1, V2, V3, an_event, framed, schema_file
from tests.avro.shop import events_raw
from tests.reference import tables
from tests.runs import DIED, ROOT, Job, commits, until
from tests.servers.kafka import send
from tests.servers.registry import Server, a_registry, behind_a_password
from tests.servers.test_feed_kafka import received
from tests.tier import nightly
from vigie import feeding
from vigie.address import Kafka
from vigie.avro.reading import number_in
from vigie.engines.spark.kafka_broker import Broker
from vigie.errors import BadAddress, BadSetting, RequestError
from vigie.feed import Pace, Tick, feed
from vigie.pipeline import load
from vigie.settings import read_settings

SHOP = str(ROOT / "tests" / "avro" / "shop.py")
VIGIE = str(Path(sys.executable).with_name("vigie"))
NUMBERS = count()


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with a_registry() as running:
        yield running


@pytest.fixture
def registry(shared: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A registry that settings name, also those of runs in other processes."""
    monkeypatch.setenv("VIGIE_REGISTRY", shared.url)
    return shared


@pytest.fixture
def topic(broker: Broker) -> Kafka:
    """A topic that no other test has."""
    name = f"events-{next(NUMBERS)}"
    broker.create_topic(name)
    return Kafka(broker.servers, name)


def events(first: int, last: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        an_event(event_id=f"e{at}", user_id=f"u{at % 7}", at=NOON + timedelta(milliseconds=at), **fields)
        for at in range(first, last)
    ]


def as_json(rows: Sequence[dict[str, Any]]) -> list[tuple[bytes | None, bytes]]:
    return [(row["user_id"].encode(), json.dumps(row, default=str).encode()) for row in rows]


def fed(rows: Sequence[dict[str, Any]], to: Kafka, schema: Path) -> None:
    """What `vigie feed --schema` does."""
    ticks = feeding.framed(events_raw, iter([Tick(0.0, as_json(rows))]), to, read_settings(), str(schema))
    feed(ticks, to, pace=Pace(real_time=False), stop=threading.Event(), progress=lambda _: None)


def in_silver(lake: Path) -> list[str]:
    rows = tables.rows(lake, "silver/events")
    return sorted(rows["event_id"]) if rows.width else []


def names(first: int, last: int) -> list[str]:
    return sorted(f"e{at}" for at in range(first, last))


@contextmanager
def live(job: Job) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on until the block is left; what it writes is read, lest it wait for a reader."""
    process = job.start()
    reader = threading.Thread(target=lambda: list(commits(process)), daemon=True)
    reader.start()
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
        process.communicate()


@pytest.mark.timeout(600)
def test_messages_of_two_versions_are_in_silver_and_what_is_broken_in_quarantine_byte_for_byte(
    broker: Broker, registry: Server, topic: Kafka, tmp_path: Path
) -> None:
    subject = f"{topic.topic}-value"
    first, second = registry.put(subject, V1), registry.put(subject, V2)
    good = [framed(V1, row, first) for row in events(0, 1_200)]
    good += [framed(V2, row, second) for row in events(1_200, 2_400, referrer="/", version=2)]
    broken = {
        "is valid Avro": [b"", b"{}", b"\1" + good[0][1:], good[0][:-1], good[1] + b"\0", b"\0\0"],
        "has a known schema": [b"\0\0\0\xff\xff" + good[2][5:], b"\0\xff\xff\xff\xff"],
        "has a version": [framed(V1, an_event(version=9), first)],
    }
    aside = [message for messages in broken.values() for message in messages]
    send(broker, topic.topic, [(b"k", value) for value in [*good[:1_200], *aside, *good[1_200:], *good[:5]]])
    job = Job(str(tmp_path / "lake"), str(topic), SHOP, messages_a_batch=1_000, times=2)

    code, _, complained = job.finish()

    assert code == 0, complained
    assert in_silver(tmp_path / "lake") == names(0, 2_400)
    silver = tables.rows(tmp_path / "lake", "silver/events")
    assert {version: count for version, count in silver["referrer"].value_counts().rows()} == {None: 1_200, "/": 1_200}
    assert set(silver["at"]) == {NOON + timedelta(milliseconds=at) for at in range(2_400)}
    kept = tables.rows(tmp_path / "lake", "quarantine/shop")
    assert {rule: sorted(kept.filter(kept["rules"].list.first() == rule)["value"]) for rule in broken} == {
        rule: sorted(messages) for rule, messages in broken.items()
    }
    assert sorted(file.name for file in (tmp_path / "lake/_vigie/shop/schemas/events_raw").iterdir()) == sorted(
        [f"{first}.avsc", f"{second}.avsc"]
    )
    ledger = tables.rows(tmp_path / "lake", "_vigie/shop/ledger")
    silver_lines = ledger.filter(ledger["table"] == "silver/events")
    assert [int(silver_lines[name].sum()) for name in ("read", "accepted", "quarantined", "duplicate", "late")] == [
        2_414, 2_400, 9, 5, 0
    ]  # fmt: skip


@nightly
@pytest.mark.timeout(600)
def test_a_large_batch_tells_of_its_schemas_in_passing_and_again_when_it_is_read_twice(
    broker: Broker, registry: Server, topic: Kafka, tmp_path: Path
) -> None:
    fed(events(0, 60_000), topic, schema_file(tmp_path, "v1.avsc", V1))
    send(broker, topic.topic, [(b"k", b"\0\0\0\xff\xff{}")])
    job = Job(str(tmp_path / "lake"), str(topic), SHOP)
    assert replace(job, die_after=["bronze/events_raw"]).finish()[0] == DIED

    code, _, complained = job.finish()

    assert code == 0, complained
    assert len(in_silver(tmp_path / "lake")) == 60_000
    assert [list(rules) for rules in tables.rows(tmp_path / "lake", "quarantine/shop")["rules"]] == [
        ["has a known schema"]
    ]


@pytest.mark.timeout(600)
def test_a_new_version_in_the_middle_of_a_run_needs_no_restart_and_one_that_breaks_the_old_is_refused(
    registry: Server, topic: Kafka, tmp_path: Path
) -> None:
    versions = {text: schema_file(tmp_path, f"v{at}.avsc", text) for at, text in enumerate((V1, V2, V3), 1)}
    fed(events(0, 500), topic, versions[V1])

    with live(Job(str(tmp_path / "lake"), str(topic), SHOP, once=False)):
        until(lambda: in_silver(tmp_path / "lake") == names(0, 500))
        fed(events(500, 1_000, referrer="/home"), topic, versions[V2])
        until(lambda: in_silver(tmp_path / "lake") == names(0, 1_000))
        with pytest.raises(RequestError, match="field 'country' is new and has no default") as refused:
            fed(events(1_000, 1_001, country="FR"), topic, versions[V3])

    assert "the registry refuses this schema as the next version" in refused.value.what
    assert "The registry says: " in refused.value.do
    assert refused.value.where.endswith("v3.avsc")
    assert registry.promise_of(f"{topic.topic}-value") == "BACKWARD"
    assert tables.rows(tmp_path / "lake", "silver/events")["referrer"].null_count() == 500


@nightly
@pytest.mark.timeout(600)
def test_a_registry_that_is_stopped_for_a_while_is_waited_for_and_everything_arrives_once(
    topic: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (schema_file(tmp_path, f"v{at}.avsc", text) for at, text in enumerate((V1, V2), 1))
    with a_registry() as server:
        monkeypatch.setenv("VIGIE_REGISTRY", server.url)
        fed(events(0, 500), topic, first)
        with live(Job(str(tmp_path / "lake"), str(topic), SHOP, once=False)) as running:
            until(lambda: in_silver(tmp_path / "lake") == names(0, 500))
            written = feeding.framed(
                events_raw, iter([Tick(0.0, as_json(events(500, 1_000)))]), topic, read_settings(), str(second)
            )
            server.stop()
            feed(written, topic, pace=Pace(real_time=False), stop=threading.Event(), progress=lambda _: None)
            assert running.stderr is not None
            said = next(line for line in running.stderr if "Waiting for schema" in line)
            time.sleep(3)  # it is asked for in vain some more times
            assert in_silver(tmp_path / "lake") == names(0, 500)
            server.start()
            until(lambda: in_silver(tmp_path / "lake") == names(0, 1_000))
            fed(events(1_000, 1_100), topic, second)
            until(lambda: in_silver(tmp_path / "lake") == names(0, 1_100))

    assert "the schema registry does not answer" in said
    assert "Nothing is lost." in said


@nightly
@pytest.mark.timeout(600)
def test_a_batch_that_runs_twice_is_read_by_the_schemas_that_were_known_the_first_time(
    broker: Broker, registry: Server, topic: Kafka, tmp_path: Path
) -> None:
    first = registry.put(f"{topic.topic}-value", V1)
    other = json.loads(V1)
    other["doc"] = f"one that is registered later, for {topic.topic}"
    later = registry.put("somebody-else-value", json.dumps({**other, "doc": topic.topic})) + 1
    messages = [framed(V1, row, first) for row in events(0, 10)] + [framed(V1, an_event(event_id="new"), later)]
    send(broker, topic.topic, [(None, value) for value in messages])
    job = Job(str(tmp_path / "lake"), str(topic), SHOP)
    assert replace(job, die_after=["silver/events"]).finish()[0] == DIED
    assert registry.put(f"{topic.topic}-value", json.dumps(other)) == later

    code, _, complained = job.finish()
    assert code == 0, complained
    send(broker, topic.topic, [(None, framed(V1, an_event(event_id="newer"), later))])
    assert job.finish()[0] == 0

    assert in_silver(tmp_path / "lake") == sorted([*names(0, 10), "newer"])
    [rules] = tables.rows(tmp_path / "lake", "quarantine/shop")["rules"]
    assert list(rules) == ["has a known schema"]


@pytest.mark.timeout(600)
def test_a_registry_that_asks_for_a_password_is_told_it_by_the_settings_that_the_error_names(
    registry: Server, topic: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = schema_file(tmp_path, "v1.avsc", V1)
    job = Job(str(tmp_path / "lake"), str(topic), SHOP)
    with behind_a_password(registry, "ada", "a-secret") as url:
        monkeypatch.setenv("VIGIE_REGISTRY", url)
        with pytest.raises(BadSetting, match="asks for a name and a password") as asked:
            fed(events(0, 10), topic, version)
        unsaid = job.finish()
        monkeypatch.setenv("VIGIE_REGISTRY_USER", "ada")
        monkeypatch.setenv("VIGIE_REGISTRY_PASSWORD", "a-mistake")
        wrong = job.finish()
        monkeypatch.setenv("VIGIE_REGISTRY_PASSWORD", "a-secret")
        fed(events(0, 10), topic, version)
        right = job.finish()

    assert "VIGIE_REGISTRY_USER and VIGIE_REGISTRY_PASSWORD" in asked.value.do
    for code, _, complained in (unsaid, wrong):
        assert (code, "VIGIE_REGISTRY_USER and VIGIE_REGISTRY_PASSWORD" in complained) == (2, True), complained
        assert "a-mistake" not in complained
    assert right[0] == 0, right[2]
    assert in_silver(tmp_path / "lake") == names(0, 10)


def test_the_feed_command_registers_the_newest_schema_or_the_one_it_is_told_and_writes_by_it(
    registry: Server, topic: Kafka
) -> None:
    [declared] = [source for source in load("activity").graph().sources if source.name == "user_activity"]
    other = declared.avro[-1].with_name("user_activity.v2.avsc")
    said = ["feed", "activity", "user_activity", "--to", str(topic), "--rows", "3000", "--faults", "0.05"]
    schema = ["--schema", str(other)]

    ends = [subprocess.run([VIGIE, *said, *more], capture_output=True, text=True, check=False) for more in ([], schema)]

    assert [end.returncode for end in ends] == [0, 0], ends
    numbers = {registry.put(f"{topic.topic}-value", file.read_text()) for file in (declared.avro[-1], other)}
    found = [value or b"" for messages in received(topic).values() for _, value in messages]
    assert len(found) == 6_000
    framed_by = Counter(number_in(value) for value in found if value[:1] == b"\0")
    assert framed_by.keys() == numbers
    assert 5_600 <= framed_by.total() < 6_000
    assert all("goes as it is, as others like it" in end.stderr for end in ends)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (None, "the schema registry does not answer"),
        ("", "what answers there is no schema registry"),
        ("/apis/nothing", "what answers there is no schema registry"),
    ],
)
def test_an_address_where_no_registry_is_is_found_out_before_spark_starts(
    registry: Server, topic: Kafka, path: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = "http://127.0.0.1:1" if path is None else registry.url.partition("/apis")[0] + path
    monkeypatch.setenv("VIGIE_REGISTRY", there)
    began = time.monotonic()

    code, _, complained = Job(str(tmp_path / "lake"), str(topic), SHOP).finish()

    assert (code, words in complained) == (2, True), complained
    assert there in complained
    assert time.monotonic() - began < 20
    assert not (tmp_path / "lake" / "bronze").exists()
    with pytest.raises(BadAddress if path is not None else Exception, match=words):
        fed(events(0, 1), topic, schema_file(tmp_path, "v1.avsc", V1))


def test_a_subject_that_is_not_there_is_told_of_and_nothing_else_comes_of_it(
    registry: Server, topic: Kafka, tmp_path: Path
) -> None:
    code, _, complained = Job(str(tmp_path / "lake"), str(topic), SHOP).finish()

    assert code == 0, complained
    assert f"{registry.url} has no subject '{topic.topic}-value' yet" in complained


def test_without_a_registry_to_ask_a_run_says_what_to_set(topic: Kafka, tmp_path: Path) -> None:
    code, _, complained = Job(str(tmp_path / "lake"), str(topic), SHOP).finish()

    assert code == 2
    assert "Set VIGIE_REGISTRY" in complained
