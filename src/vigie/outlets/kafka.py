"""Messages to a Kafka topic, each exactly once as long as the feed lives."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vigie.address import Kafka
from vigie.errors import BadAddress, BadSetting, RunFailed
from vigie.extras import install_extra
from vigie.outlets import BLINK, Message

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer
    from confluent_kafka import Message as Report

log = logging.getLogger(__name__)

PARTITIONS = 2
THE_CLUSTER_S = -1  # copies of each message: as many as the cluster is set to keep
SAID_EVERY_S = 60.0  # by the client, which would say the same several times a second while a broker is away
WHERE_IN_THE_CLIENT = re.compile(r"^[A-Z]+ \[[^\]]*\] (\[thrd:[^\]]*\]: )?(\S+/\w+: )?")
ANSWER_SECONDS = 10  # a broker that is not there is known within 15 seconds
RETRY_SECONDS = 600  # how long a broker may be away before a message counts as not delivered
PRODUCER = {
    "enable.idempotence": True,  # librdkafka's own retries neither repeat nor reorder messages
    "acks": "all",
    "delivery.timeout.ms": RETRY_SECONDS * 1000,
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 64 * 1024,
    "message.max.bytes": 12 * 1024 * 1024,  # the embedded broker takes it; others may refuse, and say so
    "linger.ms": 20,
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # the partition that Java's producers choose for a key
}


class KafkaOutlet:
    """An idempotent producer with `acks=all` and a bounded buffer.

    A full buffer takes nothing until the broker takes something. While the broker is away the feed stands
    still, for ten minutes at most; nothing is lost or doubled when it comes back. A message that cannot be
    delivered ends the feed with the number of those that were.
    """

    def __init__(self, address: Kafka) -> None:
        self.delivered = 0
        self._address = address
        self._refusal: KafkaError | None = None
        self._producer = connected(address, "vigie-feed")

    def send(self, messages: Sequence[Message]) -> int:
        from confluent_kafka import KafkaException

        for taken, (key, value) in enumerate(messages):
            self._check()
            try:
                self._producer.produce(self._address.topic, value, key, on_delivery=self._count)
            except BufferError:
                self._producer.poll(BLINK)
                return taken
            except KafkaException as problem:
                self._refusal = problem.args[0]
                self._check()
        self._producer.poll(0)
        return len(messages)

    def tend(self) -> None:
        self._producer.poll(0)
        self._check()

    def finish(self) -> int:
        waiting = self._producer.flush(BLINK)
        if not waiting:
            self._check()
        return waiting

    def close(self) -> None:
        if len(self._producer):
            self._producer.purge()
            self._producer.flush(BLINK)

    def _count(self, error: KafkaError | None, _: Report) -> None:
        if error is None:
            self.delivered += 1
        elif self._refusal is None:
            self._refusal = error

    def _check(self) -> None:
        if self._refusal is not None:
            raise RunFailed(
                f"Kafka refused a message: {self._refusal.str()}; {self.delivered:,} messages were delivered",
                where=str(self._address),
                do="Look at the broker's log and at the topic's settings, then feed the rest.",
            )


class OnceAMinute(logging.Filter):
    """Lets through one line of the client's a minute, in plain words, with how many there were since the last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: float | None = None
        self._unsaid = 0

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if record.levelno >= logging.INFO and self._said is not None and now - self._said < SAID_EVERY_S:
            self._unsaid += 1
            return False
        text = WHERE_IN_THE_CLIENT.sub("", record.getMessage())
        more = f" ({self._unsaid:,} lines like it since the last)" if self._unsaid else ""
        record.msg, record.args = f"Kafka's client: {text}{more}", ()
        if record.levelno >= logging.INFO:
            self._said, self._unsaid = now, 0
        return True


def _of_the_client() -> logging.Logger:
    """Where the client writes its lines: several clients of one process share what is said a minute."""
    client = logging.getLogger(f"{__name__}.client")
    if not client.filters:
        client.addFilter(OnceAMinute())
    return client


def connected(address: Kafka, client: str) -> Producer:
    """A producer for a topic that is there, and was created if it was missing."""
    try:
        from confluent_kafka import KafkaError, KafkaException, Producer
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic
    except ImportError as problem:
        raise BadSetting(
            "writing to Kafka needs the package confluent-kafka, which is not installed",
            where=str(address),
            do=install_extra("kafka", "confluent-kafka"),
        ) from problem
    servers: dict[str, str | int | float | bool] = {
        "bootstrap.servers": address.servers,
        "client.id": client,
    }
    try:
        admin = AdminClient(servers, logger=_of_the_client())
        if address.topic not in admin.list_topics(timeout=ANSWER_SECONDS).topics:
            topic = NewTopic(address.topic, num_partitions=PARTITIONS, replication_factor=THE_CLUSTER_S)
            try:
                admin.create_topics([topic], request_timeout=ANSWER_SECONDS)[address.topic].result()
            except KafkaException as problem:
                if problem.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another was quicker
                    raise
        return Producer(servers | PRODUCER, logger=_of_the_client())
    except KafkaException as problem:
        raise BadAddress(
            f"Kafka does not answer as it should: {problem.args[0].str()}",
            where=str(address),
            do="Start the broker, or name the host and port that it listens on; a topic that is missing "
            "is created, if the broker allows it.",
        ) from problem
