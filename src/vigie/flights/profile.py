"""The course of one flight: when it taxies, rolls, climbs, cruises, descends and lands, and how fast.

A flight is seventeen legs between eighteen knots. Between two knots speed and altitude change evenly, so the
distance flown is exact at every instant and the path has no jumps. All arrays have one column a flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vigie.flights.atmosphere import Floats, tail_wind, true_airspeed
from vigie.flights.performance import Performance


class Leg(IntEnum):
    """A stretch of a flight, named after what the aircraft does in it."""

    STANDING = 0
    PUSHED = 1
    TAXI_OUT = 2
    LINE_UP = 3
    GROUND_ROLL = 4
    INITIAL_CLIMB = 5
    CLIMB_LOW = 6
    CLIMB_CAS = 7
    CLIMB_MACH = 8
    CRUISE = 9
    DESCENT_MACH = 10
    DESCENT_CAS = 11
    DESCENT_LOW = 12
    APPROACH = 13
    LANDING_ROLL = 14
    TAXI_IN = 15
    STOP = 16


TAXI_SPEED = 8.0  # m/s
LINE_UP_SPEED = 3.0
TAXI_ACCELERATION = 0.5  # m/s2
AIR_ACCELERATION = 0.8
APPROACH_HEIGHT = 600.0  # m above the field
INITIAL_CLIMB_HEIGHT = 450.0
FLIGHT_LEVEL = 304.8  # ten of them: 1,000 ft
HIGHEST = 39 * FLIGHT_LEVEL
# What a flight may use of its way for climb and descent; it cruises lower when the way is short.
CLIMB_AND_DESCENT_SHARE = 0.8
CRUISE_FRACTIONS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.12)
# A heavy aircraft is slow to climb and fast on the runway: its mass places it between its type's extremes.
SLOWED_BY_MASS = (
    "initial_climb_rate",
    "climb_rate_low",
    "climb_rate_cas",
    "climb_rate_mach",
    "cruise_altitude",
)
HASTENED_BY_MASS = ("lift_off_speed", "initial_climb_speed", "approach_speed", "touch_down_speed")


@dataclass(frozen=True)
class Route:
    """Where flights go, one element a flight."""

    distance: Floats  # m
    track: Floats  # degrees, at the origin
    origin_elevation: Floats  # m
    destination_elevation: Floats
    standing: Floats  # s at the gate before
    taxi: Floats  # s on each side


@dataclass(frozen=True)
class Profile:
    """Time since the start of the standing, altitude, ground speed and distance at each knot (rows)."""

    seconds: Floats
    altitude: Floats
    speed: Floats
    distance: Floats


def take_off_mass(types: Performance, kind: NDArray[np.int64], distance: Floats, load: Floats) -> Floats:
    """Kilograms: empty, the passengers and freight of this flight, and fuel for its way."""
    fuel_share = np.clip(distance / (types.range_km[kind] * 1_000), 0.2, 1.0)
    wanted = types.empty[kind] + load * types.payload[kind] + fuel_share * types.fuel[kind]
    mass: Floats = np.minimum(wanted, types.heaviest[kind])
    return mass


def draw_figures(types: Performance, kind: NDArray[np.int64], mass: Floats, draws: Floats) -> dict[str, Floats]:
    """Each flight's own figures, from the triangles of its type's figures; `draws` has a row for each."""
    heaviness = (mass - types.empty[kind]) / (types.heaviest[kind] - types.empty[kind])
    drawn = {}
    for (name, figures), draw in zip(types.figures.items(), draws, strict=True):
        chance = draw
        if name in SLOWED_BY_MASS:
            chance = 0.8 * (1 - heaviness) + 0.2 * draw
        elif name in HASTENED_BY_MASS:
            chance = 0.8 * heaviness + 0.2 * draw
        drawn[name] = _triangular(figures[kind], chance)
    return drawn


def _triangular(figures: Floats, chance: Floats) -> Floats:
    least, likely, greatest = figures.T
    span = np.maximum(greatest - least, 1e-9)
    rising = least + np.sqrt(chance * span * (likely - least))
    falling = greatest - np.sqrt((1 - chance) * span * (greatest - likely))
    value: Floats = np.where(chance < (likely - least) / span, rising, falling)
    return value


def cruise_altitude(figures: dict[str, Floats], route: Route, above_ground: NDArray[np.bool_]) -> Floats:
    """A flight level, or half one for who flies by sight: as high as the type likes and the way allows."""
    field = np.maximum(route.origin_elevation, route.destination_elevation)
    wanted = np.where(above_ground, field + figures["cruise_altitude"], figures["cruise_altitude"])
    step = np.where(above_ground, FLIGHT_LEVEL / 4, FLIGHT_LEVEL)
    heights = np.array(CRUISE_FRACTIONS)[:, None] * (np.minimum(wanted, HIGHEST) - field)
    candidates = np.floor((field + heights) / step) * step
    # Rounded down, a low flight may come out under its own field.
    candidates = np.maximum(candidates, np.ceil((field + 100.0) / step) * step)
    needed = profile(figures, route, candidates).distance[-1] - _cruise_distance(figures, route, candidates)
    fits = needed <= CLIMB_AND_DESCENT_SHARE * route.distance
    fits[-1] = True
    chosen: Floats = candidates[fits.argmax(axis=0), np.arange(len(field))]
    return chosen


def profile(figures: dict[str, Floats], route: Route, cruise: Floats) -> Profile:
    """The knots of flights whose cruise altitude is `cruise` (it may have more rows, one a candidate)."""
    altitude = _altitudes(figures, route, cruise)
    speed = _speeds(figures, route, altitude)
    seconds = _durations(figures, route, altitude, speed)
    length = (speed[:-1] + speed[1:]) / 2 * seconds
    left = route.distance - (length.sum(axis=0) - length[Leg.CRUISE])
    length[Leg.CRUISE] = np.maximum(left, 0.0)
    seconds[Leg.CRUISE] = length[Leg.CRUISE] / speed[Leg.CRUISE]
    return Profile(_from_zero(seconds), altitude, speed, _from_zero(length))


def _cruise_distance(figures: dict[str, Floats], route: Route, cruise: Floats) -> Floats:
    flown = profile(figures, route, cruise).distance
    level: Floats = flown[Leg.CRUISE + 1] - flown[Leg.CRUISE]
    return level


def _altitudes(figures: dict[str, Floats], route: Route, cruise: Floats) -> Floats:
    origin, destination = route.origin_elevation, route.destination_elevation
    lifted = origin + np.minimum(INITIAL_CLIMB_HEIGHT, 0.4 * (cruise - origin))
    climb_cas = np.clip(figures["climb_cas_altitude"], lifted, cruise)
    climb_mach = np.clip(figures["climb_mach_altitude"], climb_cas, cruise)
    approach = destination + np.minimum(APPROACH_HEIGHT, 0.4 * (cruise - destination))
    descent_cas = np.clip(figures["descent_cas_altitude"], approach, cruise)
    descent_mach = np.clip(figures["descent_mach_altitude"], descent_cas, cruise)
    return _stacked(
        *[origin] * 6, lifted, climb_cas, climb_mach, cruise, cruise, descent_mach, descent_cas, approach,
        *[destination] * 4,
    )  # fmt: skip


def _speeds(figures: dict[str, Floats], route: Route, altitude: Floats) -> Floats:
    def en_route(knot: int, calibrated: str, mach: str) -> Floats:
        height = altitude[knot]
        return true_airspeed(height, figures[calibrated], figures[mach]) + tail_wind(height, route.track)

    still, taxi = np.zeros_like(route.distance), np.full_like(route.distance, TAXI_SPEED)
    level = en_route(Leg.CRUISE, "climb_cas", "cruise_mach")
    lift_off = figures["lift_off_speed"]
    return _stacked(
        still, still, taxi, taxi, np.full_like(taxi, LINE_UP_SPEED), lift_off,
        np.maximum(figures["initial_climb_speed"], lift_off),
        en_route(Leg.CLIMB_CAS, "climb_cas", "climb_mach"),
        en_route(Leg.CLIMB_MACH, "climb_cas", "climb_mach"),
        level, level,
        en_route(Leg.DESCENT_CAS, "descent_cas", "descent_mach"),
        en_route(Leg.DESCENT_LOW, "descent_cas", "descent_mach"),
        figures["approach_speed"],
        np.minimum(figures["touch_down_speed"], figures["approach_speed"]),
        taxi, taxi, still,
    )  # fmt: skip


def _durations(figures: dict[str, Floats], route: Route, altitude: Floats, speed: Floats) -> Floats:
    climbed, gained = np.abs(np.diff(altitude, axis=0)), np.abs(np.diff(speed, axis=0))
    seconds = gained / AIR_ACCELERATION
    rates = {
        Leg.INITIAL_CLIMB: "initial_climb_rate",
        Leg.CLIMB_LOW: "climb_rate_low",
        Leg.CLIMB_CAS: "climb_rate_cas",
        Leg.CLIMB_MACH: "climb_rate_mach",
        Leg.DESCENT_MACH: "descent_rate_mach",
        Leg.DESCENT_CAS: "descent_rate_cas",
        Leg.DESCENT_LOW: "descent_rate_low",
        Leg.APPROACH: "approach_rate",
    }
    for leg, rate in rates.items():
        seconds[leg] = np.maximum(seconds[leg], climbed[leg] / figures[rate])
    for leg in (Leg.PUSHED, Leg.LINE_UP, Leg.STOP):
        seconds[leg] = gained[leg] / TAXI_ACCELERATION
    seconds[Leg.GROUND_ROLL] = gained[Leg.GROUND_ROLL] / figures["take_off_acceleration"]
    seconds[Leg.LANDING_ROLL] = gained[Leg.LANDING_ROLL] / figures["braking"]
    seconds[Leg.STANDING] = route.standing
    seconds[[Leg.TAXI_OUT, Leg.TAXI_IN]] = route.taxi
    return seconds


def _stacked(*knots: Floats) -> Floats:
    return np.stack(np.broadcast_arrays(*knots))


def _from_zero(steps: Floats) -> Floats:
    return np.concatenate([np.zeros_like(steps[:1]), np.cumsum(steps, axis=0)])
