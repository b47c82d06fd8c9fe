"""The embedded broker: real, on loopback, and gone when it should be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.errors import BadAddress, BadSetting, VigieError
from vigie.settings import read_settings

OWNER = """
import sys, time
from pathlib import Path
from vigie.engines.spark.kafka_broker import Broker

with Broker(Path(sys.argv[1]), Path(sys.argv[2]), [Path(jar) for jar in sys.argv[3:]]) as broker:
    print(broker.servers, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def java() -> Path:
    return java_home(read_settings().cache)


def test_a_cluster_whose_id_begins_with_a_dash_starts_too(
    tmp_path: Path, java: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.engines.spark.kafka_broker.uuid4", lambda: UUID(bytes=b"\xf8" * 16))

    with Broker(tmp_path, java, kafka_jars(read_settings().cache, java)):
        assert "cluster.id=-Pj4" in (tmp_path / "data" / "meta.properties").read_text()


@pytest.fixture(scope="module")
def jars(java: Path) -> list[Path]:
    return kafka_jars(read_settings().cache, java)


def send(servers: str, topic: str, *messages: bytes) -> None:
    producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 12_000_000})
    for message in messages:
        producer.produce(topic, message)
    assert producer.flush(30) == 0


def received(servers: str, topic: str, count: int) -> list[bytes]:
    """The first `count` messages of a topic."""
    settings = {"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    try:
        consumer.subscribe([topic])
        messages = [message for _ in range(count) for message in consumer.consume(1, timeout=30)]
        return sorted(message.value() or b"" for message in messages)
    finally:
        consumer.close()


def becomes_true(condition: Callable[[], bool], within: float = 30) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_naming(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if str(folder) in str(process.info["cmdline"])]


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_messages_survive_a_restart_on_the_same_folder(tmp_path: Path, java: Path, jars: list[Path]) -> None:
    with Broker(tmp_path / "broker", java, jars) as broker:
        send(broker.servers, "flights-raw", b"one", b"two")
        before = broker.servers

    with Broker(tmp_path / "broker", java, jars) as broker:
        assert broker.servers == before, "whoever writes to it finds it again"
        send(broker.servers, "flights-raw", b"three")
        assert received(broker.servers, "flights-raw", 3) == [b"one", b"three", b"two"]

    assert processes_naming(tmp_path) == []


def test_a_topic_is_made_once_and_is_there_after_a_restart(tmp_path: Path, java: Path, jars: list[Path]) -> None:
    for _ in range(2):
        with Broker(tmp_path, java, jars) as broker:
            broker.create_topic("flights-raw")

            topics = AdminClient({"bootstrap.servers": broker.servers}).list_topics(timeout=30).topics
            assert len(topics["flights-raw"].partitions) == 2


def test_a_line_of_ten_megabytes_passes(tmp_path: Path, java: Path, jars: list[Path]) -> None:
    line = os.urandom(10_500_000)

    with Broker(tmp_path, java, jars) as broker:
        send(broker.servers, "flights-raw", line)
        assert received(broker.servers, "flights-raw", 1) == [line]


def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path, java: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(BadAddress, match=f"port {port} cannot be used: Address already in use"):
            Broker(tmp_path / "broker", java, [], port).__enter__()
    assert not (tmp_path / "broker").exists()


def test_the_port_that_a_lake_s_broker_had_is_not_given_up_in_silence(tmp_path: Path, java: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (tmp_path / "port").write_text(f"{port}\n")

        with pytest.raises(BadAddress, match=f"port {port} cannot be used[^$]*--kafka-port"):
            Broker(tmp_path, java, []).__enter__()


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path, java: Path) -> None:
    with pytest.raises(VigieError, match="could not be formatted[^$]*StorageTool"):
        Broker(tmp_path, java, []).__enter__()


def test_a_second_broker_on_one_folder_is_refused_and_the_first_runs_on(
    tmp_path: Path, java: Path, jars: list[Path]
) -> None:
    with Broker(tmp_path, java, jars) as first:
        with pytest.raises(BadSetting, match="a broker is running on this folder already"):
            Broker(tmp_path, java, jars).__enter__()

        send(first.servers, "flights-raw", b"still here")
        assert received(first.servers, "flights-raw", 1) == [b"still here"]


def test_a_broker_that_ends_while_it_starts_shows_why_and_leaves_nothing(
    tmp_path: Path, java: Path, jars: list[Path]
) -> None:
    with Broker(tmp_path, java, jars):
        pass
    (tmp_path / "data" / "meta.properties").write_text("version=1\nnode.id=2\n")

    with pytest.raises(VigieError, match=r"ended while it started[^$]*No readable meta.properties"):
        Broker(tmp_path, java, jars).__enter__()

    assert becomes_true(lambda: processes_naming(tmp_path) == [])


def test_the_broker_dies_with_a_program_that_is_killed(tmp_path: Path, java: Path, jars: list[Path]) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "broker"), str(java), *map(str, jars)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        port = int(owner.stdout.readline().rpartition(":")[2])
        assert [process for process in processes_naming(tmp_path) if process.pid != owner.pid]

        owner.send_signal(signal.SIGKILL)

    assert becomes_true(lambda: processes_naming(tmp_path) == [])
    assert becomes_true(lambda: refuses(port))
