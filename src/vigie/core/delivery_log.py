"""What becomes of what goes to a sink: somebody is told each time its receiver took something, and when it did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie.alerts import Event
from vigie.contracts import Receiver, Writer
from vigie.sinks import NotNow, Refused

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Receipts:
    """Who is told, by the name of a delivery, that its receiver took something, or that it is to be tried again."""

    taken: Callable[[str], None] = lambda _name: None
    put_off: Callable[[str], None] = lambda _name: None

    @contextmanager
    def noted(self, name: str) -> Iterator[None]:
        try:
            yield
        except (NotNow, Refused):
            self.put_off(name)
            raise
        self.taken(name)


@dataclass(frozen=True, slots=True)
class NotedWriter:
    """What a table's rows are written with, each batch noted."""

    name: str
    writer: Writer
    receipts: Receipts

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        with self.receipts.noted(self.name):
            self.writer.write(rows, batch)


@dataclass(frozen=True, slots=True)
class NotedReceiver:
    """What is told of alerts, each time noted."""

    name: str
    receiver: Receiver
    receipts: Receipts

    def send(self, events: Sequence[Event]) -> None:
        with self.receipts.noted(self.name):
            self.receiver.send(events)

    def close(self) -> None:
        self.receiver.close()
