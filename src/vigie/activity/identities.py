"""Names that nothing else has, from a seed: version 4 UUIDs."""

from __future__ import annotations

import numpy as np

HEX = 32  # digits


def uuids(rng: np.random.Generator, count: int) -> list[bytes]:
    """So many of them, as text."""
    raw = rng.integers(0, 256, (count, 16), np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = raw.tobytes().hex().encode()
    return [
        b"%b-%b-%b-%b-%b"
        % (
            digits[at : at + 8],
            digits[at + 8 : at + 12],
            digits[at + 12 : at + 16],
            digits[at + 16 : at + 20],
            digits[at + 20 : at + HEX],
        )
        for at in range(0, count * HEX, HEX)
    ]
