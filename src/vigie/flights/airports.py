"""Where aircraft fly: real airports in and around France, and which routes are flown between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import airportsdata
import numpy as np
from numpy.typing import NDArray

from vigie.flights.atmosphere import Floats

EARTH_RADIUS = 6_371_000.0  # m
FEET = 0.3048
SOUTH, NORTH, WEST, EAST = 41.0, 52.0, -6.0, 10.0

# Airports by how much traffic they have: a hub has ten times that of a regional field.
TRAFFIC = {
    10: "CDG",
    7: "ORY",
    6: "LHR FRA BCN",
    5: "NCE GVA ZRH AMS",
    4: "LYS MRS TLS LGW BRU MXP MAD",
    3: "BOD NTE BSL STN FCO MUC PMI",
    2: "SXB LIL MPL AJA BIA BVA LTN CRL LUX CGN DUS STR BIO LIN LIS OPO DUB MAN",
    1: "BIQ RNS BES CFE PUF LDE EGC LRH PGF FSC CLY PIS CFR DLE GNB LIG XCR TLN FNI SOU BRS FKB GRO TRN "
    "GOA EIN VLC PSA BLQ VCE",
}
# Networks over aerodromes of every size, and the shortest and longest flight in metres of each network.
AIRLINE_NETWORKS = {"regional": (200e3, 900e3), "medium": (280e3, 1_700e3), "long": (450e3, 1_900e3)}
AERODROME_NETWORKS = {
    "touring": (170e3, 600e3), "local": (45e3, 250e3), "rotor": (25e3, 120e3), "gliding": (25e3, 80e3),
}  # fmt: skip
NETWORKS = (*AIRLINE_NETWORKS, *AERODROME_NETWORKS)


@dataclass(frozen=True)
class Network:
    """Airports, and for each of them the cumulated chance of every other as the next destination."""

    codes: tuple[str, ...]
    latitude: Floats
    longitude: Floats
    elevation: Floats  # m
    chances: Floats  # one row an origin, cumulated over the destinations
    origins: Floats  # cumulated chance that a first flight starts here

    def start(self, draw: Floats) -> NDArray[np.int64]:
        """An airport for each draw of 0..1, as busy as it is."""
        return np.searchsorted(self.origins, draw, side="right").astype(np.int64)

    def destination(self, origin: NDArray[np.int64], draw: Floats) -> NDArray[np.int64]:
        """Where each aircraft that stands at `origin` flies next."""
        return np.asarray((self.chances[origin] <= draw[:, None]).sum(axis=1), dtype=np.int64)


@cache
def network(name: str) -> Network:
    if name in AIRLINE_NETWORKS:
        return _network(_airports(), AIRLINE_NETWORKS[name])
    return _network(_aerodromes(), AERODROME_NETWORKS[name])


def unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """Points on the unit sphere, one row each, from degrees."""
    phi, theta = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], axis=-1)


@cache
def _airports() -> list[tuple[airportsdata.Airport, int]]:
    by_code = airportsdata.load("IATA")
    return [(by_code[code], weight) for weight, codes in TRAFFIC.items() for code in codes.split()]


@cache
def _aerodromes() -> list[tuple[airportsdata.Airport, int]]:
    by_code = airportsdata.load("ICAO")
    return [(airport, 1) for code, airport in sorted(by_code.items()) if _is_aerodrome(code, airport)]


def _is_aerodrome(code: str, airport: airportsdata.Airport) -> bool:
    in_the_box = SOUTH < airport["lat"] < NORTH and WEST < airport["lon"] < EAST
    # Fields above 1,200 m are altiports, where none of our envelopes lands.
    return airport["country"] == "FR" and code.startswith("LF") and in_the_box and airport["elevation"] < 4_000


def _network(places: list[tuple[airportsdata.Airport, int]], reach: tuple[float, float]) -> Network:
    latitude = np.array([airport["lat"] for airport, _ in places])
    longitude = np.array([airport["lon"] for airport, _ in places])
    traffic = np.array([float(weight) for _, weight in places])
    points = unit_vectors(latitude, longitude)
    distance = EARTH_RADIUS * np.arccos(np.clip((points[:, None, :] * points[None, :, :]).sum(axis=-1), -1, 1))
    flown = traffic[None, :] * _share_in_the_box(points) ** 6 * ((distance > reach[0]) & (distance < reach[1]))
    useful = flown.sum(axis=1) > 0
    flown, places = (
        flown[useful][:, useful],
        [place for place, keep in zip(places, useful, strict=True) if keep],
    )
    starts = np.cumsum(traffic[useful] * flown.sum(axis=1))
    return Network(
        codes=tuple(airport["icao"] for airport, _ in places),
        latitude=latitude[useful],
        longitude=longitude[useful],
        elevation=np.array([airport["elevation"] * FEET for airport, _ in places]),
        chances=_up_to_one(np.cumsum(flown, axis=1)),
        origins=_up_to_one(starts[None, :])[0],
    )


def _up_to_one(cumulated: Floats) -> Floats:
    """Scaled so that the last possible choice ends at exactly 1, above every draw."""
    scaled: Floats = cumulated / cumulated[:, -1:]
    return scaled


def _share_in_the_box(points: Floats) -> Floats:
    """How much of the way between any two points lies over France and its neighbours."""
    inside = np.zeros((len(points), len(points)))
    shares = np.linspace(0, 1, 11)
    for share in shares:
        # The chord cuts the same path as the great circle; that is near enough to tell in from out.
        way = (1 - share) * points[:, None, :] + share * points[None, :, :]
        latitude = np.degrees(np.arctan2(way[..., 2], np.hypot(way[..., 0], way[..., 1])))
        longitude = np.degrees(np.arctan2(way[..., 1], way[..., 0]))
        inside += (latitude > SOUTH) & (latitude < NORTH) & (longitude > WEST) & (longitude < EAST)
    share_inside: Floats = inside / len(shares)
    return share_inside
