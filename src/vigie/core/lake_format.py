"""Which form a pipeline's part of a lake has: raised by each change after which another Vigie would misread it."""

from __future__ import annotations

import json

from vigie.disk import write_whole
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.lake import PUT_BACK, Lake

STREAMED = 1  # by Structured Streaming, whose checkpoints are Spark's own; no note says so
LOOPED = 2  # by the loop in the core, on whichever engine


def hold_to(lake: Lake, pipeline: str) -> None:
    """LakeMismatch for a form that this Vigie does not go on with."""
    found = _found(lake, pipeline)
    if found in {None, LOOPED}:
        return
    said, do = f"has format {found}, of a newer Vigie than this one", "Install that one"
    if found == STREAMED:
        said = "was filled on Spark's streams, by a Vigie of November 2026, whose notes this one cannot go on from"
        do = "Go on with the Vigie that filled it"
    raise LakeMismatch(f"this lake {said}", where=str(lake), do=f"{do}, or read the messages into another with --lake.")


def claim(lake: Lake, pipeline: str) -> None:
    """Go on in the form that is there, or begin in this one; LakeMismatch, before a byte is written, for another."""
    hold_to(lake, pipeline)
    if _found(lake, pipeline) is None:
        write_whole(lake.vigie(pipeline) / "format.json", json.dumps({"format": LOOPED}))


def _found(lake: Lake, pipeline: str) -> int | None:
    note = lake.vigie(pipeline) / "format.json"
    if note.exists():
        try:
            return int(json.loads(note.read_text())["format"])
        except (ValueError, KeyError, TypeError) as problem:
            raise LakeDamaged(
                "the lake's format is not what was written there", where=str(note), do=PUT_BACK
            ) from problem
    is_streamed = any(lake.checkpoints(pipeline).glob("*/metadata"))
    return STREAMED if is_streamed else None
