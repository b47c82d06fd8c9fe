"""What the programs of frameworks share: a message as a report, and tables of Delta, for which few have a sink.

It needs msgspec, pyarrow and deltalake, and nothing of Vigie.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake

from bench.flights.schemas import SCHEMAS
from bench.flights.tables import BATCH, SILVER_COLUMNS

# Messages differ, so a dictionary of them and their bounds cost time and help nobody.
PLAIN = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
PROPERTIES = WriterProperties(compression="ZSTD", compression_level=1, column_properties={"value": PLAIN})
LEVEL_MS, TAKEOFF_BELOW_M = 2.5, 1_000.0

Row = tuple[Any, ...]


class Vector(msgspec.Struct):
    """A state vector, as far as a report needs it; what is missing or has another type is refused."""

    icao24: str
    time_position: int
    callsign: str | None
    origin_country: str | None
    longitude: float | None
    latitude: float | None
    baro_altitude: float | None
    on_ground: bool
    velocity: float | None
    true_track: float | None
    vertical_rate: float | None
    squawk: str | None
    category: int | None


DECODER = msgspec.json.Decoder(Vector)


def report_of(value: bytes) -> Row | None:
    """A message as a row of silver, in its order; nothing where it is no state vector, or has no position."""
    try:
        said = DECODER.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if said.latitude is None or said.longitude is None:
        return None
    return (
        said.icao24,
        said.time_position,
        said.time_position * 1_000_000,
        None if said.callsign is None else said.callsign.strip(" "),
        said.origin_country,
        said.latitude,
        said.longitude,
        said.baro_altitude,
        None if said.velocity is None else said.velocity * 3.6,
        said.vertical_rate,
        said.true_track,
        said.on_ground,
        said.category,
        said.squawk,
        _phase(said),
        _kind(said.category),
    )


def _phase(said: Vector) -> str:
    rate = said.vertical_rate or 0.0
    if said.on_ground:
        return "GROUND"
    if rate > LEVEL_MS:
        return "TAKEOFF" if said.baro_altitude is not None and said.baro_altitude < TAKEOFF_BELOW_M else "CLIMB"
    return "DESCENT" if rate < -LEVEL_MS else "CRUISE"


def _kind(category: int | None) -> str | None:
    if category is None or not 2 <= category <= 20:
        return None
    return "Light" if category <= 3 else "Heavy" if category <= 6 else "Other"


ICAO24, TIME_POSITION, ALTITUDE, VELOCITY, PHASE = (
    SILVER_COLUMNS.index(name)
    for name in ("icao24", "time_position", "altitude_meters", "velocity_kmh", "flight_phase")
)


def window_of(start_s: int, phase: str, aircraft: set[str], altitudes: list[float], velocities: list[float]) -> Row:
    """A row of gold, in its order."""
    bounds = start_s * 1_000_000, (start_s + 60) * 1_000_000
    return *bounds, phase, len(aircraft), _mean(altitudes), _mean(velocities)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def now_us() -> int:
    return int(datetime.now(UTC).timestamp() * 1e6)


class Appended:
    """A table that rows are appended to, so many in a commit."""

    def __init__(self, folder: Path, table: str, at_once: int = BATCH) -> None:
        self._path, self._schema, self._at_once = str(folder / table), SCHEMAS[table], at_once
        DeltaTable.create(self._path, self._schema, mode="ignore")
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        self._rows += rows
        if len(self._rows) >= self._at_once:
            self.commit()

    def commit(self) -> None:
        """Write what waits."""
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        self._rows = []
        arrays = [pa.array(column, kind) for column, kind in zip(columns, self._schema.types, strict=True)]
        rows = pa.Table.from_arrays(arrays, schema=self._schema)
        write_deltalake(self._path, rows, mode="append", writer_properties=PROPERTIES)
