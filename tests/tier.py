"""How thorough the tests are: `make nightly` sets VIGIE_NIGHTLY, and what is tried a few times is tried many times."""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

T = TypeVar("T")

NIGHTLY = bool(os.environ.get("VIGIE_NIGHTLY"))
nightly = pytest.mark.skipif(
    not NIGHTLY, reason="make nightly runs it: others show by day what it shows at greater length"
)


def by_night(many: T, few: T) -> T:
    """What the nightly tests take, and what every change is tested with."""
    return many if NIGHTLY else few
