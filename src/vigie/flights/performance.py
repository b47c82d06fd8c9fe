"""What each type of aircraft can do: computed for jets from published facts, envelopes for the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vigie.flights import jets, light
from vigie.flights.airliners import AIRLINERS, Airliner
from vigie.flights.atmosphere import Floats

# How often a type is met over France; the types that are not named share what is left.
POPULARITY = {
    "A320": 12.0, "A319": 6.0, "A321": 4.5, "A20N": 7.0, "A21N": 4.5, "A318": 1.5, "B738": 9.0, "B38M": 3.5,
    "E190": 4.0, "E170": 2.5, "E195": 2.0, "BCS3": 2.0, "CRJ9": 2.0, "E145": 1.5, "C550": 1.5, "GLF6": 1.2,
    "A332": 1.5, "A333": 1.5, "A359": 2.5, "A388": 0.7, "B77W": 2.5, "B772": 1.5, "B788": 1.5, "B789": 2.0,
    "AT76": 3.0, "B190": 1.2, "SW4": 0.8, "BE20": 1.5, "PC12": 1.8, "TBM9": 1.5,
    "SR22": 2.0, "P28A": 3.5, "C172": 3.5, "DR40": 5.0, "EC35": 3.0, "AS50": 2.5, "R44": 2.0,
    "AS21": 2.0, "DISC": 2.0, "LS8": 1.5,
}  # fmt: skip
RARE = 0.4
HIGH_VORTEX = ("B752",)
# Upper limits in kilograms of OpenSky's categories 2 (light), 3 (small) and 4 (large); 6 (heavy) is above.
LIGHT_MASS, SMALL_MASS, LARGE_MASS = 7_031, 34_019, 136_078
KG_A_SEAT = 95


@dataclass(frozen=True)
class Performance:
    """One row a type in every array; `figures` holds the least, likely and greatest value of each."""

    codes: tuple[str, ...]
    networks: tuple[str, ...]
    category: NDArray[np.int64]
    popularity: Floats
    heaviest: Floats  # kg
    empty: Floats  # kg
    fuel: Floats  # kg
    payload: Floats  # kg
    range_km: Floats
    figures: dict[str, Floats]

    @property
    def is_glider(self) -> NDArray[np.bool_]:
        return np.equal(self.category, 9)

    @property
    def flies_above_ground(self) -> NDArray[np.bool_]:
        """Whether the cruise altitude counts from the ground, as pilots who see it fly."""
        return np.array([network not in ("regional", "medium", "long") for network in self.networks])


@cache
def performance() -> Performance:
    rows = [_airliner(jet) for jet in AIRLINERS] + [_light(envelope) for envelope in light.ENVELOPES]
    figures = [jets.figures(jet) for jet in AIRLINERS] + [light.figures(envelope) for envelope in light.ENVELOPES]
    columns = list(zip(*rows, strict=True))
    return Performance(
        codes=columns[0],
        networks=columns[1],
        category=np.array(columns[2]),
        popularity=np.array([POPULARITY.get(code, RARE) for code in columns[0]]),
        heaviest=np.array(columns[3], dtype=float),
        empty=np.array(columns[4], dtype=float),
        fuel=np.array(columns[5], dtype=float),
        payload=np.array(columns[6], dtype=float),
        range_km=np.array(columns[7], dtype=float),
        figures={name: np.array([row[name] for row in figures], dtype=float) for name in figures[0]},
    )


Row = tuple[str, str, int, float, float, float, float, float]


def _airliner(jet: Airliner) -> Row:
    category = 5 if jet.code in HIGH_VORTEX else _category(jet.take_off_mass)
    network = "long" if category == 6 else "medium" if jet.take_off_mass > 60_000 else "regional"
    payload = KG_A_SEAT * jet.seats
    return jet.code, network, category, jet.take_off_mass, jet.empty_mass, jet.fuel_mass, payload, jet.range_km


def _light(envelope: light.Envelope) -> Row:
    mass = envelope.heaviest
    return (
        envelope.code,
        envelope.network,
        envelope.category,
        mass,
        0.65 * mass,
        0.12 * mass,
        0.23 * mass,
        1_200,
    )


def _category(heaviest: float) -> int:
    if heaviest > LARGE_MASS:
        return 6
    if heaviest > SMALL_MASS:
        return 4
    return 3 if heaviest > LIGHT_MASS else 2
