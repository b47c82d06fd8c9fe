"""What a jet does, computed from its published facts: climb by excess power, speeds by lift, descent on a path.

The formulas and constants are of textbooks, and the same for every type: a parabolic drag polar, the thrust of a
turbofan by Mach number and density (Mattingly, Heiser, Daley: Aircraft Engine Design), and climb from what thrust
leaves over drag (Anderson: Aircraft Performance and Design). Each figure has three values, least, likely and greatest:
for what depends on mass those of the aircraft loaded, half loaded and light.
"""

from __future__ import annotations

import math

import numpy as np

from vigie.flights.airliners import Airliner
from vigie.flights.atmosphere import (
    LOW_SPEED_BELOW,
    Floats,
    crossover_altitude,
    density,
    speed_of_sound,
    true_airspeed,
)

GRAVITY = 9.80665  # m/s2
KNOT = 0.514444  # m/s
FOOT = 0.3048  # m
SEA_LEVEL = np.zeros(1)
Figure = tuple[float, float, float]

# Drag without lift: skin friction of 0.0026 on six times the wing's area (Raymer: Aircraft Design), and twice that with
# the flaps of take-off (Roskam: Airplane Design).
CLEAN_DRAG, FLAPS_DRAG, SPAN_EFFICIENCY = 0.0156, 0.0312, 0.80
# Thrust for climb is rated below that for take-off. Crews of light aircraft ask for less of either: of take-off thrust
# they may give a quarter away (FAA AC 25-13).
CLIMB_RATING = 0.80
TAKE_OFF_POWER, CLIMB_POWER = np.array([1.0, 0.875, 0.75]), np.array([1.0, 0.95, 0.9])
# Lift: the lift coefficient at which jets cruise, and how much of the greatest that of take-off flaps is.
CRUISE_LIFT = 0.58
TAKE_OFF_LIFT_SHARE = 0.80
# Speeds over that of the stall, by EASA CS-25: of the approach (25.125), and V2, at least 1.13 (25.107).
APPROACH_OVER_STALL, CLIMB_OUT_OVER_STALL = 1.23, 1.15
LIGHT_OVER_EMPTY = 1.10
BELOW_LIMIT = LOW_SPEED_BELOW - 50.0
# Of a roll's thrust speed takes a part; friction and drag take their own (m/s2).
ROLLING_THRUST, ROLLING_LOSS = 0.9, 0.4
RATE_AT_CEILING = 300 * FOOT / 60  # m/s: what is left of the climb at a jet's ceiling
HIGHEST_RATE = 16.0  # m/s: passengers and controllers are given no more
# Shares of the speed limit that are flown, from slow to fast, and Mach numbers beside that of cruise.
CLIMB_SPEEDS, DESCENT_SPEEDS = np.array([0.84, 0.89, 0.94]), np.array([0.80, 0.86, 0.93])
CLIMB_MACH, CRUISE_MACH = np.array([-0.03, -0.015, 0.0]), np.array([-0.02, 0.0, 0.01])
# Degrees: an idle jet glides near three, and the beam of an instrument landing is three.
DESCENT_PATHS, GLIDE_PATHS = np.array([2.2, 2.8, 3.4]), np.array([2.8, 3.0, 3.2])


