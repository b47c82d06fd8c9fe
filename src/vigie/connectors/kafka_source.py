"""What is asked of a broker beside reading: whether a topic is there, and how many messages lie between offsets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vigie.address import Kafka
from vigie.avro.registry import Registry, RegistryAway, subject_of
from vigie.errors import BadAddress, BadSetting, RunFailed, SourceAway
from vigie.extras import install_extra

PATIENCE_S = 12.0

Spans = Mapping[str, tuple[int, int]]  # of each partition: the first offset is in it, the last is not

log = logging.getLogger(__name__)


class BrokerAway(SourceAway):
    """The broker does not answer, or not now."""


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """All partitions of one topic, from its earliest message on.

    `registry` has its schemas, where it is Avro, and `kept` are the numbers of those that the lake has.
    """

    address: Kafka
    registry: Registry | None = None
    kept: frozenset[int] = frozenset()

    @property
    def identity(self) -> str:
        return f"the Kafka topic {self.address.topic}" + (" as Avro" if self.registry else "")

    def check(self) -> None:
        """BadAddress when no broker answers in time, when it has no such topic, or when there is no registry.

        A registry that is away stops nobody who has met schemas before: only a message with another waits for it.
        """
        admin = _client("confluent_kafka.admin").AdminClient(
            {"bootstrap.servers": self.address.servers, "log_level": 0}
        )
        try:
            known = admin.list_topics(timeout=PATIENCE_S).topics
        except _client("confluent_kafka").KafkaException as problem:
            raise BadAddress(
                f"no Kafka broker answers within {PATIENCE_S:.0f} s",
                where=str(self.address),
                do="Start the broker, or mend the host and port; `--kafka` starts one of our own.",
            ) from problem
        if self.address.topic not in known:
            raise BadAddress(
                f"the broker has no topic '{self.address.topic}'",
                where=str(self.address),
                do="Start the feed first (`vigie feed` creates the topic), or create it.",
            )
        if self.registry is not None:
            self._check(self.registry, subject_of(self.address.topic))

    def _check(self, registry: Registry, subject: str) -> None:
        try:
            newest = registry.newest(subject)
        except RegistryAway as problem:
            if not self.kept:
                raise BadAddress(
                    problem.what,
                    where=registry.url,
                    do="Start the registry, or mend its address: VIGIE_REGISTRY, or registry= of the source.",
                ) from problem
            log.warning(
                "%s (%s). The run goes on by the schemas that the lake keeps (%s); a message with another waits for "
                "the registry.", problem.what, registry.url, ", ".join(map(str, sorted(self.kept))),
            )  # fmt: skip
            return
        if newest is None:
            log.warning(
                "%s has no subject '%s' yet. Whoever writes to the topic registers it: `vigie feed` does. Messages "
                "are read by the schema that each of them names.", registry.url, subject,
            )  # fmt: skip

    def verify(self, spans: Spans, read: int) -> str | None:
        """What to record of offsets that hold no message; RunFailed when messages were missed."""
        span = sum(end - begin for begin, end in spans.values())
        if read == span:
            return None
        there = self._count(spans)
        if read != there:
            raise RunFailed(
                f"{there:,} messages stand between the offsets of this batch, and {read:,} were read",
                where=str(self.address),
                do="Start again: the batch is read anew. If it happens again, the topic is losing messages.",
            )
        return f"{span - read} offsets hold no message (compaction, or marks of transactions)"

    def _count(self, spans: Spans) -> int:
        """How many messages the broker gives between these offsets, asked by another client than the one that read."""
        kafka = _client("confluent_kafka")
        consumer = kafka.Consumer(
            {
                "bootstrap.servers": self.address.servers,
                "group.id": "vigie-recount",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        count = 0
        try:
            for partition, (begin, end) in spans.items():
                start = kafka.TopicPartition(self.address.topic, int(partition), begin)
                count += _count_partition(kafka, consumer, start, end)
        finally:
            consumer.close()
        return count


def _count_partition(kafka: Any, consumer: Any, start: Any, end: int) -> int:
    if start.offset >= end:
        return 0
    consumer.assign([start])
    count = 0
    while True:
        message = consumer.poll(PATIENCE_S)
        if message is None:
            raise BrokerAway("the broker stopped answering while a batch was counted again", where=start.topic)
        if message.error() is not None:
            if message.error().code() == kafka.KafkaError._PARTITION_EOF:
                return count
            raise RunFailed(f"Kafka: {message.error()}", where=start.topic)
        if message.offset() >= end:
            return count
        count += 1


def _client(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as problem:
        raise BadSetting(
            "the Kafka client is not installed", where="confluent-kafka", do=install_extra("kafka", "confluent-kafka")
        ) from problem
