"""Simulated sensors in offices: what each says, and now and then a fault that is labelled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.feed import Simulation, Tick
from vigie.sensors.climate import Climate
from vigie.sensors.faults import Faults
from vigie.sensors.readings import READING, Reading, Stamps
from vigie.spoiling import Message

MOST_SENSORS = 100_000
MESSAGES_A_TICK = 200
TICKS_AN_INTERVAL = 10


def simulate(simulation: Simulation) -> Iterator[Tick]:
    """Every message of the sensors, for ever, in the order of time but for what faults delay.

    Each sensor measures once an interval; the sensors take turns, so that the stream is even.
    """
    simulation.check("sensors", MOST_SENSORS)
    return _ticks(simulation)


def _ticks(simulation: Simulation) -> Iterator[Tick]:
    sensors = _Sensors(simulation)
    turns = min(simulation.keys, max(TICKS_AN_INTERVAL, simulation.keys // MESSAGES_A_TICK))
    number = 0
    while True:
        at = simulation.start + simulation.interval * number / turns
        yield Tick(at, sensors.report(slice(number % turns, simulation.keys, turns), at))
        number += 1


class _Sensors:
    """All sensors, and what goes wrong with them."""

    def __init__(self, simulation: Simulation) -> None:
        # Streams of their own: faults change nothing about the weather behind them.
        rngs = [np.random.default_rng([simulation.seed % 2**64, stream]) for stream in range(3)]
        self._climate = Climate(simulation.keys, simulation.start, rngs[0], rngs[1])
        self._ids = [f"SENSOR_{number:03}".encode() for number in range(1, simulation.keys + 1)]
        self._stamps = Stamps(to_the_millisecond=simulation.interval < 1)
        self._faults = Faults(simulation, self._stamps, rngs[2])

    def report(self, who: slice, at: float) -> list[Message]:
        """What these sensors send at `at`."""
        ids, locations = self._ids[who], self._climate.locations[who]
        temperatures, humidities, pressures = self._climate.at(at, who)
        stamp = self._stamps.of(at)
        messages: list[Message] = [
            (sensor_id, READING % (sensor_id, stamp, temperature, humidity, pressure, location))
            for sensor_id, temperature, humidity, pressure, location in zip(
                ids, temperatures, humidities, pressures, locations, strict=True
            )
        ]

        def reading(position: int) -> Reading:
            return Reading(
                ids[position],
                at,
                temperatures[position],
                humidities[position],
                pressures[position],
                locations[position],
            )

        return self._faults.spoilt(messages, who, at, reading)