def figures(jet: Airliner) -> dict[str, Figure]:
    """The figures of `profile`, in metres and seconds."""
    loads = _loads(jet)
    climb_out = _climb_out_speed(jet, loads)
    climb_cas, descent_cas = (jet.speed_limit_kt * KNOT * shares for shares in (CLIMB_SPEEDS, DESCENT_SPEEDS))
    climb_mach, cruise_mach = jet.cruise_mach + CLIMB_MACH, jet.cruise_mach + CRUISE_MACH
    climb_crossover = crossover_altitude(climb_cas[::-1], climb_mach)
    descent_crossover = crossover_altitude(descent_cas[::-1], climb_mach)
    cruise = np.array([cruise_altitude(jet, load) for load in loads])
    landing = np.linspace(loads[2], jet.landing_mass, 3)
    approach = jet.approach_kt * KNOT * np.sqrt(landing / jet.landing_mass)
    push = GRAVITY * thrust_to_weight(jet)
    turn = float(climb_crossover[1])  # from calibrated airspeed to Mach number

    def climb(low: float, high: Floats | float, entry: Floats | float) -> Figure:
        each = zip(*np.broadcast_arrays(loads, CLIMB_POWER, high, entry), strict=True)
        rates = [_mean_rate(jet, load, power, (low, top), speed) for load, power, top, speed in each]
        return _figure(np.minimum(rates, HIGHEST_RATE))

    def descent(altitude: float) -> Figure:
        speed = true_airspeed(np.asarray(altitude), descent_cas[1], climb_mach[1])
        return _figure(speed * np.tan(np.radians(DESCENT_PATHS)))

    return {
        "lift_off_speed": _figure(0.98 * climb_out),
        "take_off_acceleration": _figure(ROLLING_THRUST * push * TAKE_OFF_POWER - ROLLING_LOSS),
        "initial_climb_speed": _figure(climb_out + 10 * KNOT),
        "initial_climb_rate": _figure(np.minimum(initial_climb_rate(jet, loads, TAKE_OFF_POWER), HIGHEST_RATE)),
        "climb_cas": _figure(climb_cas),
        "climb_mach": _figure(climb_mach),
        "climb_cas_altitude": (LOW_SPEED_BELOW, 3_300.0, 3_700.0),
        "climb_mach_altitude": _figure(climb_crossover),
        "climb_rate_low": climb(450.0, BELOW_LIMIT, climb_out),
        "climb_rate_cas": climb(LOW_SPEED_BELOW, turn, _true_airspeed(jet, BELOW_LIMIT)),
        "climb_rate_mach": climb(turn, np.maximum(turn + 100.0, cruise), _true_airspeed(jet, turn)),
        "cruise_mach": _figure(cruise_mach),
        "cruise_altitude": _figure(cruise),
        "descent_mach": _figure(climb_mach),
        "descent_cas": _figure(descent_cas),
        "descent_mach_altitude": _figure(descent_crossover),
        "descent_cas_altitude": (LOW_SPEED_BELOW, 3_300.0, 3_700.0),
        "descent_rate_mach": descent((descent_crossover[1] + cruise[1]) / 2),
        "descent_rate_cas": descent((LOW_SPEED_BELOW + descent_crossover[1]) / 2),
        "descent_rate_low": descent(LOW_SPEED_BELOW / 2),
        "approach_speed": _figure(approach),
        "approach_rate": _figure(approach[1] * np.tan(np.radians(GLIDE_PATHS))),
        "touch_down_speed": _figure(0.96 * approach),
        "braking": (0.9, 1.4, 2.0),
    }


def thrust_to_weight(jet: Airliner) -> float:
    """Of take-off, standing, with the greatest mass."""
    return 1_000 * jet.engines * jet.thrust / (jet.take_off_mass * GRAVITY)


def climb_rate(jet: Airliner, mass: float, power: float, altitude: Floats, speeds: tuple[float, float]) -> Floats:
    """Metres a second, clean, at a calibrated airspeed and a Mach number, the lower of the two."""

    def true_at(height: Floats) -> Floats:
        return true_airspeed(height, np.asarray(speeds[0]), np.asarray(speeds[1]))

    speed = true_at(altitude)
    force = power * CLIMB_RATING * thrust(jet, altitude, speed) - drag(jet, mass, altitude, speed, CLEAN_DRAG)
    # A part of the power goes into speed: an even reading of the instrument is a rising true airspeed.
    gained_a_metre = (true_at(altitude + 10.0) - speed) / 10.0
    rate: Floats = force * speed / (mass * GRAVITY) / (1 + speed * gained_a_metre / GRAVITY)
    return rate


