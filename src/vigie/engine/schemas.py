"""The Avro schemas that the messages of a source were written with: asked for once, and kept in the lake.

What is kept is what the source is read with, so bronze can be read again without a registry, and gives what it gave.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from vigie.avro.reading import FRAME
from vigie.avro.registry import Registry, RegistryAway
from vigie.avro.schemas import NotASchema, parsed
from vigie.backoff import Backoff, Clock
from vigie.engine.checkpoints import Checkpoint, write_whole
from vigie.engine.deliveries import LeftUndone
from vigie.errors import LakeDamaged, RunFailed
from vigie.lake import PUT_BACK

PATIENCE_S = 600.0  # that a registry may be away

log = logging.getLogger(__name__)


class Schemas:
    """The schemas of one source. `notes` is where is written down what a batch could not know."""

    def __init__(
        self,
        folder: Path,
        registry: Registry,
        notes: Checkpoint,
        ending: threading.Event | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._folder = folder
        self._registry = registry
        self._notes = notes
        self._ending = ending or threading.Event()
        self._clock = clock or Clock()
        self.kept = {number: _text(folder / f"{number}.avsc") for number in numbers_in(folder)}

    def of_batch(self, batch: int, met: Iterable[int]) -> dict[int, str]:
        """What a batch is read with, that has met these schemas: the same when it is read a second time.

        A schema that the registry does not have is asked for again with the next batch that meets it.
        """
        said = self._notes.plan(batch)
        if said is None:
            unknown = [number for number in sorted(set(met) - self.kept.keys()) if not self._learned(number)]
            if unknown:
                self._notes.commit(batch, {"unknown": unknown})
        else:
            unknown = said["unknown"]
        return {number: text for number, text in self.kept.items() if number not in unknown}

    def _learned(self, number: int) -> bool:
        text = self._asked(number)
        try:
            kind = None if text is None else parsed(text)
        except NotASchema as problem:
            log.warning("Schema %d of %s cannot be read: %s", number, self._registry.url, problem)
            kind = None
        if text is None or kind is None:
            log.warning("%s has no Avro schema %d: messages that name it go to quarantine.", self._registry.url, number)
            return False
        write_whole(self._folder / f"{number}.avsc", text)
        self.kept[number] = text
        log.info("Schema %d is new here: messages come with it from now on.", number)
        return True

    def _asked(self, number: int) -> str | None:
        """The registry's answer, which is waited for while it is away."""
        backoff = Backoff()
        deadline = self._clock.time() + PATIENCE_S
        while True:
            try:
                return self._registry.schema(number)
            except RegistryAway as problem:
                left = deadline - self._clock.time()
                if left <= 0:
                    raise RunFailed(
                        f"{problem.what}; schema {number} was waited for for {PATIENCE_S / 60:.0f} minutes",
                        where=self._registry.url,
                        do="Start the registry, then start again: the run goes on where it stopped, and nothing is "
                        "lost.",
                    ) from problem
                wait = min(backoff.after(), left)
                log.warning(
                    "Waiting for schema %d: %s (%s). Asked again in %.0f s; given up in %.0f minutes. Nothing is lost.",
                    number, problem.what, self._registry.url, wait, left / 60,
                )  # fmt: skip
            self._clock.wait(self._ending, wait)
            if self._ending.is_set():
                raise LeftUndone


def numbers_in(folder: Path) -> frozenset[int]:
    """The numbers of the schemas that are kept."""
    return frozenset(int(file.stem) for file in folder.glob("*.avsc") if file.stem.isdigit())


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        parsed(text)
    except ValueError as problem:
        raise LakeDamaged(f"a schema that was kept is damaged: {problem}", where=str(file), do=PUT_BACK) from problem
    return text


def met_in(messages: pa.ChunkedArray) -> set[int]:
    """The numbers of the schemas that framed messages name."""
    frames = pc.unique(pc.binary_slice(messages, 0, FRAME)).to_pylist()
    return {int.from_bytes(frame[1:], "big") for frame in frames if frame and len(frame) == FRAME and not frame[0]}


def met() -> Column:
    """The same as an aggregate of Spark's, which `told` reads."""
    number = F.when(F.substring("value", 1, 1) == F.lit(b"\0"), F.hex(F.substring("value", 2, FRAME - 1)))
    return F.array_join(F.collect_set(number), " ")


def told(numbers: str) -> set[int]:
    whole = 2 * (FRAME - 1)
    return {int(number, 16) for number in numbers.split() if len(number) == whole}
