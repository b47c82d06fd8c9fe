"""A feed to a real Kafka: every message once, also when the broker goes away for a while."""

from __future__ import annotations

import logging
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.requirements import wanted
from vigie.address import Kafka
from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.errors import BadAddress, RunFailed
from vigie.feed import Pace, Progress, Tick, feed
from vigie.outlets.kafka import PRODUCER, OnceAMinute
from vigie.settings import read_settings


@pytest.fixture(scope="module")
def jars() -> tuple[Path, list[Path]]:
    cache = read_settings().cache
    java = java_home(cache)
    return java, kafka_jars(cache, java)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, jars: tuple[Path, list[Path]]) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), *jars) as started:
        yield started


def ticks_of(count: int, size: int = 1_000) -> Iterator[Tick]:
    for first in range(0, count, size):
        numbers = range(first, min(first + size, count))
        yield Tick(0.0, [(b"%d" % (number % 50), b'{"n":%d}' % number) for number in numbers])


def sent(ticks: Iterator[Tick], to: Kafka, stop: threading.Event | None = None, rate: float | None = None) -> int:
    pace = Pace(real_time=False, rate=rate)
    return feed(ticks, to, pace=pace, stop=stop or threading.Event(), progress=lambda _: None)


def received(to: Kafka) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """Every message of a topic as key and value, by partition and in its order there."""
    consumer = Consumer({"bootstrap.servers": to.servers, "group.id": "test"})
    found: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
    try:
        for number in consumer.list_topics(to.topic, timeout=10).topics[to.topic].partitions:
            partition = TopicPartition(to.topic, number, 0)
            consumer.assign([partition])
            _, end = consumer.get_watermark_offsets(partition, timeout=10)
            messages: list[tuple[bytes | None, bytes | None]] = []
            while len(messages) < end:
                batch = consumer.consume(min(10_000, end - len(messages)), timeout=30)
                assert batch, f"{len(messages)} of {end} messages came"
                messages += [(message.key(), message.value()) for message in batch]
            found[number] = messages
    finally:
        consumer.close()
    return found


def values(partitions: dict[int, list[tuple[bytes | None, bytes | None]]]) -> list[bytes]:
    return sorted((value or b"" for messages in partitions.values() for _, value in messages), key=number_of)


def number_of(value: bytes) -> int:
    return int(value[5:-1])


def expected(count: int) -> list[bytes]:
    return [b'{"n":%d}' % number for number in range(count)]


def test_a_topic_that_is_missing_is_made_and_gets_every_message_once_in_the_order_of_its_key(
    broker: Broker,
) -> None:
    to = Kafka(broker.servers, "missing")

    count = sent(ticks_of(250_000), to)

    partitions = received(to)
    assert count == 250_000
    assert len(partitions) == 2
    assert values(partitions) == expected(250_000)
    for messages in partitions.values():
        assert len({key for key, _ in messages}) > 1
        for one in {key for key, _ in messages}:
            numbers = [number_of(value or b"") for key, value in messages if key == one]
            assert numbers == list(range(numbers[0], 250_000, 50))


def test_bytes_of_any_kind_pass_and_so_do_ten_megabytes(broker: Broker) -> None:
    to = Kafka(broker.servers, "bytes")
    odd = [b"", b"\n", b"a\r\nb\x00", b"\xff\xfe", b"x" * 10_000_000]

    count = sent(iter([Tick(0.0, [(None, value) for value in odd])]), to)

    found = [value for messages in received(to).values() for _, value in messages]
    assert count == len(odd)
    assert sorted(value or b"" for value in found) == sorted(odd)


def test_a_message_that_is_too_large_ends_the_feed_with_the_number_that_was_delivered(broker: Broker) -> None:
    to = Kafka(broker.servers, "large")
    ticks = [*ticks_of(500), Tick(1.0, [(b"k", b"x" * 20_000_000)])]

    with pytest.raises(RunFailed, match=r"Kafka refused a message: .*; 500 messages were delivered"):
        sent(iter(ticks), to)

    assert values(received(to)) == expected(500)


def test_a_message_that_the_broker_refuses_ends_the_feed_with_the_number_that_was_delivered(
    broker: Broker,
) -> None:
    topic = NewTopic("small", num_partitions=1, replication_factor=1, config={"max.message.bytes": "5000"})
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.create_topics([topic])["small"].result(10)
    to = Kafka(broker.servers, "small")
    noise = random.Random(7).randbytes(50_000)  # which compression does not make smaller
    reports: list[Progress] = []

    def ticks() -> Iterator[Tick]:
        yield from ticks_of(100)
        while not reports or reports[-1].sent < 100:  # a batch is refused as a whole
            yield Tick(1.0, [])
        yield Tick(2.0, [(b"k", noise)])

    with pytest.raises(RunFailed, match=r"Kafka refused a message: .*large; 100 messages were delivered"):
        feed(ticks(), to, pace=Pace(), stop=threading.Event(), progress=reports.append)

    assert values(received(to)) == expected(100)


def test_stop_delivers_what_was_taken(broker: Broker) -> None:
    to, stop = Kafka(broker.servers, "stopped"), threading.Event()

    def endless() -> Iterator[Tick]:
        for at, tick in enumerate(ticks_of(10_000_000)):
            if at == 50:
                stop.set()
            yield tick

    count = sent(endless(), to, stop)

    assert count == 50_000
    assert values(received(to)) == expected(50_000)


