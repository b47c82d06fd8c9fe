"""What can be wrong with a sensor, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from vigie.sensors.readings import Reading
from vigie.spoiling import (
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

WARMING_S = 120.0  # a room that gets hot, cold or damp takes as long
Draw = np.random.Generator


class Sent(NamedTuple):
    """What goes out in the place of a reading."""

    reading: Reading
    delay: float = 0.0  # s
    broken: Callable[[bytes], bytes] = bytes


class Passage(NamedTuple):
    """Where in a fault a reading stands."""

    since: float  # s from the last sound reading
    left: float  # s to the next sound one


@dataclass(frozen=True, slots=True)
class Course:
    """One fault as it was drawn: what becomes of each reading, and what a person is told."""

    becomes: Callable[[Reading, Passage], Sequence[Sent]]
    says: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which a sensor can be wrong, and for how long: minutes, or else so many readings.

    `begin` gets the first reading as it would have been.
    """

    begin: Callable[[Draw, Reading], Course]
    minutes: tuple[float, float] | None = None
    readings: tuple[int, int] = (1, 1)

    def length(self, draw: Draw, interval: float) -> int:
        """How many readings it lasts this time."""
        if self.minutes is None:
            return int(draw.integers(*self.readings, endpoint=True))
        return max(1, round(draw.uniform(*self.minutes) * 60 / interval))

    def usual_length(self, interval: float) -> float:
        return sum(self.readings) / 2 if self.minutes is None else max(1.0, sum(self.minutes) * 30 / interval)


def spike(draw: Draw, _: Reading) -> Course:
    """One or two readings far off."""
    return _warmer(_either_way(draw, 6.0, 15.0))


def change(draw: Draw, _: Reading) -> Course:
    """A step up or down that stays for a while."""
    return _warmer(_either_way(draw, 6.0, 12.0))


def rise(draw: Draw, _: Reading) -> Course:
    """Slowly warmer and warmer: 0.1 to 0.3 °C from one reading to the next, when they are 30 s apart."""
    a_minute = draw.uniform(0.2, 0.6)

    def becomes(reading: Reading, passage: Passage) -> list[Sent]:
        return [Sent(replace(reading, temperature=reading.temperature + a_minute * passage.since / 60))]

    return Course(becomes, {"c_a_minute": round(a_minute, 3)})


def stuck(_: Draw, first: Reading) -> Course:
    """The first reading again and again."""

    def becomes(reading: Reading, _: Passage) -> list[Sent]:
        return [Sent(replace(first, at=reading.at))]

    return Course(becomes, {"temperature": round(first.temperature, 2)})


def silent(_: Draw, __: Reading) -> Course:
    """Nothing at all."""
    return Course(lambda _, __: (), {})


def out_of_range(draw: Draw, first: Reading) -> Course:
    """A value that no office has, or one in a wrong unit."""
    field, value, why = _one_of(
        draw,
        (
            ("temperature", 150.0, "the end of the scale"),
            ("temperature", -127.0, "what a probe says that is not connected"),
            ("temperature", first.temperature * 1.8 + 32, "degrees Fahrenheit"),
            ("humidity", 130.0, "the end of the scale"),
            ("humidity", -5.0, "below nothing"),
            ("pressure", first.pressure * 100, "pascals"),
            ("pressure", first.pressure * 0.750062, "millimetres of mercury"),
        ),
    )

    def becomes(reading: Reading, _: Passage) -> list[Sent]:
        return [Sent(replace(reading, **{field: value}))]

    return Course(becomes, {"field": field, "value": round(value, 2), "why": why})


def malformed(draw: Draw, _: Reading) -> Course:
    """A message that is no reading."""
    how, share = _one_of(draw, SPOILERS), draw.random()

    def becomes(reading: Reading, _: Passage) -> list[Sent]:
        return [Sent(reading, broken=lambda message: how(message, share))]

    return Course(becomes, {"how": how.__name__})


