"""Where each source of a run is read from."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack

from vigie.address import Address, Inbox, Kafka
from vigie.core.request import Request
from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.errors import RequestError
from vigie.graph import Graph, Source
from vigie.settings import Settings
from vigie.writer import make_folder

log = logging.getLogger(__name__)


def addresses_of(
    graph: Graph, request: Request, settings: Settings, closing: ExitStack
) -> Iterator[tuple[Source, Address]]:
    """Where each source is read from, as it was asked for, from a Kafka of our own, or from the lake's own inbox."""
    strange = request.sources.keys() - {source.name for source in graph.sources}
    if strange:
        raise RequestError(
            f"pipeline '{graph.name}' has no source '{min(strange)}'",
            do=f"It has: {', '.join(source.name for source in graph.sources)}.",
        )
    broker = None
    if request.kafka is not None:
        java = java_home(settings.cache)
        folder = request.lake.vigie(graph.name) / "kafka"
        broker = closing.enter_context(Broker(folder, java, kafka_jars(settings.cache, java), request.kafka.port))
    if broker is None:
        make_room(graph, request)
    for source in graph.sources:
        address = request.sources.get(source.name)
        if address is None and broker is not None:
            address = Kafka(broker.servers, source.name.replace("_", "-"))
            broker.create_topic(address.topic)
        if address is None:
            address = Inbox(request.lake.inbox(source.name))
        yield source, address


def make_room(graph: Graph, request: Request) -> None:
    """The lake's own inboxes that need not have been filled: a context's, and one beside which another is fed."""
    own = {source.name: request.lake.inbox(source.name) for source in graph.sources}
    is_fed = any(source.name in request.sources or own[source.name].is_dir() for source in graph.main_sources)
    for source in graph.sources:
        folder = own[source.name]
        if source.name in request.sources or folder.is_dir() or not (source.context or is_fed):
            continue
        make_folder(folder)
        if not source.context:
            log.warning("%s: nothing is there yet; feed it with `vigie feed %s %s`", folder, graph.name, source.name)
