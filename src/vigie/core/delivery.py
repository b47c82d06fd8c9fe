"""A table on its way to a sink: each batch is written down before it is sent, and sent again until it is taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from vigie.backoff import Backoff, Clock
from vigie.contracts import MessageSink, RemoteSink, Surroundings, Writer
from vigie.core.alerts.sender import needs
from vigie.core.delivery_id import delivery_id
from vigie.core.delivery_log import NotedWriter
from vigie.core.delta import changes, tables
from vigie.core.ingest.avro_schemas import FollowedSchemas
from vigie.core.ingest.shaping import SEEN
from vigie.core.left_undone import LeftUndone
from vigie.core.notes import JsonNotes, Notes
from vigie.core.run_context import RunContext
from vigie.disk import write_whole
from vigie.duration import parse_duration
from vigie.errors import LakeDamaged, RunFailed
from vigie.graph import Delivery, Source
from vigie.lake import PUT_BACK, Table, opened
from vigie.sinks import NotNow

ROWS_A_BATCH = 200_000
ROWS_AT_ONCE = 10_000
LOOK_EVERY_S = 0.2
LAST_TRIES_S = 30.0

log = logging.getLogger(__name__)


class DeliveryPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of a delivery: the version with which it ends, and the version of its table, by address, after which it
    begins."""

    batch: int
    reads: dict[str, int]
    upto: int


class Step:
    """Writes a batch to a sink, and again while the sink says that it is not now."""

    def __init__(
        self,
        name: str,
        ending: threading.Event,
        patience: float | None = None,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._name, self._ending, self._patience = name, ending, patience
        self._clock, self._backoff = clock or Clock(), backoff or Backoff()

    def __call__(self, write: Callable[[], None]) -> None:
        began = self._clock.time()
        while True:
            try:
                write()
            except NotNow as problem:
                self._wait(problem, self._clock.time() - began)
            else:
                self._backoff.reset()
                return

    def _wait(self, problem: NotNow, tried: float) -> None:
        if self._patience is not None and tried > self._patience:
            raise RunFailed(
                f"{self._name} could not be delivered: {problem}",
                do="Start its receiver, or mend its address. Nothing is lost: the next run delivers it.",
            ) from problem
        pause = self._backoff.after(problem.wait)
        log.warning("%s: %s; it is tried again in %.1f s", self._name, problem, pause)
        self._clock.wait(self._ending, pause)
        if self._ending.is_set():
            raise LeftUndone(self._name)


class Carrier:
    """Takes one table to one sink."""

    def __init__(
        self, name: str, table: Table, folder: Path, writer: Writer, step: Step, *, may_lose: bool = False
    ) -> None:
        self.name = name
        self._address, self._table = str(table), table.path
        self._writer, self._step, self._may_lose = writer, step, may_lose
        self._notes, self._done_at = Notes(folder, DeliveryPlan), folder / "done"
        self._plan = self._notes.newest()
        self._due = self._plan is not None and self._done() < self._plan.batch

    @cached_property
    def _schema(self) -> pa.Schema:
        """The table's columns; it is there once there is something to deliver."""
        there = pa.schema(opened(self._table).schema().to_arrow())
        return pa.schema([field for field in there if field.name != SEEN])  # which is the loop's own

    def _done(self) -> int:
        if not self._done_at.exists():
            return -1
        try:
            return int(self._done_at.read_text())
        except ValueError as problem:
            raise LakeDamaged(
                "the note of what was delivered is not what was written there", where=str(self._done_at), do=PUT_BACK
            ) from problem

    def deliver(self) -> bool:
        """Send what is due, or the next rows; whether there were any."""
        if not self._due:
            planned = self._planned()
            if planned is None:
                return False
            self._notes.commit(planned)
            self._plan, self._due = planned, True
        plan = self._plan
        assert plan is not None
        self._step(lambda: self._writer.write(self._rows(plan), plan.batch))
        write_whole(self._done_at, str(plan.batch))
        self._due = False
        return True

    def _planned(self) -> DeliveryPlan | None:
        before = self._plan
        after = before.upto if before else -1
        number = before.batch + 1 if before else 0
        if before is None and not changes.follows(self._table, -1):
            upto = tables.version(self._table)  # as it is: its first commits are gone
        elif (gain := changes.gained(self._table, after, ROWS_A_BATCH)) is not None:
            upto = gain.version
        else:
            return None
        return DeliveryPlan(number, {self._address: after}, upto)

    def _rows(self, plan: DeliveryPlan) -> pa.RecordBatchReader:
        """What the table gained with this batch."""
        after = plan.reads[self._address]
        if after < 0 and not changes.follows(self._table, -1):
            columns = {name: pc.field(name) for name in self._schema.names}
            return tables.reader(self._table, pc.scalar(True), columns, plan.upto)
        gain = changes.gained(self._table, after, ROWS_A_BATCH, plan.upto)
        assert gain is not None
        return changes.reader(self._table, gain, self._schema, ROWS_AT_ONCE, may_be_gone=self._may_lose)


def carriers(
    context: RunContext, around: Surroundings, ending: threading.Event, patience: float | None
) -> Iterator[tuple[Carrier, float]]:
    """One for each delivery whose sink is not off, and how many seconds apart its batches are at least; a setting that
    cannot be is refused here, before anything is read."""
    off: dict[str, list[str]] = {}
    for at, delivery in enumerate(context.graph.deliveries):
        node = context.graph.find(delivery.table)
        assert node is not None
        sink, kind = delivery.to, type(delivery.to).__name__
        if isinstance(sink, RemoteSink | MessageSink) and (missing := sink.missing(around)):
            off.setdefault(f"{kind} is off: {missing}", []).append(str(delivery.place))
            continue
        name = f"{node.name}-to-{kind.lower()}-{at}"
        folder = context.lake.notes(context.graph.name) / name.replace("/", ".")
        own = replace(around, delivery=delivery_id(folder.name, folder))
        writer = NotedWriter(name, _opened(context, delivery, own, folder), context.receipts)
        step = Step(name, ending, patience)
        every = getattr(sink, "every", None)
        yield (
            Carrier(name, context.lake.table(node.table), folder, writer, step, may_lose=isinstance(node, Source)),
            parse_duration(every).total_seconds() if every else 0.0,
        )
    for said, places in off.items():
        log.info("%s (%s)", said, ", ".join(places))


def _opened(context: RunContext, delivery: Delivery, around: Surroundings, folder: Path) -> Writer:
    """What the rows of a delivery are written with."""
    sink = delivery.to
    if isinstance(sink, RemoteSink | MessageSink):
        needs(sink, str(delivery.place))
    if isinstance(sink, RemoteSink):
        return sink.opened(around)
    if not isinstance(sink, MessageSink):
        return sink
    source, pipeline = context.graph.find(delivery.table), context.graph.name
    assert isinstance(source, Source)  # `check` has seen to it
    done = partial(tables.last_batch, context.lake.ledger(pipeline), source.name)
    notes = JsonNotes(folder / "schemas")
    return sink.opened_for_messages(
        around, FollowedSchemas(source, context.lake.schemas(pipeline, source.name), notes, done)
    )
