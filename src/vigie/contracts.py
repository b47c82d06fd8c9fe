"""What the places outside the lake are asked for that tables, messages and alerts are delivered to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

    from vigie.alerts import Event
    from vigie.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sink may need to know of where it runs: the settings, the Kafka that the run reads from, if any, the
    pipeline, and as what delivery it is opened, by a name that no other has, nor the same in a lake made anew."""

    settings: Settings
    kafka: str = ""
    pipeline: str = ""
    delivery: str = ""

    @property
    def servers(self) -> str:
        """The Kafka that a sink writes to which names none."""
        return self.settings.kafka or self.kafka


class Writer(Protocol):
    """What the rows of a table are written with.

    `write` is called once for each batch of new rows, in order, and called again with the same `batch` after a
    crash: it must make the repeat harmless. `rows` can be read once, a part after another, each of bounded size. When
    it raises `vigie.sinks.NotNow` it is called again after a while, and nothing else waits for it; whatever else it
    raises ends the run.
    """

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None: ...


class Sink(Writer, Protocol):
    """A place outside the lake that a table is delivered to.

    `module` is the client library it needs and `extra` the extra of Vigie that installs it; both are empty
    when it needs none. One that also has `every`, a span of time, is given a batch no more often than that.
    """

    @property
    def module(self) -> str: ...

    @property
    def extra(self) -> str: ...


@runtime_checkable
class RemoteSink(Protocol):
    """A sink that is reached by what the environment holds, an address, a password, or that asks what delivery it is.

    `missing` says what must be set for it to work, and nothing when all is there: while something is missing the
    sink is off. `opened` is what writes, which need not connect before it is used.
    """

    @property
    def module(self) -> str: ...

    @property
    def extra(self) -> str: ...

    def missing(self, around: Surroundings) -> str: ...

    def opened(self, around: Surroundings) -> Writer: ...


SchemasOf = Callable[["pa.Table", int], Mapping[int, str] | None]


@runtime_checkable
class MessageSink(Protocol):
    """A sink of what comes in, reached as a RemoteSink is: its writer is given rows of bronze, and decodes them.

    `schemas` says of a batch of bronze, each time the same, by which Avro schemas its messages were written, by their
    numbers, and nothing where they are JSON. It raises `vigie.sinks.NotNow` while one is still being asked for. `id` is
    the field of a message that is its own id; one within another is named with a dot.
    """

    @property
    def id(self) -> str: ...

    @property
    def module(self) -> str: ...

    @property
    def extra(self) -> str: ...

    def missing(self, around: Surroundings) -> str: ...

    def opened_for_messages(self, around: Surroundings, schemas: SchemasOf) -> Writer: ...


class Receiver(Protocol):
    """What is told of alerts, from a thread of its own.

    `send` is given what opened and closed, the worst first and each alert's opening before its end, and returns when
    all of it was taken; it may be given the same again after a crash. It raises `vigie.sinks.NotNow` when the same is
    to be tried again, `vigie.sinks.Refused` when nothing is taken until somebody fixes something, and
    `vigie.sinks.Undeliverable` when it is this that is not taken. It must end within seconds.
    """

    def send(self, events: Sequence[Event]) -> None: ...

    def close(self) -> None: ...


class AlertSink(Protocol):
    """A place that is told of each alert that opens and closes.

    `name` tells it from the other sinks of its watch and is kept in the lake; `at_once` is how many events it is
    given at most. The rest is as for a RemoteSink.
    """

    @property
    def name(self) -> str: ...

    @property
    def module(self) -> str: ...

    @property
    def extra(self) -> str: ...

    @property
    def at_once(self) -> int: ...

    def missing(self, around: Surroundings) -> str: ...

    def opened(self, around: Surroundings) -> Receiver: ...


@runtime_checkable
class DigestSink(AlertSink, Protocol):
    """A place where people read: it is given one event at a time, but when more than `digest_over` wait, as many as
    `at_once`, which it brings into one message."""

    @property
    def digest_over(self) -> int: ...
