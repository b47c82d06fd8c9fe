"""State vectors for the benchmark: always the same bytes, a quarter of them exact repeats."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

AIRCRAFT = 2_000
SECONDS_BETWEEN = 10  # two reports of one aircraft
START = 1_767_225_600  # 2026-01-01: a topic that is kept is as far from the future on every later day
REPEATED_AMONG = 1_000  # a repeat is of one of the last so many messages, as OpenSky repeats within seconds
COUNTRIES = ("France", "Germany", "United Kingdom", "Spain", "Switzerland", "Ireland", "United States")


def originals(rows: int) -> int:
    """How many of so many messages are no repeats."""
    return rows - rows // 4


def messages(rows: int, seed: int = 7) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each message, in the order of their event times."""
    chance = random.Random(seed)
    recent: deque[tuple[bytes, bytes]] = deque(maxlen=REPEATED_AMONG)
    made = 0
    for number in range(rows):
        if number % 4 == 3:
            yield recent[chance.randrange(len(recent))]
            continue
        message = _message(made, chance)
        made += 1
        recent.append(message)
        yield message


def _message(number: int, chance: random.Random) -> tuple[bytes, bytes]:
    aircraft = number % AIRCRAFT
    at = START + number // AIRCRAFT * SECONDS_BETWEEN + aircraft * SECONDS_BETWEEN // AIRCRAFT
    icao24 = f"{0x380000 + aircraft * 7919:06x}"
    altitude = round(chance.uniform(0, 12_000), 2)
    vector: dict[str, Any] = {
        "time": at,
        "icao24": icao24,
        "callsign": f"AFR{aircraft:<5}",
        "origin_country": COUNTRIES[aircraft % len(COUNTRIES)],
        "time_position": at,
        "last_contact": at,
        "longitude": round(chance.uniform(-5.2, 9.6), 4),
        "latitude": round(chance.uniform(41.3, 51.2), 4),
        "baro_altitude": altitude,
        "on_ground": altitude < 100,
        "velocity": round(chance.uniform(0, 270), 2),
        "true_track": round(chance.uniform(0, 360), 2),
        "vertical_rate": round(chance.uniform(-8, 8), 2),
        "sensors": None,
        "geo_altitude": round(altitude + 80, 2),
        "squawk": "1000",
        "spi": False,
        "position_source": 0,
        "category": aircraft % 9,
    }
    return icao24.encode(), msgspec.json.encode(vector)
