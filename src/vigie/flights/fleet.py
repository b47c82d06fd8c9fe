"""Which aircraft there are: type, country, ICAO address, and what a receiver is told about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigie.errors import BadSetting
from vigie.flights.atmosphere import Floats
from vigie.flights.performance import Performance

GOLDEN = 0.6180339887498949
# Odd, so that it meets every address of a block whose size is a power of two.
ADDRESS_STEP = 7_919
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ADS_B, MLAT, FLARM = 0, 2, 3


class Country(NamedTuple):
    """A state of registry: its block of ICAO addresses, its airlines and its share of the traffic."""

    name: str
    first: int
    size: int
    airlines: tuple[str, ...]
    mark: str
    airliners: float
    others: float


COUNTRIES = (
    Country("France", 0x380000, 0x40000, ("AFR", "TVF", "HOP", "CCM"), "F", 34, 84),
    Country("United Kingdom", 0x400000, 0x40000, ("BAW", "EXS", "SHT"), "G", 11, 4),
    Country("Ireland", 0x4CA000, 0x1000, ("RYR", "EIN"), "EI", 9, 0.5),
    Country("Germany", 0x3C0000, 0x40000, ("DLH", "EWG"), "D", 9, 4),
    Country("Spain", 0x340000, 0x40000, ("IBE", "VLG", "AEA"), "EC", 8, 1.5),
    Country("Austria", 0x440000, 0x8000, ("EJU", "AUA"), "OE", 7, 0.5),
    Country("Switzerland", 0x4B0000, 0x8000, ("SWR", "EZS"), "HB", 5, 2),
    Country("Italy", 0x300000, 0x40000, ("ITY",), "I", 4, 1.5),
    Country("Kingdom of the Netherlands", 0x480000, 0x8000, ("KLM", "TRA"), "PH", 4, 0.5),
    Country("Portugal", 0x490000, 0x8000, ("TAP", "NJE"), "CS", 3, 0.2),
    Country("Belgium", 0x448000, 0x8000, ("BEL", "JAF"), "OO", 3, 1),
    Country("Malta", 0x4D2000, 0x400, ("VJT", "AMC"), "9H", 2, 0.1),
    Country("Luxembourg", 0x4D0000, 0x400, ("LGL", "CLX"), "LX", 1, 0.2),
    Country("Hungary", 0x470000, 0x8000, ("WZZ",), "HA", 2, 0.1),
    Country("Turkey", 0x4B8000, 0x8000, ("THY", "PGT"), "TC", 2, 0.1),
    Country("Morocco", 0x020000, 0x8000, ("RAM",), "CN", 2, 0.1),
    Country("Algeria", 0x0A0000, 0x8000, ("DAH",), "7T", 1.5, 0.1),
    Country("United States", 0xA00000, 0x40000, ("UAL", "DAL", "AAL"), "N", 2, 0.8),
)
MOST_AIRCRAFT = 200_000


@dataclass(frozen=True)
class Fleet:
    """One element an aircraft."""

    kind: NDArray[np.int64]  # a row of `Performance`
    country: NDArray[np.int64]  # a row of COUNTRIES
    icao24: list[str]
    category: NDArray[np.int64]  # as the transponder says: 0 and 1 where it does not
    source: NDArray[np.int64]
    geometric_offset: Floats  # m between barometric and geometric altitude; NaN where none is sent
    has_squawk: NDArray[np.bool_]
    delay: NDArray[np.int64]  # s between a position and the snapshot that shows it


def fleet(types: Performance, size: int, rng: np.random.Generator) -> Fleet:
    if not 1 <= size <= MOST_AIRCRAFT:
        raise BadSetting(
            f"{size} aircraft cannot be simulated",
            where="--keys",
            do=f"Ask for 1 to {MOST_AIRCRAFT:,} aircraft.",
        )
    # Spread by the golden ratio, so that a small fleet has its share of every kind too.
    kind = _choose(types.popularity, (rng.random() + GOLDEN * np.arange(size, dtype=np.float64)) % 1.0)
    category = types.category[kind]
    draw = rng.random((7, size))
    airline = (category >= 4) & (category <= 6)
    country = np.where(
        airline,
        _choose(np.array([country.airliners for country in COUNTRIES]), draw[0]),
        _choose(np.array([country.others for country in COUNTRIES]), draw[0]),
    )
    glider = category == 9
    return Fleet(
        kind=kind,
        country=country,
        icao24=_addresses(country, rng),
        category=np.where(draw[1] < 0.8, category, np.where(draw[1] < 0.95, 0, 1)),
        source=np.where(glider, FLARM, np.where(draw[2] < 0.04, MLAT, ADS_B)),
        geometric_offset=np.where(draw[3] < 0.06, np.nan, 160.0 * draw[4] - 40.0),
        has_squawk=~glider & (draw[5] > 0.08),
        delay=(draw[6] < 0.3).astype(np.int64),
    )


def callsign(country: Country, category: int, draw: float) -> str:
    """Eight characters: a flight number, or the registration of who flies for itself."""
    if 4 <= category <= 6:
        code = country.airlines[int(draw * len(country.airlines))]
        return f"{code}{1 + int(draw * 1e6) % 9_899}".ljust(8)
    number = int(draw * 26**4)
    letters = "".join(LETTERS[number // 26**place % 26] for place in range(4))
    return f"{country.mark}{letters}"[:8].ljust(8)


def squawk(category: int, draw: float) -> str:
    """Four octal digits; visual flights share one code, and no code here means distress."""
    if category in (2, 3, 8, 9):
        return "7000"
    return f"{0o1000 + int(draw * 0o5777):04o}"


def _choose(weights: Floats, draw: Floats) -> NDArray[np.int64]:
    cumulated = np.cumsum(weights)
    return np.searchsorted(cumulated / cumulated[-1], draw, side="right").astype(np.int64)


def _addresses(country: NDArray[np.int64], rng: np.random.Generator) -> list[str]:
    """A different address for each, in its country's block; who finds it full is registered in France's."""
    offsets = (rng.random(len(COUNTRIES)) * [state.size for state in COUNTRIES]).astype(int)
    for row, state in enumerate(COUNTRIES[1:], start=1):
        country[np.flatnonzero(country == row)[state.size :]] = 0
    rank = np.zeros(len(country), dtype=np.int64)
    for row in range(len(COUNTRIES)):
        members = country == row
        rank[members] = np.arange(members.sum())
    first, size = (np.array([getattr(state, part) for state in COUNTRIES]) for part in ("first", "size"))
    address = first[country] + (offsets[country] + ADDRESS_STEP * rank) % size[country]
    return [f"{number:06x}" for number in address.tolist()]
