"""What Spark and the engine write down about a query's batches, before they do them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vigie.disk import write_whole
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.lake import PUT_BACK

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
        return str(_object(self.folder / "metadata")["id"])

    def check(self) -> None:
        """LakeDamaged when a query has run here and its id can no longer be read; Spark would not say where."""
        if self.started:
            _ = self.query

    def plan_what_is_due(self) -> None:
        """Write down the batch without data that is to follow the last one, as Spark does.

        A batch that moves the watermark has another after it, which gives the windows that are closed by then. Spark
        forgets it when it dies between the two and nothing new comes.
        """
        done = [int(note.name) for note in (self.folder / "commits").glob("*") if note.name.isdigit()]
        if not done or (after := self.folder / "offsets" / str(max(done) + 1)).exists():
            return
        due = json.loads(_lines(self.folder / "commits" / str(max(done)))[-1]).get("nextBatchWatermarkMs", 0)
        version, noted, *ends = _lines(self.folder / "offsets" / str(max(done)))
        said = json.loads(noted)
        if due > said["batchWatermarkMs"]:
            now = int(datetime.now(UTC).timestamp() * 1000)
            write_whole(
                after,
                "\n".join([version, json.dumps({**said, "batchWatermarkMs": due, "batchTimestampMs": now}), *ends]),
            )

    def forget_what_no_batch_reads(self) -> None:
        """Drop the pages of Spark's log of files that it wrote for a batch, and died before it planned that batch.

        It would read those files in one batch with the ones after them, which is another cut than without the death.
        """
        planned = [int(note.name) for note in (self.folder / "offsets").glob("[0-9]*")]
        end = json.loads(_lines(self.folder / "offsets" / str(max(planned)))[-1]) if planned else {}
        for page in (self.folder / "sources" / "0").glob("[0-9]*"):
            if int(page.stem) > end.get("logOffset", -1) and _is_of_files(page):
                page.with_name(f".{page.name}.crc").unlink(missing_ok=True)
                page.unlink()

    def forget_a_first_batch_half_planned(self) -> None:
        """Drop what Spark left when it died as it wrote down its very first batch, which it takes for another's."""
        offsets = self.folder / "offsets"
        if not any(offsets.glob("[0-9]*")):
            for left in offsets.glob(".*"):
                left.unlink()

    def claim(self, identity: str) -> None:
        """Bind the checkpoint to what it reads; LakeMismatch when that was something else before."""
        note = self.folder / "reads"
        if note.exists() and (before := note.read_text()) != identity:
            inbox = before.removeprefix("the inbox ")
            again = f" (--from inbox:{inbox})" if inbox != before else ""
            raise LakeMismatch(
                f"this lake was filled from {before}, and is now asked to go on from {identity}",
                where=str(self.folder),
                do=f"Go on from where it was filled{again}, or use another lake with --lake.",
            )
        write_whole(note, identity)

    def offsets(self, batch: int) -> tuple[str | None, str]:
        """Where a batch begins (none when its source does not say) and ends, in the source's own words.

        Spark's source of files says no more than a page of its own log: the end is then what it noted there
        of the batch, a file on each line."""
        before = self.folder / "offsets" / str(batch - 1)
        first = self.folder / "sources" / "0" / "0"
        begin = before if before.exists() else first
        end = _lines(self.folder / "offsets" / str(batch))[-1]
        if isinstance(page := json.loads(end).get("logOffset"), int):
            read = json.loads(_lines(before)[-1])["logOffset"] if before.exists() else -1
            return None, "\n".join(self._noted(read + 1, page))
        return _lines(begin)[-1] if begin.exists() else None, end

    def _noted(self, first: int, last: int) -> Iterator[str]:
        """The files that Spark counts as read with these pages of its log; some pages repeat all before them."""
        for page in range(first, last + 1):
            path = self.folder / "sources" / "0" / str(page)
            lines = _lines(path if path.exists() else path.with_name(f"{page}.compact"))[1:]
            yield from (line for line in lines if json.loads(line)["batchId"] == page)

    def planned_at(self, batch: int) -> datetime:
        """When Spark planned the batch: what `current_timestamp()` is in all of its rows."""
        path = self.folder / "offsets" / str(batch)
        try:
            said = json.loads(_lines(path)[1])
            return datetime.fromtimestamp(said["batchTimestampMs"] / 1000, UTC)
        except (ValueError, LookupError, TypeError) as problem:
            raise _damaged(path) from problem

    def plan(self, batch: int) -> dict[str, Any] | None:
        """The plan of a batch that was begun before."""
        path = self._plans / f"{batch}.json"
        return _object(path) if path.exists() else None

    def commit(self, batch: int, plan: dict[str, Any]) -> None:
        """Write a plan down, whole or not at all, and forget those that can no longer be needed."""
        write_whole(self._plans / f"{batch}.json", json.dumps(plan, default=datetime.isoformat))
        old = self._plans / f"{batch - PLANS_KEPT}.json"
        old.unlink(missing_ok=True)


def _is_of_files(page: Path) -> bool:
    """Other sources write down there where they began."""
    _, *noted = page.read_text().splitlines() or [""]
    return bool(noted) and "batchId" in json.loads(noted[0])


def _lines(path: Path) -> list[str]:
    if lines := path.read_text().splitlines():
        return lines
    raise _damaged(path)


def _object(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text())
    except ValueError as problem:
        raise _damaged(path) from problem
    if not isinstance(said, dict) or not said:
        raise _damaged(path)
    return said


def _damaged(path: Path) -> LakeDamaged:
    return LakeDamaged(
        "a note of what a query has done is empty, or is not what was written there",
        where=str(path),
        do=f"{PUT_BACK} Do not delete it: a batch that was done would be done again.",
    )
