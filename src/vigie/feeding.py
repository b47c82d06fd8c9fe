"""What a person asked of `vigie feed`: which source, and which messages."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.address import Address, Kafka
from vigie.errors import BadSetting, RequestError
from vigie.feed import LiveOptions, Simulate, Simulation, Tick
from vigie.graph import Source
from vigie.pipeline import Pipeline

if TYPE_CHECKING:
    from vigie.settings import Settings


@dataclass(frozen=True, slots=True)
class Wish:
    """The flags that say what the messages are; None where nothing was said."""

    keys: int | None = None
    interval: float | None = None  # seconds
    seed: int | None = None
    faults: float | None = None
    start: str | None = None
    labels: str | None = None  # a file
    schema: str | None = None  # a file
    credits: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        positive(keys=self.keys, interval=self.interval, credits=self.credits, **{"for": self.seconds})
        if self.faults is not None and not 0 <= self.faults <= 1:
            raise BadSetting(f"{self.faults} is no share", where="--faults", do="Write a number from 0 to 1.")


def positive(**flags: float | None) -> None:
    """BadSetting for a flag that must be more than nothing and is not."""
    for name, value in flags.items():
        if value is not None and not 0 < value < math.inf:
            raise BadSetting(f"{value:g} is too little", where=f"--{name}", do="Write a number above 0.")


def source_of(pipeline: Pipeline, name: str | None) -> Source:
    """The source that was named, or the only one that is no context."""
    graph = pipeline.graph()
    sources = {source.name: source for source in graph.sources}
    names = ", ".join(sources) or "none"
    if name is None and len(graph.main_sources) == 1:
        return graph.main_sources[0]
    if name is None:
        raise RequestError(
            f"pipeline '{pipeline.name}' has {len(sources)} sources", do=f"Say which one to feed: {names}."
        )
    if name not in sources:
        raise RequestError(f"pipeline '{pipeline.name}' has no source '{name}'", do=f"It has: {names}.")
    return sources[name]


def simulated(source: Source, wish: Wish, rows: int | None) -> Iterator[Tick]:
    """Messages that a simulator makes up."""
    if source.simulated is None:
        raise RequestError(
            f"source '{source.name}' has no simulator",
            where=str(source.place),
            do="Give it one: source(..., simulated=FUNCTION).",
        )
    for flag, value in (("credits", wish.credits), ("for", wish.seconds)):
        if value is not None:
            raise BadSetting(
                "only a live feed of OpenSky takes it",
                where=f"--{flag}",
                do=f"Leave out --{flag}, or add --live.",
            )
    usual = Simulation(start=0)
    keys = wish.keys or usual.keys
    interval = wish.interval or usual.interval
    fields = fields_of(source, wish.schema)
    now = Simulation(time.time(), keys, interval, wish.seed or 0, wish.faults or 0.0, fields=fields)
    if wish.start is not None:
        start = instant(wish.start)
    elif source.context and rows is not None:
        start = _begun(source.simulated, now, rows)
    else:
        start = now.start - (rows or 0) / keys * interval
    simulation = replace(now, start=start)
    if wish.labels is None:
        return source.simulated(simulation)
    if not wish.faults:
        raise BadSetting(
            "no faults are asked for", where="--labels", do="Ask for some, as --faults 0.02, or leave out --labels."
        )
    ticks = source.simulated(replace(simulation, label=partial(_write_down, Path(wish.labels))))
    _empty(Path(wish.labels))
    return ticks


def fields_of(source: Source, schema: str | None = None) -> frozenset[str] | None:
    """The fields of the newest schema that an Avro source declares, or of the one in this file; none of any other."""
    if source.format != "avro" or not (schema or source.avro):
        return None
    if find_spec("fastavro") is None:  # lines of JSON are made without it; who writes to Kafka is told
        return None
    from vigie.avro.schemas import fields, parsed, text_of

    return frozenset(fields(parsed(text_of(_file(source, schema)))))


def _file(source: Source, schema: str | None) -> Path:
    return source.avro[-1] if schema is None else Path(schema)


def _empty(file: Path) -> None:
    try:
        file.write_bytes(b"")
    except OSError as problem:
        raise BadSetting(
            f"it cannot be written: {problem.strerror}",
            where=f"--labels {file}",
            do="Name a file in a folder that is there.",
        ) from problem


def _write_down(file: Path, label: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as labels:
        labels.write(json.dumps(label, ensure_ascii=False) + "\n")


def _begun(simulate: Simulate, now: Simulation, rows: int) -> float:
    """When a source that keeps its own pace, whatever interval is asked for, began to send so many messages."""
    start = now.start
    while (ahead := _last_of(simulate(replace(now, start=start)), rows) - now.start) > 0:
        start -= ahead
    return start


def _last_of(ticks: Iterator[Tick], rows: int) -> float:
    for tick in ticks:
        rows -= len(tick.messages)
        if rows <= 0:
            return tick.at
    return -math.inf


def live(source: Source, wish: Wish, stop: threading.Event) -> Iterator[Tick]:
    """Messages of the real world."""
    for flag in ("keys", "seed", "faults", "start", "labels"):
        if getattr(wish, flag) is not None:
            raise BadSetting(
                "the real world takes no such wish",
                where=f"--live --{flag}",
                do=f"Leave out --{flag} or --live.",
            )
    if source.live is None:
        raise RequestError(
            f"source '{source.name}' has no live feed",
            where=str(source.place),
            do="Leave out --live, or give it one: source(..., live=FUNCTION).",
        )
    from vigie.settings import read_settings

    ticks: Iterator[Tick] = source.live(read_settings(), stop, LiveOptions(wish.interval, wish.credits, wish.seconds))
    return ticks


def framed(
    source: Source, ticks: Iterator[Tick], to: Address, settings: Settings | None = None, schema: str | None = None
) -> Iterator[Tick]:
    """The messages as they are written there: those of an Avro source go to Kafka as framed Avro, by the newest schema
    that it declares or the one in this file, which is registered now; all others as they are."""
    if source.format != "avro" or not isinstance(to, Kafka):
        if schema is not None:
            raise BadSetting(
                "messages are written as JSON there", where=f"--schema {schema}", do="Leave it out: it is for Avro."
            )
        return ticks
    if schema is None and not source.avro:
        raise RequestError(
            f"source '{source.name}' says of no schema to write with",
            where=str(source.place),
            do='Declare it: source(..., avro="NAME.avsc"), or name one with --schema.',
        )
    from vigie.avro.registry import registry_of, subject_of
    from vigie.avro.schemas import text_of
    from vigie.avro.writing import encoder
    from vigie.settings import read_settings

    file = _file(source, schema)
    text = text_of(file)
    number = registry_of(source, settings or read_settings()).register(subject_of(to.topic), text, str(file))
    encode = encoder(text, number)
    return (Tick(at, [(key, encode(value)) for key, value in messages]) for at, messages in ticks)


def instant(text: str) -> float:
    """Epoch seconds of what `--start` says; a time without a zone is UTC."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            said = datetime.fromisoformat(text)
        except ValueError as problem:
            raise BadSetting(
                f"'{text}' is not a time",
                where="--start",
                do="Write 2026-11-21T12:00:00Z or seconds since 1970.",
            ) from problem
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    if not 0 <= seconds < 32_503_680_000:  # the year 3000: whoever says more wrote milliseconds
        raise BadSetting(f"'{text}' is not seconds since 1970", where="--start", do="Write for example 1795262400.")
    return seconds