def level(field: str, lowest: float, highest: float, draw: Draw, _: Reading) -> Course:
    """A field that goes to a level within two minutes, stays there, and comes back as fast."""
    there = draw.uniform(lowest, highest)

    def becomes(reading: Reading, passage: Passage) -> list[Sent]:
        share = min(1.0, passage.since / WARMING_S, passage.left / WARMING_S)
        usual = getattr(reading, field)
        return [Sent(replace(reading, **{field: usual + share * (there - usual)}))]

    return Course(becomes, {"field": field, "level": round(there, 2)})


def repeat(draw: Draw, _: Reading) -> Course:
    """The same message again: at once, or up to ten minutes later."""
    delay = float(_one_of(draw, (0.0, draw.uniform(1, 600))))
    return Course(lambda reading, _: (Sent(reading), Sent(reading, delay)), {"again_after_s": round(delay, 1)})


def late(draw: Draw, _: Reading) -> Course:
    """A reading that arrives 1 to 20 minutes after it was made."""
    delay = draw.uniform(60, 1_200)
    return Course(lambda reading, _: (Sent(reading, delay),), {"late_s": round(delay, 1)})


def clock(draw: Draw, _: Reading) -> Course:
    """A clock that is hours ahead or behind; `from` and `to` of its label are true."""
    ahead = round(_either_way(draw, 1.0, 12.0) * 3_600)

    def becomes(reading: Reading, _: Passage) -> list[Sent]:
        return [Sent(replace(reading, at=reading.at + ahead))]

    return Course(becomes, {"ahead_s": ahead})


def location(draw: Draw, _: Reading) -> Course:
    """A sensor that does not know where it is."""
    said: bytes = _one_of(draw, (b"", b"unknown", b"?", b"Warehouse 9"))
    return Course(lambda reading, _: (Sent(replace(reading, location=said)),), {"says": said.decode()})


def not_a_number(message: bytes, draw: float) -> bytes:
    return without_number(message, (b"temperature", b"humidity", b"pressure")[int(draw * 3)])


def wrong_type(message: bytes, draw: float) -> bytes:
    field, value = (
        ("temperature", "22.5"),
        ("temperature", "warm"),
        ("temperature", [22.5]),
        ("humidity", {"percent": 65}),
        ("pressure", True),
        ("timestamp", "yesterday"),
        ("sensor_id", None),
    )[int(draw * 7)]
    return changed(message, {field: value})


def invalid_utf8(message: bytes, draw: float) -> bytes:
    return with_bad_utf8(message, b'"location": "', draw)


SPOILERS: tuple[Spoiler, ...] = (
    truncated,
    single_quotes,
    trailing_text,
    two_objects,
    empty,
    not_a_number,
    wrong_type,
    invalid_utf8,
)
KINDS: Mapping[str, Kind] = {
    "spike": Kind(spike, readings=(1, 2)),
    "change": Kind(change, minutes=(5, 20)),
    "rise": Kind(rise, minutes=(20, 40)),
    "stuck": Kind(stuck, minutes=(35, 90)),
    "silent": Kind(silent, minutes=(12, 60)),
    "out_of_range": Kind(out_of_range),
    "malformed": Kind(malformed),
    "hot": Kind(partial(level, "temperature", 31.5, 37.0), minutes=(8, 20)),
    "cold": Kind(partial(level, "temperature", 3.0, 8.5), minutes=(8, 20)),
    "damp": Kind(partial(level, "humidity", 84.0, 96.0), minutes=(8, 20)),
    "repeat": Kind(repeat),
    "late": Kind(late),
    "clock": Kind(clock, minutes=(2, 15)),
    "location": Kind(location, minutes=(2, 15)),
}


def _warmer(by: float) -> Course:
    def becomes(reading: Reading, _: Passage) -> list[Sent]:
        return [Sent(replace(reading, temperature=reading.temperature + by))]

    return Course(becomes, {"by_c": round(by, 2)})


def _either_way(draw: Draw, least: float, most: float) -> float:
    return float(draw.uniform(least, most) * (1 if draw.random() < 0.5 else -1))


def _one_of(draw: Draw, those: Sequence[Any]) -> Any:
    return those[int(draw.integers(len(those)))]
