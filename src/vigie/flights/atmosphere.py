"""The standard atmosphere: what an airspeed indicator or a Mach number means over the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEA_LEVEL_PRESSURE = 101_325.0  # Pa
SEA_LEVEL_TEMPERATURE = 288.15  # K
SEA_LEVEL_SOUND = 340.294  # m/s
TROPOPAUSE = 11_000.0  # m
LAPSE_RATE = 0.0065  # K/m
GAS_CONSTANT = 287.05287  # J/(kg K)
PRESSURE_EXPONENT = 5.25588
SCALE_HEIGHT_ABOVE = 6_341.62  # m
# Below flight level 100 aircraft keep to 250 knots indicated.
LOW_SPEED_BELOW = 3_048.0  # m
LOW_SPEED_LIMIT = 128.6  # m/s


def true_airspeed(altitude: Floats, calibrated: Floats, mach: Floats) -> Floats:
    """Metres a second for an aircraft that keeps to both speeds: the lower of the two rules."""
    allowed = np.where(altitude < LOW_SPEED_BELOW, np.minimum(calibrated, LOW_SPEED_LIMIT), calibrated)
    impact = _impact(allowed / SEA_LEVEL_SOUND) * SEA_LEVEL_PRESSURE
    mach_of_calibrated = np.sqrt(5 * ((impact / pressure(altitude) + 1) ** (2 / 7) - 1))
    limited: Floats = np.minimum(mach_of_calibrated, mach) * speed_of_sound(altitude)
    return limited


def crossover_altitude(calibrated: Floats, mach: Floats) -> Floats:
    """Where a calibrated airspeed and a Mach number are one true airspeed: the first rules below, the second above."""
    ratio = _impact(calibrated / SEA_LEVEL_SOUND) / _impact(mach)
    below = SEA_LEVEL_TEMPERATURE / LAPSE_RATE * (1 - ratio ** (1 / PRESSURE_EXPONENT))
    at_tropopause = pressure(np.asarray(TROPOPAUSE)) / SEA_LEVEL_PRESSURE
    above = TROPOPAUSE - SCALE_HEIGHT_ABOVE * np.log(ratio / at_tropopause)
    altitude: Floats = np.where(ratio > at_tropopause, below, above)
    return altitude


def speed_of_sound(altitude: Floats) -> Floats:
    sound: Floats = np.sqrt(1.4 * GAS_CONSTANT * _temperature(altitude))
    return sound


def pressure(altitude: Floats) -> Floats:
    """Pascals."""
    below = SEA_LEVEL_PRESSURE * (_temperature(altitude) / SEA_LEVEL_TEMPERATURE) ** PRESSURE_EXPONENT
    above: Floats = below * np.exp(-np.maximum(altitude - TROPOPAUSE, 0.0) / SCALE_HEIGHT_ABOVE)
    return above


def density(altitude: Floats) -> Floats:
    """Kilograms a cubic metre."""
    return pressure(altitude) / (GAS_CONSTANT * _temperature(altitude))


def tail_wind(altitude: Floats, track: Floats) -> Floats:
    """Metres a second that a steady wind from the west, stronger with height, adds along a track."""
    blown: Floats = 0.0012 * altitude * np.sin(np.radians(track))
    return blown


def _temperature(altitude: Floats) -> Floats:
    return SEA_LEVEL_TEMPERATURE - LAPSE_RATE * np.minimum(altitude, TROPOPAUSE)


def _impact(mach: Floats) -> Floats:
    """How much a flow of this Mach number is pressed when it is stopped, as a share of its pressure."""
    pressed: Floats = (1 + 0.2 * mach**2) ** 3.5 - 1
    return pressed
