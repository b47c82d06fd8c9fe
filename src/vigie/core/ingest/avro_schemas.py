"""The Avro schemas that the messages of a source were written with: asked for once, and kept in the lake.

What is kept is what the source is read with, so bronze can be read again without a registry, and gives what it gave.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vigie.avro.reading import FRAME
from vigie.avro.registry import Registry, RegistryAway
from vigie.avro.schemas import NotASchema, parsed
from vigie.backoff import Backoff, Clock
from vigie.core.left_undone import LeftUndone
from vigie.core.notes import BatchNotes
from vigie.disk import write_whole
from vigie.errors import LakeDamaged, RunFailed
from vigie.graph import Source
from vigie.lake import PUT_BACK
from vigie.sinks import NotNow

PATIENCE_S = 600.0  # that a registry may be away
MOST_ASKED = 1_000  # schemas a batch: any four bytes name one, so broken messages could name as many as there are rows
AT_ONCE = 8  # requests

log = logging.getLogger(__name__)


class Schemas:
    """The schemas of one source. `notes` is where is written down what a batch could not know."""

    def __init__(
        self,
        folder: Path,
        registry: Registry,
        notes: BatchNotes,
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
        noted = self._notes.plan(batch)
        if noted is None:
            unknown = self._learn(sorted(set(met) - self.kept.keys()))
            if unknown:
                self._notes.commit(batch, {"unknown": unknown})
        else:
            unknown = noted["unknown"]
        missing = frozenset(unknown)
        return {number: text for number, text in self.kept.items() if number not in missing}

    def _learn(self, numbers: list[int]) -> list[int]:
        """Keep the schemas of these numbers; those that are not to be had."""
        asked, rest = numbers[:MOST_ASKED], numbers[MOST_ASKED:]
        unknown = [number for number, text in self._answers(asked) if not self._keep(number, text)]
        if unknown:
            log.warning(
                "%s has no Avro schema %s: messages that name it go to quarantine.",
                self._registry.url, _first(sorted(unknown)),
            )  # fmt: skip
        if rest:
            log.warning(
                "A batch names %s schemas that are new here. The %s with the lowest numbers were asked for; messages "
                "that name another go to quarantine.", f"{len(numbers):,}", f"{MOST_ASKED:,}",
            )  # fmt: skip
        return sorted(unknown) + rest

    def _keep(self, number: int, text: str | None) -> bool:
        if text is None:
            return False
        try:
            parsed(text)
        except NotASchema as problem:
            log.warning("Schema %d of %s cannot be read: %s", number, self._registry.url, problem)
            return False
        write_whole(self._folder / f"{number}.avsc", text)
        self.kept[number] = text
        log.info("Schema %d is new here: messages come with it from now on.", number)
        return True

    def _answers(self, numbers: list[int]) -> Iterator[tuple[int, str | None]]:
        """The registry's answers, a few at a time; it is waited for while it is away."""
        backoff, deadline = Backoff(), self._clock.time() + PATIENCE_S
        waiting = list(numbers)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while waiting:
                if self._ending.is_set():
                    raise LeftUndone
                asked, away = waiting[:AT_ONCE], list[tuple[int, RegistryAway]]()
                for number, answer in zip(asked, pool.map(self._asked, asked), strict=True):
                    if isinstance(answer, RegistryAway):
                        away.append((number, answer))
                    else:
                        waiting.remove(number)
                        yield number, answer
                if away:
                    self._wait(*away[0], deadline, backoff)

    def _asked(self, number: int) -> str | RegistryAway | None:
        try:
            return self._registry.schema(number)
        except RegistryAway as problem:
            return problem

    def _wait(self, number: int, problem: RegistryAway, deadline: float, backoff: Backoff) -> None:
        left = deadline - self._clock.time()
        if left <= 0:
            raise RunFailed(
                f"{problem.what}; schema {number} was waited for for {PATIENCE_S / 60:.0f} minutes",
                where=self._registry.url,
                do="Start the registry, then start again: the run goes on where it stopped, and nothing is lost.",
            ) from problem
        wait = min(backoff.after(), left)
        log.warning(
            "Waiting for schema %d: %s (%s). Asked again in %.0f s; given up in %.0f minutes. Nothing is lost.",
            number, problem.what, self._registry.url, wait, left / 60,
        )  # fmt: skip
        self._clock.wait(self._ending, wait)


class FollowedSchemas:
    """The schemas of one source for whoever follows bronze: `Schemas` keeps them, in the same batch that bronze is
    written in but after it. `notes` is where is written down what a batch could not know, and `done` says up to which
    batch bronze is."""

    def __init__(self, source: Source, folder: Path, notes: BatchNotes, done: Callable[[], int]) -> None:
        self._source, self._folder, self._notes, self._done = source, folder, notes, done
        self._kept: dict[int, str] = {}

    def __call__(self, rows: pa.Table, batch: int) -> Mapping[int, str] | None:
        """What a batch of bronze is read with, the same when it is read a second time; none where it is JSON."""
        if self._source.format != "avro" or "topic" not in rows.column_names:
            return None
        noted = self._notes.plan(batch)
        if noted is None:
            unknown = self._unknown(rows)
            if unknown:
                self._notes.commit(batch, {"unknown": unknown})
        else:
            unknown = noted["unknown"]
        for number in numbers_in(self._folder) - self._kept.keys():
            self._kept[number] = _text(self._folder / f"{number}.avsc")
        return {number: text for number, text in self._kept.items() if number not in unknown}

    def _unknown(self, rows: pa.Table) -> list[int]:
        """The schemas that messages name and the lake does not have; NotNow while they may still be asked for."""
        newest = pc.max(rows["batch"]).as_py()
        done = self._done()
        unknown = sorted(met_in(rows["value"]) - numbers_in(self._folder))
        if unknown and newest > done:
            raise NotNow(f"schema {_first(unknown)} is still being asked for")
        return unknown


def _first(numbers: list[int], shown: int = 10) -> str:
    more = f" and {len(numbers) - shown:,} more" if len(numbers) > shown else ""
    return ", ".join(map(str, numbers[:shown])) + more


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
    return numbers_of(frame for frame in pc.unique(pc.binary_slice(messages, 0, FRAME)).to_pylist() if frame)


def numbers_of(frames: Iterable[bytes]) -> set[int]:
    """The numbers that are in the first bytes of framed messages."""
    return {int.from_bytes(frame[1:], "big") for frame in frames if len(frame) == FRAME and not frame[0]}
