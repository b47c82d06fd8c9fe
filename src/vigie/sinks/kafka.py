"""A Kafka topic: the rows of a table, or alerts as they open and close."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.address import Kafka, is_topic
from vigie.arrow_json import objects
from vigie.arrow_text import texts
from vigie.errors import BadAddress
from vigie.outlets import BLINK
from vigie.outlets.kafka import connected
from vigie.sinks import Columns, NotNow, Refused, Undeliverable, several
from vigie.sinks.letters import fields

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import KafkaError, Producer

    from vigie.alerts import Event
    from vigie.contracts import Surroundings

PATIENCE_S = 10.0
NO_SERVERS = "VIGIE_KAFKA is not set, and the run reads from no Kafka"
Message = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """Each row as a message of JSON, under the key that these columns make.

    A repeat writes a batch's messages again: the same keys and values, so that a compacted topic or a reader that
    keeps the newest of each key is as it was. Name columns that make a row itself. `servers` are VIGIE_KAFKA or the
    broker that the run reads from, unless named.
    """

    topic: str
    key: Columns
    servers: str | None = None
    module: ClassVar[str] = "confluent_kafka"
    extra: ClassVar[str] = "kafka"

    @property
    def columns(self) -> tuple[str, ...]:
        return several(self.key)

    def problems(self) -> Iterator[str]:
        """What is wrong with what it was given."""
        yield from no_topic(self.topic)

    def missing(self, around: Surroundings) -> str:
        return "" if self.servers or around.servers else NO_SERVERS

    def opened(self, around: Surroundings) -> TopicOfRows:
        return TopicOfRows(Topic(Kafka(self.servers or around.servers, self.topic)), self.columns)


@dataclass(frozen=True, slots=True)
class KafkaAlerts:
    """Each alert that opens or closes as a message of JSON, under the alert's id."""

    topic: str = "iot-alerts"
    servers: str | None = None
    module: ClassVar[str] = "confluent_kafka"
    extra: ClassVar[str] = "kafka"
    at_once: ClassVar[int] = 500

    @property
    def name(self) -> str:
        return f"kafka-{self.topic}"

    def problems(self) -> Iterator[str]:
        """What is wrong with what it was given."""
        yield from no_topic(self.topic)

    def missing(self, around: Surroundings) -> str:
        return "" if self.servers or around.servers else NO_SERVERS

    def opened(self, around: Surroundings) -> TopicOfAlerts:
        return TopicOfAlerts(Topic(Kafka(self.servers or around.servers, self.topic)))


class TopicOfRows:
    """A topic that a table is delivered to."""

    def __init__(self, topic: Topic, key: tuple[str, ...]) -> None:
        self._topic = topic
        self._key = key

    def write(self, rows: pa.RecordBatchReader, _batch: int) -> None:
        self._topic.send(message for part in rows for message in messages(part, self._key))


def messages(rows: pa.RecordBatch, key: tuple[str, ...]) -> Iterator[Message]:
    """Each row as JSON, under the value of its key, or under an object of them when there are several."""
    keys = texts(rows.column(key[0])) if len(key) == 1 else objects(rows.select(list(key)))
    return zip(keys.to_pylist(), objects(rows).to_pylist(), strict=True)


class TopicOfAlerts:
    """A topic that is told of alerts."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def send(self, events: Sequence[Event]) -> None:
        self._topic.send((event.alert.alert_id, json.dumps(fields(event))) for event in events)

    def close(self) -> None:
        self._topic.close()


class Topic:
    """An idempotent producer with `acks=all`, opened when it is used and anew after the broker was away."""

    def __init__(self, address: Kafka, patience: float = PATIENCE_S) -> None:
        self._address = address
        self._patience = patience
        self._producer: Producer | None = None

    def send(self, messages: Iterable[Message]) -> None:
        """Returns when the broker has them all; NotNow when it may have but a part of them."""
        from confluent_kafka import KafkaException

        refusals: list[KafkaError] = []
        try:
            producer = self._opened()
            for key, value in messages:
                self._produce(producer, key, value, refusals.append)
            if (waiting := producer.flush(self._patience)) or refusals:
                raise self._answer(refusals, waiting)
        except KafkaException as problem:
            self.close()
            raise self._answer([problem.args[0]], 0) from problem
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(BLINK)
        self._producer = None

    def _opened(self) -> Producer:
        if self._producer is None:
            try:
                self._producer = connected(self._address, "vigie-sink")
            except BadAddress as problem:
                raise NotNow(problem.what) from problem
        return self._producer

    def _produce(self, producer: Producer, key: str | None, value: str, refused: Callable[[KafkaError], None]) -> None:
        def delivered(error: KafkaError | None, _: Any) -> None:
            if error is not None:
                refused(error)

        deadline = time.monotonic() + self._patience
        for _ in _turns_until(deadline):
            try:
                producer.produce(self._address.topic, value, key, on_delivery=delivered)
                producer.poll(0)
                return
            except BufferError:
                producer.poll(BLINK)
        raise NotNow(f"Kafka took nothing for {self._patience:g} s")

    def _answer(self, refusals: list[KafkaError], waiting: int) -> NotNow | Refused:
        from confluent_kafka import KafkaError

        of_the_message = {
            KafkaError.MSG_SIZE_TOO_LARGE,
            KafkaError.INVALID_MSG,
            KafkaError.INVALID_RECORD,
        }
        lasting = {
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            KafkaError.TOPIC_EXCEPTION,
        }
        if not refusals:
            return NotNow(f"Kafka did not confirm {waiting:,} messages within {self._patience:g} s")
        code = refusals[0].code()
        if code not in lasting | of_the_message:
            return NotNow(f"Kafka: {refusals[0].str()}")
        return (Undeliverable if code in of_the_message else Refused)(
            f"Kafka refused a message: {refusals[0].str()}",
            where=str(self._address),
            do="Look at the topic's settings and at who may write to it.",
        )


def _turns_until(deadline: float) -> Iterator[None]:
    while time.monotonic() < deadline:
        yield


def no_topic(name: object) -> Iterator[str]:
    """What is wrong with the name of a topic."""
    if not (isinstance(name, str) and is_topic(name)):
        yield f"{name!r} cannot be the name of a topic: it has letters, digits, '.', '_' and '-', 249 at most"
