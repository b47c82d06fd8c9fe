"""Messages that are spoilt, come again, or come late: every kind in turn, each told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vigie.activity.moments import Stamps
from vigie.feed import Simulation
from vigie.spoiling import Held, Message, Spoiler

REPEAT, LATE = "repeat", "late"
AGAIN_AFTER_S = (0.0, 600.0)
LATE_BY_S = (60.0, 1_200.0)


class Faults:
    """Befall a share of the messages, and of those each kind as often as the others."""

    def __init__(self, simulation: Simulation, kinds: Mapping[str, Spoiler], rng: np.random.Generator) -> None:
        self._share, self._label, self._rng = simulation.faults, simulation.label, rng
        self._spoilers = kinds
        self._kinds = [*kinds, REPEAT, LATE]
        self._begun = 0
        self._held = Held()
        self._stamps = Stamps()

    def spoilt(self, messages: list[Message], at: float) -> list[Message]:
        """What is sent at a moment instead of these messages."""
        if not self._share:
            return messages
        sent: list[Message] = []
        upto = 0
        for position in np.flatnonzero(self._rng.random(len(messages)) < self._share).tolist():
            sent += messages[upto:position]
            sent += self._becomes(messages[position], at)
            upto = position + 1
        return sent + messages[upto:] + self._held.due(at)

    def _becomes(self, message: Message, at: float) -> list[Message]:
        kind = self._kinds[self._begun % len(self._kinds)]
        self._begun += 1
        draw = float(self._rng.random())
        key, value = message
        stamp = self._stamps.of(at).decode()
        label = {"kind": kind, "key": (key or b"").decode(), "from": stamp, "to": stamp}
        if kind in self._spoilers:
            self._label(label)
            return [(key, self._spoilers[kind](value, draw))]
        least, most = AGAIN_AFTER_S if kind == REPEAT else LATE_BY_S
        delay = least + draw * (most - least)
        self._label({**label, "delay_s": round(delay, 1)})
        self._held.put(at + delay, message)
        return [message] if kind == REPEAT else []
