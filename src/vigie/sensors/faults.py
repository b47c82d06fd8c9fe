"""Which sensor has which fault when, and the labels that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vigie.feed import Simulation
from vigie.sensors.kinds import KINDS, Course, Kind, Passage
from vigie.sensors.readings import Reading, Stamps
from vigie.spoiling import Held, Message

RECOVERY_S = 3_600.0  # a sensor is well for so long after a fault, unless the share leaves no time for it


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault that a sensor has now."""

    course: Course
    readings: int


class Faults:
    """Befall sensors so that a share of all readings is touched: every kind in turn, so that there are as many
    faults of each.

    A silence touches the readings that are missing. Some faults last for more than an hour, so it is over hours
    that the share is what was asked. The label of a fault is given as it begins, before its first message.
    """

    def __init__(
        self,
        simulation: Simulation,
        stamps: Stamps,
        rng: np.random.Generator,
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self._share, self._interval = simulation.faults, simulation.interval
        self._label, self._stamps, self._rng = simulation.label, stamps, rng
        self._kinds = list(kinds.items())
        self._begun = 0
        self._episodes: dict[int, Episode] = {}
        # How many more readings each sensor is ill for, and then how many it is well for whatever is drawn.
        self._ill = np.zeros(simulation.keys, np.int64)
        self._well = np.zeros(simulation.keys, np.int64)
        self._held = Held()
        self._recovery, self._chance = self._pace()

    def _pace(self) -> tuple[int, float]:
        """For how many readings a sensor is well after a fault, and the chance of the next with each reading then."""
        if not self._share:
            return 0, 0.0
        length = sum(kind.usual_length(self._interval) for _, kind in self._kinds) / len(self._kinds)
        between = length * (1 - self._share) / self._share
        recovery = int(min(RECOVERY_S / self._interval, between / 2))
        return recovery, 1 / (1 + between - recovery)

    def spoilt(
        self, messages: list[Message], who: slice, at: float, reading: Callable[[int], Reading]
    ) -> list[Message]:
        """What is sent at a moment instead of the messages of these sensors; `reading` is the one behind a message,
        by its position."""
        if not self._share:
            return messages
        sensors = range(len(self._ill))[who]
        sent: list[Message] = []
        upto = 0
        for position in self._touched(who):
            sent += messages[upto:position]
            sent += self._becomes(sensors[position], reading(position), at)
            upto = position + 1
        return sent + messages[upto:] + self._held.due(at)

    def _touched(self, who: slice) -> list[int]:
        """The positions of those that have a fault, or get one now."""
        ill, well = self._ill[who], self._well[who]
        befallen = (ill == 0) & (well == 0) & (self._rng.random(len(ill)) < self._chance)
        well -= (ill == 0) & (well > 0)
        return [int(position) for position in np.flatnonzero(befallen | (ill > 0))]

    def _becomes(self, sensor: int, reading: Reading, at: float) -> list[Message]:
        if not self._ill[sensor]:
            self._begin(sensor, reading, at)
        episode = self._episodes[sensor]
        left = int(self._ill[sensor])
        done = episode.readings - left
        passage = Passage((done + 1) * self._interval, left * self._interval)
        self._ill[sensor] -= 1
        if left == 1:
            self._well[sensor] = self._recovery
            del self._episodes[sensor]
        sent: list[Message] = []
        for outcome in episode.course.becomes(reading, passage):
            message = (reading.sensor_id, outcome.broken(self._stamps.message(outcome.reading)))
            if outcome.delay:
                self._held.put(at + outcome.delay, message)
            else:
                sent.append(message)
        return sent

    def _begin(self, sensor: int, first: Reading, at: float) -> None:
        name, kind = self._kinds[self._begun % len(self._kinds)]
        self._begun += 1
        readings = kind.length(self._rng, self._interval)
        course = kind.begin(self._rng, first)
        self._episodes[sensor] = Episode(course, readings)
        self._ill[sensor] = readings
        self._label(
            {
                "kind": name,
                "sensor_id": first.sensor_id.decode(),
                "from": self._stamps.of(at).decode(),
                "to": self._stamps.of(at + (readings - 1) * self._interval).decode(),
                "location": first.location.decode(),
                **course.says,
            }
        )
