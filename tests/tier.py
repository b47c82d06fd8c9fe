"""How thorough the tests are: `make nightly` sets VIGIE_NIGHTLY, and what is tried a few times is tried many times."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

NIGHTLY = bool(os.environ.get("VIGIE_NIGHTLY"))


def by_night(many: T, few: T) -> T:
    """What the nightly tests take, and what every change is tested with."""
    return many if NIGHTLY else few