def test_a_broker_that_goes_away_and_comes_back_has_every_message_once(
    tmp_path: Path, jars: tuple[Path, list[Path]]
) -> None:
    reports: list[Progress] = []
    counts: list[int] = []

    def run(to: Kafka) -> None:
        pace = Pace(real_time=False, rate=60_000)
        counts.append(feed(ticks_of(600_000), to, pace=pace, stop=threading.Event(), progress=reports.append))

    with Broker(tmp_path, *jars) as first:
        to = Kafka(first.servers, "outage")
        feeding = threading.Thread(target=run, args=[to])
        feeding.start()
        wait_until(lambda: bool(reports) and reports[-1].sent > 50_000)
    before = reports[-1].sent
    # The buffer holds 100,000 messages: once it is full, the feed stands still.
    stands = len(reports) + 8
    wait_until(lambda: len(reports) >= stands)
    assert feeding.is_alive()
    assert reports[-1].sent < before + 110_000
    with Broker(tmp_path, *jars, port=first.port):
        feeding.join(120)
        partitions = received(to)

    assert counts == [600_000]
    assert values(partitions) == expected(600_000)


def test_a_stop_while_the_broker_is_away_says_what_waits_and_ends(
    tmp_path: Path, jars: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vigie.feed.FINISH_SECONDS", 3.0)
    # The client that another test of this process left without a broker has said its line of this minute.
    monkeypatch.setattr(logging.getLogger("vigie.outlets.kafka.client"), "filters", [OnceAMinute()])
    stop, problems, reports = threading.Event(), list[RunFailed](), list[Progress]()

    def run(to: Kafka) -> None:
        try:
            feed(ticks_of(10_000_000), to, pace=Pace(rate=5_000), stop=stop, progress=reports.append)
        except RunFailed as problem:
            problems.append(problem)

    with caplog.at_level(logging.INFO, "vigie"):
        with Broker(tmp_path, *jars) as broker:
            feeding = threading.Thread(target=run, args=[Kafka(broker.servers, "gone")])
            feeding.start()
            wait_until(lambda: bool(reports) and reports[-1].sent > 1_000)
        stands = len(reports) + 6
        wait_until(lambda: len(reports) >= stands)
        stop.set()
        feeding.join(30)

    assert not feeding.is_alive()
    [problem] = problems
    assert "messages were taken but not delivered" in problem.what
    said = [record.getMessage() for record in caplog.records if record.name == "vigie.feed"]
    assert len(said) == 1
    assert re.fullmatch(r"Stopping: [\d,]+ messages were taken and are not delivered yet\. .*", said[0])
    of_the_client = [record for record in caplog.records if record.name == "vigie.outlets.kafka.client"]
    assert len(of_the_client) == 1, [record.getMessage() for record in of_the_client]


def test_the_client_itself_says_that_it_repeats_nothing_and_waits_for_all_copies(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(PRODUCER, "debug", "conf")
    monkeypatch.setattr(OnceAMinute, "filter", lambda _self, _record: True)

    with caplog.at_level(logging.DEBUG, "vigie"):
        assert sent(ticks_of(1), Kafka(broker.servers, "settings")) == 1

    said = " ".join(record.getMessage() for record in caplog.records)
    assert re.search(r"enable\.idempotence = true", said)
    assert re.search(r"request\.required\.acks = -1", said), "all in-sync replicas"


def test_a_topic_is_made_with_as_many_copies_as_the_cluster_keeps(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[NewTopic] = []
    made = AdminClient.create_topics

    def noted(self: AdminClient, topics: list[NewTopic], **how: Any) -> Any:
        asked.extend(topics)
        return made(self, topics, **how)

    monkeypatch.setattr(AdminClient, "create_topics", noted)
    assert sent(ticks_of(1), Kafka(broker.servers, "copies")) == 1

    assert [topic.replication_factor for topic in asked] == [-1], "which is the cluster's own default"


def wait_until(met: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_broker_that_is_not_there_is_refused_within_fifteen_seconds() -> None:
    began = time.monotonic()

    with pytest.raises(BadAddress, match="Kafka does not answer as it should") as refused:
        sent(ticks_of(1), Kafka("127.0.0.1:1", "nobody"))

    assert time.monotonic() - began < 15
    assert refused.value.exit_code == 2


def test_without_confluent_kafka_the_error_names_what_to_install() -> None:
    program = (
        "import sys, threading; sys.modules['confluent_kafka'] = None\n"
        "from vigie.address import Kafka\n"
        "from vigie.errors import BadSetting\n"
        "from vigie.feed import Pace, feed\n"
        "try:\n"
        "    feed([], Kafka('127.0.0.1:1', 't'), pace=Pace(), stop=threading.Event(), progress=id)\n"
        "except BadSetting as refused:\n"
        "    sys.exit(refused.do)\n"
    )

    refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert refused.stderr == f"pip install {wanted('kafka')}\n"


def test_a_topic_that_is_there_keeps_its_partitions(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.create_topics([NewTopic("wide", num_partitions=5, replication_factor=1)])["wide"].result(10)
    to = Kafka(broker.servers, "wide")

    assert sent(ticks_of(100), to) == 100
    assert len(received(to)) == 5