def initial_climb_rate(jet: Airliner, mass: Floats, power: Floats) -> Floats:
    """Metres a second after take-off, with flaps, ten knots above V2."""
    speed = _climb_out_speed(jet, mass) + 10 * KNOT
    force = power * thrust(jet, SEA_LEVEL, speed) - drag(jet, mass, SEA_LEVEL, speed, FLAPS_DRAG)
    rate: Floats = force * speed / (mass * GRAVITY)
    return rate


def cruise_altitude(jet: Airliner, mass: float) -> float:
    """The highest at which the wing carries the mass easily and something is left to climb with."""
    altitude = np.arange(5_000.0, jet.ceiling_ft * FOOT, 50.0)
    speed = jet.cruise_mach * speed_of_sound(altitude)
    lift = mass * GRAVITY / (0.5 * density(altitude) * speed**2 * jet.wing_m2)
    rate = climb_rate(jet, mass, 1.0, altitude, (math.inf, jet.cruise_mach))
    return float(altitude[(lift <= CRUISE_LIFT) & (rate >= RATE_AT_CEILING)].max())


def thrust(jet: Airliner, altitude: Floats, speed: Floats) -> Floats:
    """Newtons of all engines, rated for take-off."""
    mach = speed / speed_of_sound(altitude)
    thinned = (density(altitude) / density(SEA_LEVEL)) ** 0.6
    newtons: Floats = 1_000 * jet.engines * jet.thrust * (0.568 + 0.25 * (1.2 - mach) ** 3) * thinned
    return newtons


def drag(jet: Airliner, mass: Floats | float, altitude: Floats, speed: Floats, without_lift: float) -> Floats:
    """Newtons in flight that is nearly level."""
    impact = 0.5 * density(altitude) * speed**2
    induced = (mass * GRAVITY) ** 2 / (impact * math.pi * SPAN_EFFICIENCY * jet.span**2)
    newtons: Floats = impact * jet.wing_m2 * without_lift + induced
    return newtons


def _loads(jet: Airliner) -> Floats:
    """Kilograms: as heavy as may be, between, and with little fuel and load."""
    return np.linspace(jet.take_off_mass, LIGHT_OVER_EMPTY * jet.empty_mass, 3)


def _climb_out_speed(jet: Airliner, mass: Floats) -> Floats:
    """V2: less lift than the flaps of landing give, and more than a stall's speed."""
    stall = jet.approach_kt * KNOT / APPROACH_OVER_STALL * np.sqrt(mass / jet.landing_mass / TAKE_OFF_LIFT_SHARE)
    return CLIMB_OUT_OVER_STALL * stall


def _climb_speeds(jet: Airliner) -> tuple[float, float]:
    """The likely calibrated airspeed and Mach number."""
    return jet.speed_limit_kt * KNOT * CLIMB_SPEEDS[1], jet.cruise_mach + CLIMB_MACH[1]


def _true_airspeed(jet: Airliner, altitude: float) -> float:
    cas, mach = _climb_speeds(jet)
    return float(true_airspeed(np.asarray(altitude), np.asarray(cas), np.asarray(mach)))


def _mean_rate(jet: Airliner, mass: float, power: float, layer: tuple[float, float], entry: float) -> float:
    """The height of a layer over the time to climb through it, and to reach its speed from that of `entry`."""
    low, high = layer
    rates = climb_rate(jet, mass, power, np.linspace(low, high, 9), _climb_speeds(jet))
    slowness = float(np.mean(1 / np.maximum(rates, RATE_AT_CEILING)))
    speed_as_height = max(_true_airspeed(jet, low) ** 2 - entry**2, 0.0) / (2 * GRAVITY)
    return (high - low) / (high - low + speed_as_height) / slowness


def _figure(values: Floats) -> Figure:
    least, likely, greatest = np.sort(values).tolist()
    return least, likely, greatest
