"""The loop over a lake, step by step, without a process of its own."""

from __future__ import annotations

from pathlib import Path

from vigie import Pipeline
from vigie.core.engine import Engine, EngineDied
from vigie.core.ledger import Entry, Ledger
from vigie.core.loop import Loop
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.lake import Lake


class KilledError(Exception):
    """The process is gone, right after a commit."""


def begun(  # noqa: PLR0913, PLR0917
    lake: Path, engine: Engine, pipeline: Pipeline, source: Source, told: list[Entry], dies_after: str = ""
) -> Loop:
    """The loop of a pipeline with one source, as a start of the process makes it."""

    def committed(name: str) -> None:
        if name == dies_after:
            raise KilledError(name)

    place, graph = Lake(lake), pipeline.graph()
    [declared] = graph.sources
    context = RunContext(graph, place, Ledger(place.ledger(graph.name), graph.name, "embedded"), committed)
    return Loop.over(context, engine, {declared.name: source}, Bounds(10**9, 10**9), told.extend, unexpected)


def run(lake: Path, engine: Engine, pipeline: Pipeline, source: Source, batches: int = 10**9) -> list[Entry]:
    """All that is there, or so many batches, and what follows from it; what the ledger was told."""
    told: list[Entry] = []
    loop = begun(lake, engine, pipeline, source, told)
    for _ in range(batches):
        if not loop.ingest() and not loop.follow():
            break
    return told


def unexpected(problem: EngineDied) -> None:
    raise problem
