"""Offices that are well: what it is like at each sensor, at any time.

It depends on the sensor and the time alone but for the noise, and keeps far from every limit that raises an alert.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SENSORS_A_FLOOR, FLOORS_A_BUILDING = 20, 4
FEWEST_FLOORS = 8  # of few sensors too, as long as each floor has two
DAY_S = 86_400.0
WARMEST_AT = 15.5 * 3_600  # UTC
DAILY_C, AT_NIGHT_C = 1.1, 0.25  # half the way from the coldest to the warmest, and what mornings are steeper by
FLOOR_C, FLOOR_PERIODS_S = 0.25, (2 * 3_600, 9 * 3_600)
HEATING_C, HEATING_PERIODS_S = 0.2, (25 * 60, 60 * 60)
DRIFT_C, DRIFT_PERIODS_S = 0.2, (20 * 3_600, 90 * 3_600)
USUAL_C, USUAL_PCT = (20.6, 22.2), (38.0, 52.0)
DRIER_PCT_A_DEGREE = 2.5  # warmer air of the same water
WEATHER_PCT, WEATHER_HPA = 4.0, 7.0
WEATHER_PERIODS_S = (1.3 * DAY_S, 4.7 * DAY_S)
SEA_LEVEL_HPA, FLOOR_HPA = 1013.25, 0.42  # 3.5 m of air
NOISE = np.array([[0.04], [0.3], [0.04]])  # °C, %, hPa


@dataclass(frozen=True, slots=True)
class Waves:
    """Sums of sines: a row for each sine, a column for each sensor."""

    amplitude: Floats
    period: Floats
    crest: Floats  # an instant at which the sine is highest

    def at(self, moment: float, who: slice) -> Floats:
        turned = (2 * np.pi) * (moment - self.crest[:, who]) / self.period[:, who]
        heights: Floats = (self.amplitude[:, who] * np.cos(turned)).sum(axis=0)
        return heights


class Climate:
    """Temperature, humidity and pressure at every sensor."""

    def __init__(self, sensors: int, start: float, rng: np.random.Generator, noise: np.random.Generator) -> None:
        self._noise = noise
        floors = max(-(-sensors // SENSORS_A_FLOOR), min(FEWEST_FLOORS, max(sensors // 2, 1)))
        floor = np.arange(sensors) * floors // sensors
        building = floor // FLOORS_A_BUILDING
        self.locations = [
            f"Building {_letters(house)} - Floor {storey + 1}".encode()
            for house, storey in zip(building.tolist(), (floor % FLOORS_A_BUILDING).tolist(), strict=True)
        ]
        self._usual_c = rng.uniform(*USUAL_C, sensors)
        self._usual_pct = rng.uniform(*USUAL_PCT, sensors)
        self._hpa = SEA_LEVEL_HPA - FLOOR_HPA * (floor % FLOORS_A_BUILDING) + rng.uniform(-0.3, 0.3, sensors)
        shared = [
            _sines(rng, start, floors, FLOOR_C, FLOOR_PERIODS_S, floor),
            _sines(rng, start, floors, FLOOR_C, FLOOR_PERIODS_S, floor),
            _sines(rng, start, floors, HEATING_C, HEATING_PERIODS_S, floor),
            _sines(rng, start, sensors, DRIFT_C, DRIFT_PERIODS_S, np.arange(sensors)),
        ]
        self._swing = _stacked(*_days(rng, int(building[-1]) + 1, building), *shared)
        everywhere = np.zeros(sensors, np.int64)
        self._weather = _sines(rng, start, 1, 1.0, WEATHER_PERIODS_S, everywhere)
        self._water = _sines(rng, start, 1, 1.0, WEATHER_PERIODS_S, everywhere)

    def at(self, moment: float, who: slice) -> list[list[float]]:
        """Temperatures, humidities and pressures of these sensors."""
        usual_c = self._usual_c[who]
        noise = NOISE * self._noise.standard_normal((3, len(usual_c)))
        swing = self._swing.at(moment, who)
        one = slice(0, 1)
        water, weather = WEATHER_PCT * self._water.at(moment, one), WEATHER_HPA * self._weather.at(moment, one)
        measured = noise + [
            usual_c + swing,
            self._usual_pct[who] - DRIER_PCT_A_DEGREE * swing + water,
            self._hpa[who] + weather,
        ]
        values: list[list[float]] = measured.tolist()
        return values


def _days(rng: np.random.Generator, buildings: int, building: NDArray[np.int64]) -> tuple[Waves, Waves]:
    """The rhythm of each building: warm in the afternoon, and quicker to warm than to cool."""
    warmest = WARMEST_AT + rng.uniform(-3_600, 3_600, buildings)[building]
    size = rng.uniform(0.8, 1.0, buildings)[building]
    day, half = np.full(len(building), DAY_S), np.full(len(building), DAY_S / 2)
    return (
        Waves((DAILY_C * size)[None], day[None], warmest[None]),
        Waves((AT_NIGHT_C * size)[None], half[None], (warmest + DAY_S / 16)[None]),
    )


def _sines(  # noqa: PLR0913
    rng: np.random.Generator,
    start: float,
    many: int,
    amplitude: float,
    periods: tuple[float, float],
    whose: NDArray[np.int64],
) -> Waves:
    """One sine for each of many, and which of them each sensor has."""
    period = rng.uniform(*periods, many)
    crest = start + period * rng.random(many)
    heights = amplitude * rng.uniform(0.5, 1.0, many)
    return Waves(heights[whose][None], period[whose][None], crest[whose][None])


def _stacked(*waves: Waves) -> Waves:
    return Waves(
        np.concatenate([each.amplitude for each in waves]),
        np.concatenate([each.period for each in waves]),
        np.concatenate([each.crest for each in waves]),
    )


def _letters(number: int) -> str:
    """A to Z, then AA, AB and so on."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
