"""Who flies where at any moment: each aircraft's flights, one after the other for ever."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.flights.airports import EARTH_RADIUS, network, unit_vectors
from vigie.flights.atmosphere import Floats
from vigie.flights.performance import Performance
from vigie.flights.profile import (
    FLIGHT_LEVEL,
    Leg,
    Profile,
    Route,
    cruise_altitude,
    draw_figures,
    profile,
    take_off_mass,
)

Indices = NDArray[np.int64]

KNOTS = len(Leg) + 1
GATES_WITHIN = 0.006  # degrees around the airport's own point
THERMAL_SECONDS = 500.0  # a glider's climb in a thermal and the glide that follows


@dataclass(frozen=True)
class Motion:
    """What aircraft do at one instant, one element each, in metres, seconds and degrees."""

    leg: Indices
    latitude: Floats
    longitude: Floats
    altitude: Floats
    speed: Floats
    track: Floats
    vertical_rate: Floats

    @property
    def on_ground(self) -> NDArray[np.bool_]:
        return (self.leg <= Leg.GROUND_ROLL) | (self.leg >= Leg.LANDING_ROLL)


class Schedule:
    """The flights of a fleet; `kind` says each aircraft's type.

    Row i of every array is aircraft i's flight of now, row i + size the one before, which late reports need.
    """

    def __init__(self, types: Performance, kind: Indices, start: float, rng: np.random.Generator) -> None:
        self._types, self._kind, self._rng, self._size = types, kind, rng, len(kind)
        self._network_of = np.array(types.networks)[kind]
        rows = 2 * self._size
        self._seconds, self._altitude, self._speed, self._distance = (np.zeros((rows, KNOTS)) for _ in range(4))
        self._origin, self._towards = np.zeros((rows, 3)), np.zeros((rows, 3))
        self._thermals, self._thermal_height = np.zeros(rows), np.zeros(rows)
        self._airport = np.zeros(self._size, dtype=np.int64)
        self._place = np.zeros((self._size, 2))  # latitude and longitude of the gate
        everyone = np.arange(self._size)
        self._open(everyone)
        self._plan(everyone, np.full(self._size, start))
        # The sky is full from the first moment: each aircraft is somewhere on its first flight.
        self._seconds[everyone] -= (rng.random(self._size) * (self.ends(everyone) - start))[:, None]
        self._keep(everyone)

    def ends(self, who: Indices) -> Floats:
        """When the flight of now is over, standing at the next gate."""
        last: Floats = self._seconds[who, -1]
        return last

    def advance(self, who: Indices, at: Floats) -> Indices:
        """Give a next flight to everyone whose flight is over at `at`; returns who got one."""
        changed = [np.zeros(0, dtype=np.int64)]
        while (over := self.ends(who) <= at).any():
            landed = who[over]
            self._keep(landed)
            self._plan(landed, self.ends(landed))
            changed.append(landed)
        return np.unique(np.concatenate(changed))

    def motion(self, who: Indices, at: Floats) -> Motion:
        """Where they are and what they do at `at`, which may lie in the flight before."""
        row = np.where(at < self._seconds[who, 0], who + self._size, who)
        leg = np.clip((self._seconds[row] <= at[:, None]).sum(axis=1) - 1, 0, KNOTS - 2)
        begun, ended = self._seconds[row, leg], self._seconds[row, leg + 1]
        duration = np.maximum(ended - begun, 1e-9)
        elapsed = np.clip(at - begun, 0.0, duration)
        slow, low = self._speed[row, leg], self._altitude[row, leg]
        acceleration = (self._speed[row, leg + 1] - slow) / duration
        climb = (self._altitude[row, leg + 1] - low) / duration
        flown = self._distance[row, leg] + (slow + acceleration * elapsed / 2) * elapsed
        lifted, lift = self._thermal(row, leg, elapsed, duration)
        latitude, longitude, track = self._on_great_circle(row, flown / EARTH_RADIUS)
        return Motion(
            leg,
            latitude,
            longitude,
            low + climb * elapsed + lifted,
            slow + acceleration * elapsed,
            track,
            climb + lift,
        )

    def _thermal(self, row: Indices, leg: Indices, elapsed: Floats, duration: Floats) -> tuple[Floats, Floats]:
        """The height that a glider in cruise has over its lowest, and how fast it gains it."""
        turns = self._thermals[row] / duration
        phase = (elapsed * turns) % 1.0
        height = np.where(leg == Leg.CRUISE, self._thermal_height[row], 0.0)
        rate = np.where(phase < 0.5, 2.0, -2.0) * height * turns
        return height * (1.0 - np.abs(2.0 * phase - 1.0)), rate

    def _on_great_circle(self, row: Indices, angle: Floats) -> tuple[Floats, Floats, Floats]:
        cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
        origin, towards = self._origin[row], self._towards[row]
        x, y, z = (origin * cosine + towards * sine).T
        ahead_x, ahead_y, ahead_z = (towards * cosine - origin * sine).T
        track = np.degrees(np.arctan2(x * ahead_y - y * ahead_x, ahead_z)) % 360.0
        return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)), track

    def _open(self, who: Indices) -> None:
        """Put everyone at the first gate."""
        draw = self._rng.random((3, len(who)))
        for name in sorted(set(self._network_of[who])):
            here = self._network_of[who] == name
            airports = network(name)
            chosen = airports.start(draw[0, here])
            self._airport[who[here]] = chosen
            self._place[who[here]] = _gate(airports.latitude[chosen], airports.longitude[chosen], draw[1:, here])

    def _plan(self, who: Indices, begins: Floats) -> None:
        """The next flight of each: where to, how high, how fast."""
        draw = self._rng.random((6 + len(self._types.figures), len(who)))
        track, distance, elevations = self._depart(who, draw[:3])
        kind = self._kind[who]
        leisurely = self._types.flies_above_ground[kind]
        route = Route(
            distance=distance,
            track=track,
            origin_elevation=elevations[0],
            destination_elevation=elevations[1],
            standing=900.0 + 900.0 * draw[3],
            taxi=np.where(leisurely, 20.0, 120.0) + np.where(leisurely, 60.0, 300.0) * draw[4],
        )
        mass = take_off_mass(self._types, kind, distance, 0.6 + 0.4 * draw[5])
        figures = draw_figures(self._types, kind, mass, draw[6:])
        flown = profile(figures, route, cruise_altitude(figures, route, leisurely))
        self._write(who, begins, flown)
        level = flown.seconds[Leg.CRUISE + 1] - flown.seconds[Leg.CRUISE]
        # Whole turns, so that a glider leaves its last thermal as high as it came into the first.
        self._thermals[who] = np.floor(level / THERMAL_SECONDS)
        soars = self._types.is_glider[kind] & (self._thermals[who] > 0)
        self._thermal_height[who] = np.where(soars, FLIGHT_LEVEL * (1 + draw[5]), 0.0)

    def _depart(self, who: Indices, draw: Floats) -> tuple[Floats, Floats, Floats]:
        """Choose destinations and lay the great circles; returns track, distance and both elevations."""
        gate = self._place[who]
        elevations = np.zeros((2, len(who)))
        for name in sorted(set(self._network_of[who])):
            here = self._network_of[who] == name
            airports, some = network(name), who[here]
            chosen = airports.destination(self._airport[some], draw[0, here])
            elevations[:, here] = airports.elevation[[self._airport[some], chosen]]
            self._airport[some] = chosen
            self._place[some] = _gate(airports.latitude[chosen], airports.longitude[chosen], draw[1:, here])
        origin, target = unit_vectors(*gate.T), unit_vectors(*self._place[who].T)
        along = (origin * target).sum(axis=1)
        across = target - along[:, None] * origin
        length = np.sqrt((across**2).sum(axis=1))
        towards = across / length[:, None]
        self._origin[who], self._towards[who] = origin, towards
        x, y, _ = origin.T
        track = np.degrees(np.arctan2(x * towards[:, 1] - y * towards[:, 0], towards[:, 2]))
        return track, EARTH_RADIUS * np.arctan2(length, along), elevations

    def _write(self, who: Indices, begins: Floats, flown: Profile) -> None:
        self._seconds[who] = begins[:, None] + flown.seconds.T
        self._altitude[who], self._speed[who] = flown.altitude.T, flown.speed.T
        self._distance[who] = flown.distance.T

    def _keep(self, who: Indices) -> None:
        """The flight of now becomes the one before."""
        columns = (
            self._seconds, self._altitude, self._speed, self._distance,
            self._origin, self._towards, self._thermals, self._thermal_height,
        )  # fmt: skip
        for column in columns:
            column[who + self._size] = column[who]


def _gate(latitude: Floats, longitude: Floats, draw: Floats) -> Floats:
    """A spot near the airport's own point, so that parked aircraft do not stand on one another."""
    return np.stack([latitude, longitude], axis=1) + GATES_WITHIN * (2.0 * draw.T - 1.0)
