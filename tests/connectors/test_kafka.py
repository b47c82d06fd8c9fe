"""A topic is read from offset to offset, whatever the client hands over; what a real broker says of it is tried with
the servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.address import Kafka
from vigie.connectors import kafka
from vigie.connectors.kafka import KafkaTopic
from vigie.connectors.kafka_source import KafkaSource
from vigie.core.source import Bounds


@dataclass(slots=True)
class Message:
    """As the client has it, or what it says at the end of a partition."""

    of: int
    at: int
    is_end: bool = False
    size: int = 0

    def error(self) -> SimpleNamespace | None:
        return SimpleNamespace(code=lambda: KafkaError._PARTITION_EOF) if self.is_end else None

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return self.of

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 2, 1_000 * self.at

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes:
        return f"{self.of}.{self.at}".ljust(self.size).encode()


@dataclass(slots=True)
class Client:
    """A consumer of a topic: `there` are the offsets of each partition that hold a message, of which some may be
    missing (compacted, or marks of a transaction)."""

    there: list[list[int]]
    ends: list[int]
    size: int = 0  # of each message, at least
    asked: list[int] = field(default_factory=list)
    handed: Iterator[Message] = field(default_factory=lambda: iter(()))

    def list_topics(self, topic: str, **_: object) -> Any:
        about = SimpleNamespace(error=None, partitions=dict.fromkeys(range(len(self.there))))
        return SimpleNamespace(topics={topic: about})

    def get_watermark_offsets(self, where: TopicPartition, **_: object) -> tuple[int, int]:
        return 0, self.ends[where.partition]

    def assign(self, places: list[TopicPartition]) -> None:
        self.handed = self._from({place.partition: place.offset for place in places})

    def _from(self, places: dict[int, int]) -> Iterator[Message]:
        """In turns of three, and beyond what is there by now nothing."""
        left = {of: [at for at in self.there[of] if at >= after] for of, after in places.items()}
        while any(left.values()):
            for of, offsets in left.items():
                yield from (Message(of, at, size=self.size) for at in offsets[:3])
                left[of] = offsets[3:]
        for of in places:
            yield Message(of, self.ends[of], is_end=True)

    def consume(self, number: int, timeout: float) -> list[Message]:  # noqa: ARG002
        self.asked.append(number)
        return list(islice(self.handed, number))

    def close(self) -> None: ...


def topic_of(client: Client) -> KafkaTopic:
    topic = KafkaTopic(KafkaSource(Kafka("nowhere:1", "t"), None, frozenset()))
    topic._consumer = client  # type: ignore[assignment]
    return topic


def read_to_the_end(topic: KafkaTopic, bounds: Bounds) -> list[str]:
    """All values, batch by batch."""
    found: list[str] = []
    position = None
    while (there := topic.there(position, bounds)).span is not None:
        assert any(there.unread.values())
        span = there.span
        found += [value.decode() for value in topic.read(span)["value"].to_pylist()]
        position = span.after
    return found


@settings(deadline=None)
@given(
    partitions=st.lists(st.lists(st.booleans(), max_size=30), min_size=1, max_size=3),
    most=st.integers(1, 20),
    data=st.data(),
)
def test_every_message_is_read_once_and_in_the_order_of_its_partition(
    partitions: list[list[bool]], most: int, data: st.DataObject
) -> None:
    there = [[at for at, is_there in enumerate(held) if is_there] for held in partitions]
    client = Client(there, [len(held) for held in partitions])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KafkaSource, "verify", lambda *_: None)  # counts again by a client of its own
        patch.setattr(kafka, "FEWEST", data.draw(st.integers(1, 5)))
        patch.setattr(kafka, "AT_ONCE", data.draw(st.integers(1, 50)))
        found = read_to_the_end(topic_of(client), Bounds(most, 1 << 20))

    for of, offsets in enumerate(there):
        assert [value for value in found if value.startswith(f"{of}.")] == [f"{of}.{at}" for at in offsets]
    assert len(found) == sum(map(len, there))


@settings(deadline=None, max_examples=25)
@given(held=st.lists(st.integers(0, 900), min_size=1, max_size=3), size=st.integers(100, 5_000))
def test_a_batch_holds_no_more_bytes_than_it_may_once_it_was_seen_how_large_messages_are(
    held: list[int], size: int
) -> None:
    topic, most = topic_of(Client([list(range(count)) for count in held], held, size)), 100_000
    batches = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KafkaSource, "verify", lambda *_: None)
        position = None
        while (span := topic.there(position, Bounds(10_000, most)).span) is not None:
            batches.append(topic.read(span)["value"].to_pylist())
            position = span.after

    assert sum(map(len, batches)) == sum(held)
    assert all(len(values) <= 1.1 * kafka.FIRST + len(held) for values in batches[:1])
    for values in batches[1:]:  # a partition of which little is left may be given a tenth more
        assert sum(map(len, values)) <= 1.1 * most + len(held) * size


def test_no_more_messages_are_waited_for_than_are_there() -> None:
    client = Client([list(range(7)), list(range(5))], [7, 5])

    assert len(read_to_the_end(topic_of(client), Bounds(1_000, 1 << 20))) == 12

    assert client.asked == [12]  # all of them are few enough for a first look


def test_one_look_says_which_partitions_are_unread_and_what_is_there() -> None:
    client = Client([[0, 1], []], [2, 0])
    topic = topic_of(client)

    there = topic.there(None, Bounds(10, 10))

    assert there.unread == {"0": True, "1": False}
    assert there.span is not None
    assert there.span.part == {"0": [0, 2], "1": [0, 0]}
    client.ends = [2, 9]
    assert topic.there(None, Bounds(10, 10)).unread == {"0": True, "1": True}
