"""A real Kafka, and topics filled for tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from confluent_kafka import Producer

from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.settings import Settings

AIRCRAFT = re.compile(rb'"icao24": ?"([0-9a-f]+)"')
Messages = Sequence[tuple[bytes | None, bytes | None]]


def a_broker(folder: Path, port: int = 0) -> Broker:
    cache = Settings().cache
    java = java_home(cache)
    return Broker(folder, java, kafka_jars(cache, java), port)


def send(broker: Broker, topic: str, messages: Messages, partitions: int = 2) -> str:
    """A topic with these messages besides what it has, each key in one partition; its address."""
    broker.create_topic(topic, partitions)
    producer = Producer({"bootstrap.servers": broker.servers, "message.max.bytes": 12_000_000})
    produce(producer, topic, messages)
    assert producer.flush(60) == 0
    return f"kafka://{broker.servers}/{topic}"


def produce(producer: Producer, topic: str, messages: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Hand over messages as fast as they are taken."""
    for key, value in messages:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)


def keyed(values: Sequence[bytes]) -> Messages:
    """By their aircraft, as a feed sends them."""
    found = [(AIRCRAFT.search(value), value) for value in values]
    return [(named and named[1], value) for named, value in found]
