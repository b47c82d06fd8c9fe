"""What is kept of a row that a receiver refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

LONGEST_LETTER = 100_000  # characters of a row that are kept in a dead letter: the row itself is in the lake


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
