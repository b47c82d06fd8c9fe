"""Whether a lake is still as it was left: what was taken away by hand is refused, and never made anew in silence."""

from __future__ import annotations

from pathlib import Path

from deltalake import DeltaTable

from vigie.core.delta import tables
from vigie.disk import write_whole
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.lake import PUT_BACK


def check_table(path: Path, address: str, *, known: int) -> None:
    """LakeDamaged when a table is gone, or was made anew, of which notes know that it had come to a version."""
    if not DeltaTable.is_deltatable(str(path)):
        raise LakeDamaged(f"the table {address} was here, and is gone", where=str(path), do=PUT_BACK)
    if (there := tables.version(path)) < known:
        raise LakeDamaged(
            f"the table {address} had come to version {known}, and is at {there}: it was made anew",
            where=str(path),
            do=PUT_BACK,
        )


def check_commits(path: Path, address: str, app: str, *, known: int) -> None:
    """LakeDamaged when a table lacks the commit of a batch of which the ledger knows that it wrote rows."""
    if known >= 0 and (there := tables.last_batch(path, app)) < known:
        raise LakeDamaged(
            f"the table {address} has lost a commit: the ledger knows of its batch {known}, and the newest that the "
            + (f"table has is {there}" if there >= 0 else "table has is none"),
            where=str(path),
            do=PUT_BACK,
        )


def check_unfilled(path: Path, address: str, app: str) -> None:
    """LakeDamaged when a table that has no plans has batches: what is read next would be taken for theirs."""
    if (last := tables.last_batch(path, app)) >= 0:
        raise LakeDamaged(
            f"the plans of {address} are gone: the table has its batch {last}, and nothing says what was read",
            where=str(path),
            do=PUT_BACK,
        )


def check_notes(notes: Path, of: str, *, planned: int, written: int) -> None:
    """LakeDamaged when the plans of a source or table, and what the ledger has of it, do not belong together.

    A plan is at most one batch ahead of the ledger, and never behind it.
    """
    if planned < written:
        raise LakeDamaged(
            f"the plans of {of} are gone: the ledger has its batch {written}, and the newest plan is "
            + (f"of batch {planned}" if planned >= 0 else "not there"),
            where=str(notes),
            do=PUT_BACK,
        )
    if planned > written + 1:
        raise LakeDamaged(
            f"the ledger has lost what became of {of}: batch {planned} was planned, and the ledger "
            + (f"ends with batch {written}" if written >= 0 else "has none"),
            where=str(notes),
            do=PUT_BACK,
        )


def claim(note: Path, identity: str) -> None:
    """Bind what a source has read to what it reads; LakeMismatch when that was something else before."""
    if note.exists() and (before := note.read_text()) != identity:
        folder = before.removeprefix("the inbox ")
        flag = f" (--from inbox:{folder})" if folder != before else ""
        raise LakeMismatch(
            f"this lake was filled from {before}, and is now asked to go on from {identity}",
            where=str(note.parent),
            do=f"Go on from where it was filled{flag}, or use another lake with --lake.",
        )
    write_whole(note, identity)
