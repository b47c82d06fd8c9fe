"""Kafka topics for the benchmark: each is filled once, and kept with the broker's folder."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.servers.kafka import produce
from vigie.engines.spark.kafka_broker import Broker

PATIENCE_S = 60.0


def fill(broker: Broker, topic: str, rows: int, messages: Iterable[tuple[bytes, bytes]]) -> None:
    """See that the topic holds these messages, which are `rows`, and nothing else."""
    there = _held(broker, topic)
    if there == rows:
        return
    if there is not None:
        _drop(broker, topic)
    print(f"Loading {rows:,} messages into {topic}, once ...", flush=True)
    broker.create_topic(topic)
    producer = Producer({"bootstrap.servers": broker.servers, "linger.ms": 50, "queue.buffering.max.messages": 200_000})
    produce(producer, topic, messages)
    producer.flush(PATIENCE_S)
    held = _held(broker, topic)
    if held != rows:
        raise SystemExit(f"{topic} should hold {rows:,} messages, and holds {held}")


def create(broker: Broker, topic: str, config: dict[str, str]) -> None:
    """A topic with settings of its own."""
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.create_topics([NewTopic(topic, 2, config=config)])[topic].result(PATIENCE_S)


def _held(broker: Broker, topic: str) -> int | None:
    """How many messages a topic holds; none when there is no such topic."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "bench"})
    try:
        known = consumer.list_topics(timeout=PATIENCE_S).topics
        if topic not in known:
            return None
        spans = [
            consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_S)
            for partition in known[topic].partitions
        ]
        return sum(high - low for low, high in spans)
    finally:
        consumer.close()


def _drop(broker: Broker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.servers})  # what it was asked ends with it
    admin.delete_topics([topic])[topic].result(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while _held(broker, topic) is not None and time.monotonic() < deadline:
        time.sleep(0.2)
