"""The loop over a lake, step by step, without a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from vigie import Pipeline
from vigie.core.engine import Engine, EngineDied
from vigie.core.ingest.avro_schemas import Schemas
from vigie.core.ledger import Entry, Ledger
from vigie.core.loop import Loop
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.lake import Lake

ALL_TOGETHER, ONE_FILE_A_BATCH = Bounds(10**9, 10**9), Bounds(10**9, 1)


class KilledError(Exception):
    """The process is gone, right after a commit."""


def begun(  # noqa: PLR0913
    lake: Path,
    engine: Engine,
    pipeline: Pipeline,
    source: Source,
    told: list[Entry],
    *,
    dies_after: str = "",
    bounds: Bounds = ALL_TOGETHER,
    schemas: Mapping[str, Schemas] = MappingProxyType({}),
) -> Loop:
    """The loop of a pipeline with one source, as a start of the process makes it."""

    def committed(name: str) -> None:
        if name == dies_after:
            raise KilledError(name)

    place, graph = Lake(lake), pipeline.graph()
    [declared] = graph.sources
    context = RunContext(graph, place, Ledger(place.ledger(graph.name), graph.name, "embedded"), committed)
    return Loop.over(context, engine, {declared.name: source}, bounds, told.extend, unexpected, schemas)


def run(  # noqa: PLR0913
    lake: Path,
    engine: Engine,
    pipeline: Pipeline,
    source: Source,
    *,
    batches: int = 10**9,
    dies_after: str = "",
    bounds: Bounds = ALL_TOGETHER,
    schemas: Mapping[str, Schemas] = MappingProxyType({}),
) -> list[Entry]:
    """All that is there, or so many batches, and what follows from it; what the ledger was told."""
    told: list[Entry] = []
    loop = begun(lake, engine, pipeline, source, told, dies_after=dies_after, bounds=bounds, schemas=schemas)
    for _ in range(batches):
        if not loop.ingest() and not loop.follow():
            break
    return told


def unexpected(problem: EngineDied) -> None:
    raise problem
