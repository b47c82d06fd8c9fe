"""Simulated traffic over France, in the very shape of OpenSky's state vectors.

The state of an aircraft depends on its flight and the time alone, not on how often it was asked, so rounding
never adds up and the same simulation gives the same bytes wherever it runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from vigie.errors import BadSetting
from vigie.feed import Simulation, Tick
from vigie.flights.atmosphere import Floats
from vigie.flights.faults import Faults
from vigie.flights.fleet import COUNTRIES, callsign, fleet, squawk
from vigie.flights.gaps import Gaps
from vigie.flights.performance import performance
from vigie.flights.schedule import Indices, Motion, Schedule
from vigie.spoiling import Message

ALTITUDE_STEP = 7.62  # m: ADS-B sends altitudes in 25 ft
CLIMB_STEP = 0.32512  # m/s: and vertical rates in 64 ft/min
MESSAGES_A_TICK = 200
TICKS_AN_INTERVAL = 10
WITHOUT_CALLSIGN = 0.03
STATE_VECTOR = (
    b'{"time":%d,%b"time_position":%d,"last_contact":%d,"longitude":%.4f,"latitude":%.4f,"baro_altitude":%.2f,'
    b'"on_ground":%b,"velocity":%.2f,"true_track":%.2f,"vertical_rate":%.2f,"sensors":null,"geo_altitude":%b,%b'
)


def simulate(simulation: Simulation) -> Iterator[Tick]:
    """Every message of the fleet, for ever, in the order of time.

    Each aircraft reports once an interval; the aircraft take turns, so that the stream is even.
    """
    _check(simulation)
    return _ticks(simulation)


def _ticks(simulation: Simulation) -> Iterator[Tick]:
    traffic = _Traffic(simulation)
    turns = min(simulation.keys, max(TICKS_AN_INTERVAL, simulation.keys // MESSAGES_A_TICK))
    reporting = [np.arange(turn, simulation.keys, turns) for turn in range(turns)]
    number = 0
    while True:
        at = simulation.start + simulation.interval * number / turns
        yield Tick(at, traffic.report(reporting[number % turns], at))
        number += 1


class _Traffic:
    """A fleet in flight, and the words each aircraft says about itself."""

    def __init__(self, simulation: Simulation) -> None:
        # Streams of their own: faults and gaps change nothing about the flights behind them.
        rngs = [np.random.default_rng([simulation.seed % 2**64, stream]) for stream in range(6)]
        types = performance()
        self._fleet = fleet(types, simulation.keys, rngs[0])
        self._schedule = Schedule(types, self._fleet.kind, simulation.start - 2.0, rngs[1])
        self._category = types.category[self._fleet.kind]
        self._words, self._noise = rngs[2], rngs[3]
        self._faults = Faults(simulation.faults, simulation.interval, rngs[4])
        self._gaps = Gaps(rngs[5])
        self._keys = [icao24.encode() for icao24 in self._fleet.icao24]
        self._heads = [b""] * simulation.keys
        self._tails = [b""] * simulation.keys
        self._introduce(np.arange(simulation.keys))

    def report(self, who: Indices, at: float) -> list[Message]:
        """What these aircraft send at `at`."""
        seen = math.floor(at) - self._fleet.delay[who]
        self._introduce(self._schedule.advance(who, seen.astype(float)))
        kinds = self._faults.choose(len(who))
        seen = seen - self._faults.lateness(kinds).astype(np.int64)
        motion = self._schedule.motion(who, seen.astype(float))
        whole = self._messages(who, at, seen, motion)
        return self._faults.spoil(self._gaps.leave(whole, motion.on_ground), kinds)

    def _messages(self, who: Indices, at: float, seen: Indices, motion: Motion) -> list[Message]:
        now = math.floor(at)
        heads, tails, keys = self._heads, self._tails, self._keys
        rows = zip(who.tolist(), seen.tolist(), *self._measured(who, motion), strict=True)
        return [
            (
                keys[i],
                STATE_VECTOR
                % (
                    now,
                    heads[i],
                    second,
                    second,
                    east,
                    north,
                    altitude,
                    ground,
                    speed,
                    track,
                    climb,
                    above,
                    tails[i],
                ),
            )
            for i, second, east, north, altitude, ground, speed, track, climb, above in rows
        ]

    def _measured(self, who: Indices, motion: Motion) -> list[list[Any]]:
        """The columns of STATE_VECTOR that change, as instruments give them: in steps, with noise."""
        noise = self._noise.random((2, len(who))) - 0.5
        flying = ~motion.on_ground
        geometric = _stepped(motion.altitude + self._fleet.geometric_offset[who], ALTITUDE_STEP)
        return [
            motion.longitude.tolist(),
            motion.latitude.tolist(),
            _stepped(motion.altitude, ALTITUDE_STEP).tolist(),
            [b"true" if ground else b"false" for ground in motion.on_ground.tolist()],
            np.maximum(motion.speed + 0.8 * noise[1] * flying, 0.0).tolist(),
            # Rounded before it is turned back to 0: 359.996 degrees are not 360.00.
            (np.round(motion.track, 2) % 360.0).tolist(),
            _stepped(motion.vertical_rate + 0.6 * noise[0] * flying, CLIMB_STEP).tolist(),
            [b"null" if math.isnan(height) else b"%.2f" % height for height in geometric.tolist()],
        ]

    def _introduce(self, who: Indices) -> None:
        """Callsign and squawk of each one's new flight."""
        for i, draw in zip(who.tolist(), self._words.random((len(who), 3)).tolist(), strict=True):
            country, category = COUNTRIES[self._fleet.country[i]], int(self._category[i])
            name = "null" if draw[0] < WITHOUT_CALLSIGN else f'"{callsign(country, category, draw[1])}"'
            code = f'"{squawk(category, draw[2])}"' if self._fleet.has_squawk[i] else "null"
            head = f'"icao24":"{self._fleet.icao24[i]}","callsign":{name},"origin_country":"{country.name}",'
            source, shown = self._fleet.source[i], self._fleet.category[i]
            tail = f'"squawk":{code},"spi":false,"position_source":{source},"category":{shown}}}'
            self._heads[i], self._tails[i] = head.encode(), tail.encode()


def _stepped(values: Floats, step: float) -> Floats:
    # Adding zero turns -0.0 into 0.0.
    return np.round(values / step) * step + 0.0


def _check(simulation: Simulation) -> None:
    if simulation.interval <= 0:
        raise BadSetting(
            f"an interval of {simulation.interval} seconds is none",
            where="--interval",
            do="Give one above 0, as 10s.",
        )
    if not 0 <= simulation.faults <= 1:
        raise BadSetting(
            f"a share of {simulation.faults} faults is none",
            where="--faults",
            do="Give a share of 0 to 1, as 0.02.",
        )
