"""What is kept of a row that a receiver refuses."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from vigie.oneline import on_one_line

LONGEST_LETTER = 100_000  # characters of a row that are kept in a dead letter: the row itself is in the lake

log = logging.getLogger(__name__)


def letter(collection: str, row: str, reason: str) -> dict[str, Any]:
    """A dead letter: the same whenever the same row is refused, but for `refused_at`."""
    return {
        "_id": sha256(f"{collection} {row}".encode()).hexdigest(),
        "collection": collection,
        "reason": reason[:LONGEST_LETTER],
        "row": row[:LONGEST_LETTER],
        "characters": len(row),
        "refused_at": datetime.now(UTC),
    }


def log_refused(collection: str, server: str, letters: str, reason: str, count: int) -> None:
    """A warning that so many rows of a batch are dead letters now, the first of them for this reason."""
    log.warning(
        "%s: %s refused %s rows, which are in %s: %s",
        collection, server, f"{count:,}", letters, on_one_line(reason),
    )  # fmt: skip
