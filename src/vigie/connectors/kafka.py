"""A Kafka topic straight to Arrow: exactly the offsets that were planned, keys and values byte for byte."""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT
from vigie.connectors.kafka_source import BrokerAway, KafkaSource
from vigie.core.source import NOTED, Bounds, Position, Span, There
from vigie.errors import RunFailed

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

ORIGIN = pa.schema([("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64()), ("timestamp", INSTANT)])
MESSAGES = pa.schema(
    [
        *ORIGIN,
        ("partition_id", pa.string()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("stamp", INSTANT),
        ("arrived_at", INSTANT),
    ]
)
# A broker that is gone is noticed at the first try: whether to wait for it is the loop's to decide.
OPTIONS = {
    "fetchOffset.numRetries": "1",
    "kafka.request.timeout.ms": "10000",
    "kafka.default.api.timeout.ms": "20000",
    "kafkaConsumer.pollTimeoutMs": "20000",
    "kafka.isolation.level": "read_committed",
    "kafka.max.partition.fetch.bytes": str(16 << 20),
    "kafka.fetch.max.bytes": str(64 << 20),
}
AT_ONCE = 2_000  # messages that the client hands over together
WAITS_S = 0.05  # for so many to be there
ANSWERS_WITHIN_S = 5.0
AWAY_AFTER_S = 20.0
BY_THE_BROKER = 2  # a message's timestamp: when it was appended, and not when somebody made it
APPENDED = 1  # as Spark has it
PARTITION_S = 1 << 48  # so many offsets one may have, for its messages to stand before those of the next
FEWEST = 1_000  # of a partition, however many there are
FIRST = 500  # messages, by which it is told how large they are


@dataclass(slots=True)
class KafkaTopic:
    """All partitions of one topic, from its earliest message on."""

    source: KafkaSource
    _consumer: Consumer | None = None
    _next: dict[int, int] = field(default_factory=dict)  # before it, the client has handed over all there is
    _taken_to: dict[int, int] = field(default_factory=dict)  # what it handed over from there on is in _ahead
    _ahead: dict[int, list[Message]] = field(default_factory=dict)  # handed over, and beyond what was planned
    _size: float | None = None  # bytes of a message, in the batch before; none before any was read

    @property
    def identity(self) -> str:
        return self.source.identity

    @property
    def origin(self) -> pa.Schema:
        return ORIGIN

    def check(self) -> None:
        self.source.check()

    def there(self, position: Position | None, bounds: Bounds) -> There:
        spans = self._there(position)
        unread = {str(at): after < until for at, (after, until) in spans.items()}
        return There(unread, _bounded(spans, self._most_within(bounds)))

    def _most_within(self, bounds: Bounds) -> int:
        """How many messages a batch takes: a topic says nothing of their size but by what was read of it."""
        if self._size is None:
            return min(bounds.messages, FIRST)
        return max(1, min(bounds.messages, int(bounds.bytes / max(self._size, 1.0))))

    def _there(self, position: Position | None) -> dict[int, tuple[int, int]]:
        """Of each partition, from where it is to be read and up to where there are messages."""
        found = {}
        for partition in self._partitions():
            low, high = self._ends(partition)
            after = low if position is None or str(partition) not in position else int(position[str(partition)])
            if after < low:
                raise RunFailed(
                    f"Kafka no longer has the messages {after:,} to {low - 1:,} of partition {partition}, which were "
                    "not read yet",
                    where=str(self.source.address),
                    do="They were deleted before they were read (retention?). To go on with what is there, use another "
                    "lake with --lake.",
                )
            if after > high:
                raise RunFailed(
                    f"partition {partition} was read up to message {after:,}, and ends at {high:,} now: the topic was "
                    "made anew",
                    where=str(self.source.address),
                    do="Start with another lake: the offsets of this one do not fit the new topic.",
                )
            found[partition] = after, high
        return found

    def _partitions(self) -> list[int]:
        from confluent_kafka import KafkaError, KafkaException

        topic = self.source.address.topic
        try:
            known = self._client().list_topics(topic, timeout=ANSWERS_WITHIN_S).topics[topic]
        except KafkaException as problem:
            raise self._away() from problem
        if known.error is not None and known.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise RunFailed(
                f"the Kafka topic is gone: {known.error.str()}",
                where=str(self.source.address),
                do="Create it again, or start with another lake: its offsets would not fit a new topic.",
            )
        if known.error is not None or not known.partitions:
            raise self._away()
        return sorted(known.partitions)

    def _ends(self, partition: int) -> tuple[int, int]:
        from confluent_kafka import KafkaException, TopicPartition

        where = TopicPartition(self.source.address.topic, partition)
        try:
            low, high = self._client().get_watermark_offsets(where, timeout=ANSWERS_WITHIN_S)
        except KafkaException as problem:
            raise self._away() from problem
        return low, high

    def read(self, span: Span) -> pa.Table:
        wanted = {int(at): (after, until) for at, (after, until) in dict(span.part).items() if after < until}
        parts = self._taken(wanted) if wanted else {}
        found = pa.concat_tables([MESSAGES.empty_table(), *(part for at in sorted(parts) for part in parts[at])])
        noted = self.verify(span, found.num_rows)
        found = found.combine_chunks()
        if found.num_rows:
            self._size = found.select(["key", "value"]).nbytes / found.num_rows
        return found.replace_schema_metadata({NOTED: noted}) if noted else found

    def verify(self, span: Span, messages: int) -> str | None:
        wanted = {at: (after, until) for at, (after, until) in dict(span.part).items() if after < until}
        return self.source.verify(wanted, messages)

    def most(self, part: Any) -> int:
        return sum(until - after for after, until in dict(part).values())

    def frame(self, spark: SparkSession, span: Span) -> DataFrame:
        from pyspark.sql import functions as F
        from pyspark.sql.pandas.types import from_arrow_schema

        topic = self.source.address.topic
        self._size = self._size or 0.0  # executors read it bit by bit, and may put it on their disks
        wanted = {at: ends for at, ends in dict(span.part).items() if ends[0] < ends[1]}
        if not wanted:
            return spark.createDataFrame([], from_arrow_schema(MESSAGES.append(pa.field("row", pa.int64()))))
        begins, ends = (json.dumps({topic: {at: ends[which] for at, ends in wanted.items()}}) for which in (0, 1))
        read = (
            spark.read.format("kafka")
            .option("kafka.bootstrap.servers", self.source.address.servers)
            .options(**OPTIONS)
            .option("assign", json.dumps({topic: [int(at) for at in wanted]}))
            .option("startingOffsets", begins)
            .option("endingOffsets", ends)
            .load()
        )
        by_the_broker = F.when(F.col("timestampType") == APPENDED, F.col("timestamp"))
        placed = read.withColumns({"stamp": by_the_broker, "arrived_at": F.col("timestamp")})
        return _placed(placed).select(*MESSAGES.names, "row")

    def placed(self, _spark: SparkSession, bronze: DataFrame, _parts: Sequence[Any]) -> DataFrame:
        return _placed(bronze)

    def _taken(self, wanted: dict[int, tuple[int, int]]) -> dict[int, list[pa.Table]]:
        """The messages between these offsets, partition by partition. They are laid out as they come, while they are
        in the processor's cache, and not kept as objects."""
        from confluent_kafka import KafkaError

        self._seek(wanted)
        taken: dict[int, list[pa.Table]] = {at: [] for at in wanted}
        heard = time.monotonic()
        for at in wanted:
            self._sort(self._ahead.pop(at, []), at, wanted, taken)
        while left := [at for at, (_, until) in wanted.items() if self._next[at] < until]:
            missing = sum(wanted[at][1] - self._next[at] for at in left)
            messages = self._client().consume(min(AT_ONCE, missing), timeout=WAITS_S)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > AWAY_AFTER_S:
                raise self._away()
            read, problems = _told_apart(messages)
            for partition, some in read.items():
                self._sort(some, partition, wanted, taken)
                self._come_to(partition, _offset(some[-1]) + 1)
            for message in problems:
                where, problem = message.partition(), message.error()
                assert where is not None
                assert problem is not None
                if problem.code() == KafkaError._PARTITION_EOF:
                    self._come_to(where, _offset(message))  # no message is before it that has not been handed over
                elif not problem.retriable() and problem.fatal():
                    raise RunFailed(f"Kafka: {problem.str()}", where=str(self.source.address))
        self._taken_to |= {at: until for at, (_, until) in wanted.items()}
        return taken

    def _come_to(self, partition: int, offset: int) -> None:
        self._next[partition] = max(self._next.get(partition, 0), offset)

    def _sort(
        self,
        messages: list[Message],
        partition: int,
        wanted: dict[int, tuple[int, int]],
        taken: dict[int, list[pa.Table]],
    ) -> None:
        """Put messages where they belong, which come in the order of their offsets: into the batch, or aside for the
        next."""
        if not messages:
            return
        until = wanted[partition][1] if partition in wanted else -1
        cut = bisect_left(messages, until, key=_offset)
        if cut:
            taken[partition].append(_table(messages[:cut]))
        if cut < len(messages):
            self._ahead.setdefault(partition, []).extend(messages[cut:])

    def _seek(self, wanted: dict[int, tuple[int, int]]) -> None:
        """Have the client hand over what follows these offsets; it goes on where it stands already there."""
        from confluent_kafka import TopicPartition

        topic = self.source.address.topic
        if all(self._taken_to.get(at) == after for at, (after, _) in wanted.items()):
            return
        self._ahead.clear()
        self._taken_to |= {at: after for at, (after, _) in wanted.items()}
        self._next = dict(self._taken_to)
        self._client().assign([TopicPartition(topic, at, after) for at, after in self._next.items()])

    def in_order(self, _part: Any, bronze: pa.Table) -> pa.Table:
        return bronze.sort_by([("partition", "ascending"), ("offset", "ascending")])

    def partitions_of(self, bronze: pa.Table) -> pa.ChunkedArray:
        return bronze["partition"].cast(pa.string())

    def remember(self, part: Any) -> None:
        """Kafka's messages do not change once they are written."""

    def watch(self) -> None:
        """What was deleted before it was read is noticed when it is asked for."""

    def close(self) -> None:
        self._next.clear()
        self._taken_to.clear()
        self._ahead.clear()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _client(self) -> Consumer:
        if self._consumer is None:
            from confluent_kafka import Consumer

            self._consumer = Consumer(
                {
                    "bootstrap.servers": self.source.address.servers,
                    "group.id": "vigie",  # which the client asks for; nothing is ever committed to it
                    "enable.auto.commit": False,
                    "auto.offset.reset": "error",
                    "isolation.level": "read_committed",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 50,
                    "log_level": 0,
                }
            )
        return self._consumer

    def _away(self) -> BrokerAway:
        """What to raise; the next time it is asked by a client that begins anew."""
        self.close()
        return BrokerAway(
            "the Kafka broker went away",
            where=str(self.source.address),
            do="Start the broker, then start again: the run goes on where it stopped.",
        )


def _placed(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    partition = F.col("partition").cast("long")
    return rows.withColumns({
        "partition_id": F.col("partition").cast("string"), "row": partition * PARTITION_S + F.col("offset"),
    })  # fmt: skip


def _told_apart(messages: list[Message]) -> tuple[dict[int, list[Message]], list[Message]]:
    """Messages by partition, and what is said of a problem instead."""
    read: dict[int, list[Message]] = defaultdict(list)
    problems = []
    for message in messages:
        if message.error() is None:
            read[message.partition()].append(message)  # type: ignore[index]  # a message that was read has one
        else:
            problems.append(message)
    return read, problems


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset


def _table(messages: list[Message]) -> pa.Table:
    """Messages of one partition. A method of all of them is called without Python between: there are millions."""
    kind = type(messages[0])
    count = len(messages)
    stamps = np.fromiter(chain.from_iterable(map(kind.timestamp, messages)), np.int64, 2 * count).reshape(count, 2)
    moments = pa.array(stamps[:, 1]).cast(pa.timestamp("ms", "UTC")).cast(INSTANT)
    by_the_broker = pa.array(stamps[:, 0] == BY_THE_BROKER)
    topic, partition = messages[0].topic(), messages[0].partition()
    return pa.Table.from_arrays(
        [
            pa.repeat(pa.scalar(topic), count),
            pa.repeat(pa.scalar(partition, pa.int32()), count),
            pa.array(map(kind.offset, messages), pa.int64(), size=count),
            moments,
            pa.repeat(pa.scalar(str(partition)), count),
            pa.array(map(kind.key, messages), pa.binary(), size=count),
            pa.array(map(kind.value, messages), pa.binary(), size=count),
            pc.if_else(by_the_broker, moments, pa.nulls(count, moments.type)),
            moments,
        ],
        schema=MESSAGES,
    )


def _bounded(spans: Mapping[int, tuple[int, int]], most: int) -> Span | None:
    """The next of what is there: a share of each partition."""
    waiting = sum(until - after for after, until in spans.values())
    if not waiting:
        return None
    share, fewest = min(1.0, most / waiting), max(1, min(FEWEST, most // (10 * len(spans))))
    part = {
        str(at): [after, min(until, after + max(fewest, int((until - after) * share)))]
        for at, (after, until) in spans.items()
    }
    return Span(part, {at: until for at, (_, until) in part.items()}, None, share < 1)
