"""`vigie run`: the loop over an engine, until a stop is asked for or all has gone through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from vigie.address import Address, Kafka, Tcp
from vigie.addressing import addresses_of
from vigie.avro.registry import registry_of
from vigie.check import checked
from vigie.connectors.inbox import Inbox
from vigie.connectors.kafka import KafkaTopic
from vigie.connectors.kafka_source import KafkaSource
from vigie.connectors.socket import Receiver
from vigie.connectors.tcp import Received
from vigie.contracts import Surroundings
from vigie.core import lake_format
from vigie.core.delivery_log import Receipts
from vigie.core.engine import Engine
from vigie.core.ingest.avro_schemas import Schemas, numbers_in
from vigie.core.ledger import Ledger
from vigie.core.notes import JsonNotes
from vigie.core.observer import THE_LOG, Watcher
from vigie.core.request import Request
from vigie.core.run import Run, Wish
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.engines.embedded.engine import Embedded
from vigie.failures import explained
from vigie.graph import Source as Declared
from vigie.pipeline import Pipeline
from vigie.settings import Settings
from vigie.writer import only_writer

BOUNDS = Bounds(messages=200_000, bytes=96 << 20)


def run(
    pipeline: Pipeline,
    request: Request,
    settings: Settings,
    stop: threading.Event | None = None,
    watcher: Watcher = THE_LOG,
    engine: Callable[[], Engine] = Embedded,
) -> None:
    """Run until `stop` is set, or with `once` until all that is there has gone through."""
    graph = checked(pipeline, functions_too=True)
    stop = stop or threading.Event()
    with ExitStack() as closing, explained(request.lake):
        sources: dict[str, Source] = {}
        schemas: dict[str, Schemas] = {}
        kafka = ""
        for declared, address in addresses_of(graph, request, settings, closing):
            source = _source(declared, address, graph.name, request, settings, closing)
            source.check()
            watcher.reads(declared, address)
            sources[declared.name] = source
            kafka = kafka or (address.servers if isinstance(address, Kafka) else "")
            if isinstance(source, KafkaTopic) and source.source.registry is not None:
                notes = JsonNotes(request.lake.notes(graph.name) / declared.name / "schemas")
                folder = request.lake.schemas(graph.name, declared.name)
                schemas[declared.name] = Schemas(folder, source.source.registry, notes, stop)
        lake_format.hold_to(request.lake, graph.name)
        evaluator = engine()
        closing.callback(evaluator.close)
        lake_format.claim(request.lake, graph.name)
        closing.enter_context(only_writer(request.lake, graph.name))
        ledger = Ledger(request.lake.ledger(graph.name), graph.name, evaluator.name)
        context = RunContext(
            graph, request.lake, ledger, watcher.committed, Receipts(watcher.taken, watcher.put_off), watcher.report
        )
        around = Surroundings(settings, kafka, graph.name)
        wish = Wish(request.once, request.every, BOUNDS)
        Run(context, evaluator, sources, wish, around, stop, watcher, schemas).go()


def _source(  # noqa: PLR0913
    declared: Declared, address: Address, pipeline: str, request: Request, settings: Settings, closing: ExitStack
) -> Source:
    if isinstance(address, Kafka):
        kept = numbers_in(request.lake.schemas(pipeline, declared.name))
        registry = registry_of(declared, settings) if declared.format == "avro" else None
        topic = KafkaTopic(KafkaSource(address, registry, kept))
        closing.callback(topic.close)
        return topic
    if isinstance(address, Tcp):
        # A socket cannot be read twice: what it gives is kept in an inbox first, and guarantees begin there.
        folder = request.lake.inbox(declared.name)
        receiver = closing.enter_context(Receiver(address, folder, until_it_closes=request.once))
        return Received(folder, still_there=receiver.check)
    return Inbox(address.folder)
