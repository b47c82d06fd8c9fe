"""The standard atmosphere: what an airspeed indicator or a Mach number means over the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEA_LEVEL_PRESSURE = 101_325.0  # Pa
SEA_LEVEL_SOUND = 340.294  # m/s
TROPOPAUSE = 11_000.0  # m
# Below flight level 100 aircraft keep to 250 knots indicated.
LOW_SPEED_BELOW = 3_048.0  # m
LOW_SPEED_LIMIT = 128.6  # m/s


def true_airspeed(altitude: Floats, calibrated: Floats, mach: Floats) -> Floats:
    """Metres a second for an aircraft that keeps to both speeds: the lower of the two rules."""
    temperature = 288.15 - 0.0065 * np.minimum(altitude, TROPOPAUSE)
    sound = np.sqrt(1.4 * 287.05287 * temperature)
    allowed = np.where(altitude < LOW_SPEED_BELOW, np.minimum(calibrated, LOW_SPEED_LIMIT), calibrated)
    impact = SEA_LEVEL_PRESSURE * ((1 + 0.2 * (allowed / SEA_LEVEL_SOUND) ** 2) ** 3.5 - 1)
    mach_of_calibrated = np.sqrt(5 * ((impact / _pressure(altitude, temperature) + 1) ** (2 / 7) - 1))
    limited: Floats = np.minimum(mach_of_calibrated, mach) * sound
    return limited


def tail_wind(altitude: Floats, track: Floats) -> Floats:
    """Metres a second that a steady wind from the west, stronger with height, adds along a track."""
    blown: Floats = 0.0012 * altitude * np.sin(np.radians(track))
    return blown


def _pressure(altitude: Floats, temperature: Floats) -> Floats:
    below = SEA_LEVEL_PRESSURE * (temperature / 288.15) ** 5.25588
    above: Floats = below * np.exp(-np.maximum(altitude - TROPOPAUSE, 0.0) / 6_341.62)
    return above
