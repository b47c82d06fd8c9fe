"""What batches will do, written down before they do it; so that a second try does the same."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from vigie.core.progress import NEVER
from vigie.disk import write_whole
from vigie.errors import LakeDamaged
from vigie.lake import PUT_BACK

KEPT = 2


class TablePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a batch is judged for one silver table: the version of silver in which repeats are looked for, how far each
    partition had come, what no partition is behind, and which were idle."""

    version: int
    progress: dict[str, int]
    floor: int = NEVER


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of a source: what it reads, when, which partitions were idle then, and how each table judges it."""

    batch: int
    received_at: datetime
    part: Any
    after: Any
    messages: int | None
    idle: dict[str, bool]
    tables: dict[str, TablePlan]


class GoldPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of a gold table: the batch of what it reads up to which it goes; the versions of the tables that it
    reads, by address; from which moment to which rows are given (microseconds); and the model."""

    batch: int
    upto: int
    reads: dict[str, int]
    after: int
    until: int
    read: int
    late: int
    model: int | None = None


class BatchNotes(Protocol):
    """What is written down of single batches, beside their plans."""

    def plan(self, batch: int) -> dict[str, Any] | None: ...

    def commit(self, batch: int, plan: dict[str, Any]) -> None: ...


class JsonNotes:
    """Notes of batches, each a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def plan(self, batch: int) -> dict[str, Any] | None:
        path = self._folder / f"{batch}.json"
        if not path.exists():
            return None
        damaged = LakeDamaged("the note of a batch is not what was written there", where=str(path), do=PUT_BACK)
        try:
            said = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except msgspec.MsgspecError as problem:
            raise damaged from problem
        if not said:
            raise damaged
        return said

    def commit(self, batch: int, plan: dict[str, Any]) -> None:
        write_whole(self._folder / f"{batch}.json", msgspec.json.encode(plan).decode())


class Numbered(Protocol):
    """A plan: which batch it is of."""

    @property
    def batch(self) -> int: ...


P = TypeVar("P", bound=Numbered)


class Notes(Generic[P]):
    """The plans of one source, or of one gold table, in a lake."""

    def __init__(self, folder: Path, kind: type[P]) -> None:
        self._folder, self._kind = folder, kind

    def newest(self) -> P | None:
        """The plan of the batch that is due, or was the last."""
        numbers = self._numbers()
        if not numbers:
            return None
        path = self._path(max(numbers))
        try:
            return msgspec.json.decode(path.read_bytes(), type=self._kind)
        except (OSError, msgspec.MsgspecError) as problem:
            raise LakeDamaged(
                "the plan of a batch is not what was written there", where=str(path), do=PUT_BACK
            ) from problem

    def commit(self, plan: P) -> None:
        write_whole(self._path(plan.batch), msgspec.json.encode(plan).decode())
        for number in self._numbers()[:-KEPT]:
            self._path(number).unlink(missing_ok=True)

    def clear(self) -> None:
        """All that was planned is done, and nothing more will be."""
        for number in self._numbers():
            self._path(number).unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdecimal())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"
