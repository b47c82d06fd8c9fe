"""What a sensor says: one reading, as the bytes of its message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

READING = (
    b'{"sensor_id": "%b", "timestamp": "%b", "temperature": %.2f, "humidity": %.1f, "pressure": %.2f, "location": "%b"}'
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading, as a fault finds it."""

    sensor_id: bytes
    at: float  # epoch seconds
    temperature: float  # °C
    humidity: float  # %
    pressure: float  # hPa
    location: bytes


@dataclass(frozen=True, slots=True)
class Stamps:
    """How instants are written: to the second, or to the millisecond where two readings of a sensor may share one."""

    to_the_millisecond: bool

    def of(self, at: float) -> bytes:
        # To the nearest millisecond first: an instant that was added up may lie just under its second.
        millis = round(at * 1_000)
        text = f"{datetime.fromtimestamp(millis // 1_000, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{text}.{millis % 1_000:03}Z".encode() if self.to_the_millisecond else f"{text}Z".encode()

    def message(self, reading: Reading) -> bytes:
        return READING % (
            reading.sensor_id,
            self.of(reading.at),
            reading.temperature,
            reading.humidity,
            reading.pressure,
            reading.location,
        )
