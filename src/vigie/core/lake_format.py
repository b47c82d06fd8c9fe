"""Which form a pipeline's part of a lake has: raised by each change after which another Vigie would misread it."""

from __future__ import annotations

import json

from vigie.disk import write_whole
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.lake import PUT_BACK, Lake

STREAMED = 1  # by Structured Streaming, whose checkpoints are Spark's own; no note says so
LOOPED = 2  # by the loop in the core
ANOTHER = "use another lake with --lake."


def claim(lake: Lake, pipeline: str, wanted: int) -> None:
    """Go on in the form that is there, or begin in this one; LakeMismatch, before a byte is written, for another."""
    found = _found(lake, pipeline)
    if found is None and wanted == LOOPED:
        write_whole(lake.vigie(pipeline) / "format.json", json.dumps({"format": LOOPED}))
    if found in {None, wanted}:
        return
    if found == STREAMED:
        said, do = "was filled by Spark's streams, which the embedded engine does not go on with", "--engine spark"
    elif found == LOOPED:
        said, do = "was filled by the embedded engine, which Spark's streams do not go on with", "--engine embedded"
    else:
        said, do = f"has format {found}, of a newer Vigie than this one", ""
    raise LakeMismatch(
        f"this lake {said}",
        where=str(lake),
        do=f"Go on with {do}, or {ANOTHER}" if do else f"Install that one, or {ANOTHER}",
    )


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
