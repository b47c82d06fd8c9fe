"""Messages spoilt on purpose, in the ways that real feeds spoil them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.flights.atmosphere import Floats

Message = tuple[bytes | None, bytes]  # key and value
# A spoiler gets a whole message and a draw of 0..1, and never puts a line end into it.
Spoiler = Callable[[bytes, float], bytes]

SOUND = -1
REMEMBERED = 2_000  # messages that may come again


def truncated(message: bytes, draw: float) -> bytes:
    return message[: 1 + int(draw * (len(message) - 1))]


def single_quotes(message: bytes, _: float) -> bytes:
    return message.replace(b'"', b"'")


def not_a_number(message: bytes, draw: float) -> bytes:
    field = (b"velocity", b"baro_altitude", b"latitude")[int(draw * 3)]
    return re.sub(rb'"%s":[^,]+' % field, b'"%s":NaN' % field, message)


def trailing_text(message: bytes, draw: float) -> bytes:
    return message + (b" ok", b"}", b";", b",")[int(draw * 4)]


def two_objects(message: bytes, draw: float) -> bytes:
    return message + (b"", b" ")[int(draw * 2)] + message


def empty(_: bytes, draw: float) -> bytes:
    return (b"", b" ")[int(draw * 2)]


def wrong_type(message: bytes, draw: float) -> bytes:
    field, value = (
        ("latitude", "north"),
        ("time_position", "yesterday"),
        ("velocity", [210.5]),
        ("on_ground", "no"),
        ("category", {"light": True}),
    )[int(draw * 5)]
    return _changed(message, {field: value})


def invalid_utf8(message: bytes, draw: float) -> bytes:
    cut = message.index(b'"origin_country":"') + len(b'"origin_country":"')
    return message[:cut] + (b"\xff\xfe", b"C\xf4te ", b"\xed\xa0\x80")[int(draw * 3)] + message[cut:]


def no_position(message: bytes, _: float) -> bytes:
    return _changed(message, {"latitude": None, "longitude": None})


def no_time(message: bytes, _: float) -> bytes:
    return _changed(message, {"time_position": None})


def impossible_altitude(message: bytes, draw: float) -> bytes:
    return _changed(message, {"baro_altitude": round(15_000 + 15_000 * draw, 2)})


def impossible_speed(message: bytes, draw: float) -> bytes:
    return _changed(message, {"velocity": round(300 + 400 * draw, 2)})


def from_the_future(message: bytes, draw: float) -> bytes:
    ahead = 600 + int(draw * 12 * 3_600)
    state = msgspec.json.decode(message)
    return _changed(message, {name: state[name] + ahead for name in ("time_position", "last_contact")})


def _changed(message: bytes, fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(message), **fields})


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
