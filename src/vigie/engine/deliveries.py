"""Deliveries: a query for each, from a table of the lake to its sink."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from vigie.backoff import Backoff, Clock
from vigie.contracts import MessageSink, RemoteSink, Surroundings, Writer
from vigie.core.alerts.sender import needs
from vigie.core.delivery import Step as UntilTaken
from vigie.core.delivery_id import delivery_id
from vigie.core.delivery_log import NotedWriter
from vigie.core.ingest.avro_schemas import FollowedSchemas
from vigie.core.ledger import Entry
from vigie.duration import parse_duration
from vigie.engine import tables
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.workshop import Workshop
from vigie.graph import Delivery, Graph, Source
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LAST_TRIES_S = 30.0
AT_ONCE = 10_000  # rows that a sink is given together

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """The query of one delivery: the rows it follows, what it does with a batch of them, and how often at most."""

    name: str
    rows: DataFrame
    step: Callable[[DataFrame, int], list[Entry]]
    every: float


@dataclass(frozen=True, slots=True)
class Open:
    """A delivery whose sink is not off, and what its rows are written with."""

    name: str
    delivery: Delivery
    writer: Writer


def open_all(graph: Graph, around: Surroundings, lake: Lake) -> list[Open]:
    """Every delivery whose sink is not off; a setting that cannot be is refused here, before anything is read."""
    found: list[Open] = []
    off: dict[str, list[str]] = {}
    for at, delivery in enumerate(graph.deliveries):
        node = graph.find(delivery.table)
        assert node is not None
        kind = type(delivery.to).__name__
        if missing := _missing(delivery, around):
            off.setdefault(f"{kind} is off: {missing}", []).append(str(delivery.place))
        else:
            name = f"{node.name}-to-{kind.lower()}-{at}"
            folder = lake.checkpoint(graph.name, name)
            notes = Checkpoint(folder / "schemas")
            schemas = _followed_schemas(lake, graph.name, node, notes) if isinstance(node, Source) else None
            if isinstance(delivery.to, RemoteSink | MessageSink):
                needs(delivery.to, str(delivery.place))
            itself = replace(around, delivery=delivery_id(name, folder))
            found.append(Open(name, delivery, _opened(delivery, itself, schemas)))
    for said, places in off.items():
        log.warning("%s (%s)", said, ", ".join(places))
    return found


def _followed_schemas(lake: Lake, pipeline: str, source: Source, notes: Checkpoint) -> FollowedSchemas:
    reads = Checkpoint(lake.checkpoint(pipeline, source.name))
    done = partial(_last_batch, lake.ledger(pipeline), reads)
    return FollowedSchemas(source, lake.schemas(pipeline, source.name), notes, done)


def _last_batch(ledger: Path, reads: Checkpoint) -> int:
    return tables.last_batch(ledger, reads.query)


def deliveries(shop: Workshop, going: Sequence[Open], ending: Event, once: bool) -> Iterator[Route]:
    """The query of each. A batch that waits for its sink gives up when `ending` is set, and with `once` after a
    while."""
    for each in going:
        node = shop.graph.find(each.delivery.table)
        assert node is not None
        stream = _followed(shop.spark, shop.lake.path(node.table), is_source=isinstance(node, Source))
        patience = LAST_TRIES_S if once else None
        step = Step(each.name, NotedWriter(each.name, each.writer, shop.receipts), ending, patience)
        every = getattr(each.delivery.to, "every", None)
        yield Route(each.name, stream, step, parse_duration(every).total_seconds() if every else 0.0)


def _followed(spark: SparkSession, table: Path, *, is_source: bool) -> DataFrame:
    """The new rows of a table. Old ones of bronze may be deleted, which is nothing new; of silver that is an error."""
    rows = spark.readStream.format("delta")
    if is_source:
        rows = rows.option("skipChangeCommits", "true")
    return rows.load(str(table))


def _missing(delivery: Delivery, around: Surroundings) -> str:
    """The setting without which its sink is off, if it is."""
    return delivery.to.missing(around) if isinstance(delivery.to, RemoteSink | MessageSink) else ""


def _opened(delivery: Delivery, around: Surroundings, schemas: FollowedSchemas | None) -> Writer:
    """What the rows of a delivery are written with; of a source's, `schemas` are those of its messages."""
    sink = delivery.to
    if isinstance(sink, RemoteSink):
        return sink.opened(around)
    if isinstance(sink, MessageSink):
        assert schemas is not None  # `check` has seen to it
        return sink.opened_for_messages(around, schemas)
    return sink


class Step:
    """Writes a batch to a sink, and again while the sink says that it is not now."""

    def __init__(  # noqa: PLR0913  (the last two for tests)
        self,
        name: str,
        writer: Writer,
        ending: Event,
        patience: float | None = None,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._writer = writer
        self._until_taken = UntilTaken(name, ending, patience, clock, backoff)

    def __call__(self, batch: DataFrame, number: int) -> list[Entry]:
        rows = batch.toArrow()  # all of it through the driver, until this engine is gone
        self._until_taken(lambda: self._writer.write(rows.to_reader(max_chunksize=AT_ONCE), number))
        return []
