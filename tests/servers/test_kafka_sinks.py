"""Rows and alerts to a real Kafka."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.rows import a_table
from tests.sinks.receivers import a_free_port, closed, opened
from vigie.address import Kafka
from vigie.contracts import Surroundings
from vigie.engines.spark.kafka_broker import Broker
from vigie.settings import Settings
from vigie.sinks import NotNow
from vigie.sinks.kafka import NO_SERVERS, KafkaAlerts, KafkaTopic, Topic

Message = tuple[str | None, dict[str, Any]]


def held(broker: Broker, topic: str, count: int) -> list[Message]:
    """So many messages of a topic, and that there are no more."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "tests", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    messages: list[Message] = []
    while message := consumer.poll(30 if len(messages) < count else 1):
        assert message.error() is None, message.error()
        key, value = message.key(), message.value()
        assert isinstance(key, bytes) and isinstance(value, bytes)
        messages.append((key.decode(), json.loads(value)))
    consumer.close()
    return messages


def test_without_a_broker_they_are_off_and_that_of_the_run_is_enough() -> None:
    nowhere, reading = Surroundings(Settings(kafka=None)), Surroundings(Settings(kafka=None), "localhost:9092")

    for sink in (KafkaAlerts(), KafkaTopic("t", key="k")):
        assert sink.missing(nowhere) == NO_SERVERS
        assert sink.missing(reading) == ""
    assert Surroundings(Settings(kafka="other:9092"), "localhost:9092").servers == "other:9092"


def test_alerts_are_messages_under_their_ids(broker: Broker) -> None:
    receiver = KafkaAlerts("iot-alerts").opened(Surroundings(Settings(), broker.servers))
    events = [opened("a"), opened("b"), closed("a")]

    receiver.send(events)
    receiver.close()

    messages = held(broker, "iot-alerts", 3)
    of_a = [value for key, value in messages if key == opened("a").alert.alert_id]
    assert [value["event"] for value in of_a] == ["opened", "closed"], "of one alert they are in order"
    assert of_a[0].keys() == {"event", "alert_id", "rule", "key", "severity", "opened_at", "closed_at", "value",
                              "threshold", "message"}  # fmt: skip
    assert len(messages) == 3


def test_a_broker_that_is_not_there_is_not_now_and_then_it_is(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie.outlets.kafka.ANSWER_SECONDS", 1)
    away = Topic(Kafka(f"127.0.0.1:{a_free_port()}", "late"))
    with pytest.raises(NotNow, match="Kafka does not answer"):
        away.send([("k", "{}")])

    there = Topic(Kafka(broker.servers, "late"))
    there.send([("k", "{}")])

    assert held(broker, "late", 1) == [("k", {})]


def test_rows_are_messages_and_a_repeat_has_the_same_keys_and_values(broker: Broker) -> None:
    at = datetime(2025, 6, 1, 12, tzinfo=UTC)
    rows = a_table("k STRING, n INT, at TIMESTAMP, v DOUBLE", ("a", 1, at, None), ("b", 2, at, 0.5))
    around = Surroundings(Settings(kafka=broker.servers))

    for _ in range(2):
        KafkaTopic("rows", key="k").opened(around).write(rows.to_reader(), 3)
    pairs = KafkaTopic("pairs", key=("k", "n"), servers=broker.servers).opened(Surroundings(Settings()))
    pairs.write(rows.to_reader(), 3)

    messages = held(broker, "rows", 4)
    assert len(messages) == 4
    assert dict(messages) == {
        "a": {"k": "a", "n": 1, "at": "2025-06-01T12:00:00.000Z", "v": None},
        "b": {"k": "b", "n": 2, "at": "2025-06-01T12:00:00.000Z", "v": 0.5},
    }
    assert {key for key, _ in held(broker, "pairs", 2)} == {'{"k":"a","n":1}', '{"k":"b","n":2}'}
