"""What a source's batches will do, written down before they do it; so that a second try does the same."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from vigie.core.progress import NEVER
from vigie.disk import write_whole
from vigie.errors import LakeDamaged
from vigie.lake import PUT_BACK

KEPT = 2


class TablePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a batch is judged for one silver table: the version of silver in which repeats are looked for, how far each
    partition had come, and what no partition is behind."""

    version: int
    progress: dict[str, int]
    floor: int = NEVER


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of a source: what it reads, when, and how each table judges it."""

    batch: int
    received_at: datetime
    part: Any
    after: Any
    messages: int | None
    tables: dict[str, TablePlan]


class Notes:
    """The plans of one source in a lake."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> Plan | None:
        """The plan of the batch that is due, or was the last."""
        numbers = self._numbers()
        if not numbers:
            return None
        path = self._path(max(numbers))
        try:
            return msgspec.json.decode(path.read_bytes(), type=Plan)
        except (OSError, msgspec.MsgspecError) as problem:
            raise LakeDamaged(
                "the plan of a batch is not what was written there", where=str(path), do=PUT_BACK
            ) from problem

    def commit(self, plan: Plan) -> None:
        write_whole(self._path(plan.batch), msgspec.json.encode(plan).decode())
        for number in self._numbers()[:-KEPT]:
            self._path(number).unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdecimal())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"
