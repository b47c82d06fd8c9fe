"""Messages spoilt on purpose, in the ways that real feeds spoil them."""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.flights.atmosphere import Floats
from vigie.spoiling import (
    Message,
    Spoiler,
    changed,
    empty,
    single_quotes,
    trailing_text,
    truncated,
    two_objects,
    with_bad_utf8,
    without_number,
)

SOUND = -1
REMEMBERED = 2_000  # messages that may come again


def not_a_number(message: bytes, draw: float) -> bytes:
    return without_number(message, (b"velocity", b"baro_altitude", b"latitude")[int(draw * 3)])


def wrong_type(message: bytes, draw: float) -> bytes:
    field, value = (
        ("latitude", "north"),
        ("time_position", "yesterday"),
        ("velocity", [210.5]),
        ("on_ground", "no"),
        ("category", {"light": True}),
    )[int(draw * 5)]
    return changed(message, {field: value})


def invalid_utf8(message: bytes, draw: float) -> bytes:
    return with_bad_utf8(message, b'"origin_country":"', draw)


def no_position(message: bytes, _: float) -> bytes:
    return changed(message, {"latitude": None, "longitude": None})


def no_time(message: bytes, _: float) -> bytes:
    return changed(message, {"time_position": None})


def impossible_altitude(message: bytes, draw: float) -> bytes:
    return changed(message, {"baro_altitude": round(15_000 + 15_000 * draw, 2)})


def impossible_speed(message: bytes, draw: float) -> bytes:
    return changed(message, {"velocity": round(300 + 400 * draw, 2)})


def from_the_future(message: bytes, draw: float) -> bytes:
    ahead = 600 + int(draw * 12 * 3_600)
    state = msgspec.json.decode(message)
    return changed(message, {name: state[name] + ahead for name in ("time_position", "last_contact")})


SPOILERS: tuple[Spoiler, ...] = (
    truncated,
    single_quotes,
    not_a_number,
    trailing_text,
    two_objects,
    empty,
    wrong_type,
    invalid_utf8,
    no_position,
    no_time,
    impossible_altitude,
    impossible_speed,
    from_the_future,
)
REPEATED = len(SPOILERS)
LATE = REPEATED + 1
KINDS = LATE + 1
LATE_FROM, LATE_TO = 60.0, 1_200.0  # s


class Faults:
    """Spoils a share of the messages: every kind in turn, so that each is met as often as the others."""

    def __init__(self, share: float, interval: float, rng: np.random.Generator) -> None:
        self._share, self._interval, self._rng = share, interval, rng
        self._next = 0
        self._sound: deque[Message] = deque(maxlen=REMEMBERED)

    def choose(self, messages: int) -> NDArray[np.int64]:
        """The kind of fault of each of the next messages, or SOUND."""
        kinds = np.full(messages, SOUND)
        if self._share:
            spoilt = np.flatnonzero(self._rng.random(messages) < self._share)
            kinds[spoilt] = (self._next + np.arange(len(spoilt))) % KINDS
            self._next += len(spoilt)
        return kinds

    def lateness(self, kinds: NDArray[np.int64]) -> Floats:
        """Seconds by which each position is old: 0 for all that are not LATE."""
        seconds = np.zeros(len(kinds))
        late = np.flatnonzero(kinds == LATE)
        if len(late):
            drawn = LATE_FROM + (LATE_TO - LATE_FROM) * self._rng.random(len(late))
            if self._interval >= 2:
                # Between two reports that were sent in time, or it would be a mere repeat of one.
                drawn = (np.floor(drawn / self._interval) + 0.5) * self._interval
            seconds[late] = np.clip(drawn, LATE_FROM, LATE_TO).round()
        return seconds

    def spoil(self, messages: list[Message], kinds: NDArray[np.int64]) -> list[Message]:
        """The messages as they are sent, each in its place."""
        if not self._share:
            return messages
        sent = []
        for message, kind in zip(messages, kinds.tolist(), strict=True):
            sent.append(self._spoilt(message, kind))
            if kind == SOUND:
                self._sound.append(message)
        return sent

    def _spoilt(self, message: Message, kind: int) -> Message:
        if kind in (SOUND, LATE):
            return message
        draw = float(self._rng.random())
        if kind == REPEATED:
            return self._sound[int(draw * len(self._sound))] if self._sound else message
        key, value = message
        return key, SPOILERS[kind](value, draw)
