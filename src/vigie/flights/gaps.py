"""What aircraft leave unsaid: the nulls of a real feed, which are no faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.spoiling import Message

# The share of reports without a field, in the air and on the ground. Assumptions of the order that OpenSky shows:
# positions on the ground are sent without an altitude and nearly always without a vertical rate, and speed, track
# and rate come in messages of their own, which a receiver may have missed.
SHARES = {
    "baro_altitude": (0.02, 0.95),
    "on_ground": (0.01, 0.01),
    "velocity": (0.015, 0.03),
    "true_track": (0.015, 0.05),
    "vertical_rate": (0.03, 0.9),
    "category": (0.02, 0.02),
}
FIELDS = tuple(SHARES)
IN_THE_AIR, ON_THE_GROUND = np.array([*SHARES.values()]).T[:, :, None]
NAMES = [b'"%b":' % field.encode() for field in FIELDS]


class Gaps:
    """Leaves fields out of reports, each by chance and whatever the others say."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def leave(self, messages: list[Message], on_ground: NDArray[np.bool_]) -> list[Message]:
        """The same messages in the same order, some of their fields null."""
        shares = np.where(on_ground, ON_THE_GROUND, IN_THE_AIR)
        unsaid = self._rng.random(shares.shape) < shares
        left = messages.copy()
        rows, fields = np.nonzero(unsaid.T)
        for row, field in zip(rows.tolist(), fields.tolist(), strict=True):
            key, value = left[row]
            left[row] = key, _without(value, NAMES[field])
        return left


def _without(message: bytes, name: bytes) -> bytes:
    """The message with null for a value that is a number or a truth: it ends at a comma or with the object."""
    start = message.index(name) + len(name)
    end = message.find(b",", start)
    return message[:start] + b"null" + (message[end:] if end >= 0 else b"}")
