"""Comparing what was reckoned from decimals with a limit, as if it had been reckoned in decimals.

Doubles hold no tenths: 16.1 - 11.1 comes out as a little more than 5. A difference of two numbers is off by less than
the last digits of the larger, and never by a digit that a person wrote.
"""

from __future__ import annotations

import numpy as np

from vigie.detectors.readings import Bools, Floats

LAST_DIGITS = 4 * float(np.finfo(np.float64).eps)


def more(value: Floats, limit: Floats | float, of: Floats) -> Bools:
    """Whether a difference is more than a limit; `of` are the larger of the numbers it was reckoned from."""
    return np.asarray(value > limit + _slack(limit, of))


def at_least(value: Floats, limit: Floats | float, of: Floats) -> Bools:
    """Whether a difference is a limit or more."""
    return np.asarray(value >= limit - _slack(limit, of))


def _slack(limit: Floats | float, of: Floats) -> Floats:
    return LAST_DIGITS * np.maximum(np.abs(of), np.abs(limit))
