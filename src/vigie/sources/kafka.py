"""A Kafka topic, read by Spark's own connector; the broker is asked first whether it is there."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vigie.address import Kafka
from vigie.avro.registry import Registry, RegistryAway, subject_of
from vigie.errors import BadAddress, BadSetting, RunFailed, SourceAway
from vigie.extras import install_extra

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

PATIENCE_S = 12.0
AWAY_AFTER_S = 20.0  # without an answer, in whatever Spark asks
# Enough to spread a batch's fixed cost thin, and little enough to hold its keys in a gigabyte.
MESSAGES_PER_BATCH = 500_000

Offsets = dict[str, int]

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
    kind: ClassVar[str] = "kafka"
    origin: ClassVar[tuple[str, ...]] = ("partition", "offset")
    stamp: ClassVar[str | None] = "timestamp"  # the column of bronze that says when the broker took a message
    bronze: ClassVar[str] = "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP"

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

    def stream(self, spark: SparkSession) -> DataFrame:
        messages = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", self.address.servers)
            .option("subscribe", self.address.topic)
            .option("startingOffsets", "earliest")
            .option("failOnDataLoss", "true")
            .option("maxOffsetsPerTrigger", MESSAGES_PER_BATCH)
            # A broker that is gone is noticed at the first try: whether to wait for it is the engine's to decide.
            .option("fetchOffset.numRetries", 1)
            .option("kafka.request.timeout.ms", 10_000)
            .option("kafka.default.api.timeout.ms", int(AWAY_AFTER_S * 1000))
            .option("kafkaConsumer.pollTimeoutMs", int(AWAY_AFTER_S * 1000))
            .option("kafka.isolation.level", "read_committed")
            .option("kafka.max.partition.fetch.bytes", 16 << 20)
            .option("kafka.fetch.max.bytes", 64 << 20)
            .load()
        )
        return messages.drop("timestampType")

    def cut(self, _batch: DataFrame, from_offset: str | None, to_offset: str) -> dict[str, Offsets]:
        """The offsets this batch spans: `from` is in it, `to` is not."""
        end: Offsets = json.loads(to_offset)[self.address.topic]
        start: Offsets = json.loads(from_offset)[self.address.topic] if from_offset else {}
        return {"from": {partition: start.get(partition, 0) for partition in end}, "to": end}

    def messages(self, batch: DataFrame) -> DataFrame:
        return batch

    def remember(self, cut: Any) -> None:
        """Kafka's messages do not change once they are written."""

    def watch(self) -> None:
        """Spark itself notices when messages are gone before they were read."""

    def received(self, told: pa.Table, row: int) -> int | None:
        """When the broker took the message of a row, in microseconds after 1970."""
        at: int | None = told["stamp"][row].as_py()
        return at

    def expected(self, cut: dict[str, Offsets]) -> int:
        """How many messages a batch should hold: so many offsets, of which some may hold none."""
        return sum(cut["to"][partition] - cut["from"][partition] for partition in cut["to"])

    def verify(self, cut: dict[str, Offsets], read: int) -> str | None:
        """What to record of offsets that hold no message; RunFailed when messages were missed."""
        span = self.expected(cut)
        if read == span:
            return None
        there = self._count(cut)
        if read != there:
            raise RunFailed(
                f"{there:,} messages stand between the offsets of this batch, and {read:,} were read",
                where=str(self.address),
                do="Start again: the batch is read anew. If it happens again, the topic is losing messages.",
            )
        return f"{span - read} offsets hold no message (compaction, or marks of transactions)"

    def _count(self, cut: dict[str, Offsets]) -> int:
        """How many messages the broker gives between these offsets, asked by another client than Spark's."""
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
            for partition, end in cut["to"].items():
                count += _count_partition(
                    kafka,
                    consumer,
                    kafka.TopicPartition(self.address.topic, int(partition), cut["from"][partition]),
                    end,
                )
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
