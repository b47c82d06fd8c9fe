"""What Spark and the engine write down about a query's batches, before they do them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vigie.errors import LakeMismatch

PLANS_KEPT = 20


class Checkpoint:
    """The folder of one query: Spark's own files, and beside them the plans of its batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plans = folder / "plans"

    @property
    def started(self) -> bool:
        """Whether a query has ever run here."""
        return (self.folder / "metadata").exists()

    @property
    def query(self) -> str:
        """The id that Spark gave the query when it first started; it stays the same over restarts."""
        return str(json.loads((self.folder / "metadata").read_text())["id"])

    def claim(self, identity: str) -> None:
        """Bind the checkpoint to what it reads; LakeMismatch when that was something else before."""
        note = self.folder / "reads"
        if note.exists() and (before := note.read_text()) != identity:
            raise LakeMismatch(
                f"this lake was filled from {before}, and is now asked to go on from {identity}",
                where=str(self.folder),
                do="Go on from where it was filled, or use another lake with --lake.",
            )
        _write(note, identity)

    def offsets(self, batch: int) -> tuple[str | None, str]:
        """Where a batch begins (none when its source does not say) and ends, in the source's own words."""
        before = self.folder / "offsets" / str(batch - 1)
        first = self.folder / "sources" / "0" / "0"
        begin = before if before.exists() else first
        return (
            _lines(begin)[-1] if begin.exists() else None,
            _lines(self.folder / "offsets" / str(batch))[-1],
        )

    def planned_at(self, batch: int) -> datetime:
        """When Spark planned the batch: what `current_timestamp()` is in all of its rows."""
        said = json.loads(_lines(self.folder / "offsets" / str(batch))[1])
        return datetime.fromtimestamp(said["batchTimestampMs"] / 1000, UTC)

    def plan(self, batch: int) -> dict[str, Any] | None:
        """The plan of a batch that was begun before."""
        path = self._plans / f"{batch}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def commit(self, batch: int, plan: dict[str, Any]) -> None:
        """Write a plan down, whole or not at all, and forget those that can no longer be needed."""
        _write(self._plans / f"{batch}.json", json.dumps(plan, default=datetime.isoformat))
        old = self._plans / f"{batch - PLANS_KEPT}.json"
        old.unlink(missing_ok=True)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
