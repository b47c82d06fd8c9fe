"""Silver of simulated sensors without Spark: the readings that the pipeline would accept, commit by commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec
import pyarrow as pa

from vigie.alerts import INSTANT
from vigie.feed import Simulation
from vigie.sensors.pipeline import COLD_C, DAMP_PCT, WARM_C
from vigie.sensors.simulator import simulate

LATE_BY = timedelta(minutes=10)
AHEAD_BY = timedelta(minutes=1)
READINGS = pa.schema(
    [
        ("sensor_id", pa.string()),
        ("event_timestamp", INSTANT),
        ("temperature_c", pa.float64()),
        ("humidity_pct", pa.float64()),
        ("pressure_hpa", pa.float64()),
        ("location", pa.string()),
        ("is_alert", pa.bool_()),
    ]
)


class Said(msgspec.Struct):
    """A message that is a reading."""

    sensor_id: str
    timestamp: datetime
    temperature: float
    humidity: float
    pressure: float
    location: str

    def is_possible(self, now: datetime) -> bool:
        return (
            -50 <= self.temperature <= 50
            and 0 <= self.humidity <= 100
            and 870 <= self.pressure <= 1085
            and self.timestamp <= now + AHEAD_BY
        )


def commits(simulation: Simulation, hours: float, every_s: float) -> Iterator[pa.Table]:
    """What is accepted of the messages of each span: well-formed, possible, not late and no repeat."""
    decoder = msgspec.json.Decoder(Said)
    newest = datetime.fromtimestamp(simulation.start, UTC)
    known: set[tuple[str, datetime]] = set()
    for number, ticks in groupby(simulate(simulation), lambda tick: int((tick.at - simulation.start) // every_s)):
        if number * every_s >= hours * 3_600:
            return
        late_before = newest - LATE_BY
        known = {each for each in known if each[1] >= late_before}
        rows = []
        for tick in ticks:
            now = datetime.fromtimestamp(tick.at, UTC)
            for said in filter(None, (_decoded(decoder, value) for _, value in tick.messages)):
                one = said.sensor_id, said.timestamp
                if said.is_possible(now) and said.timestamp >= late_before and one not in known:
                    known.add(one)
                    rows.append(said)
        newest = max([newest, *(said.timestamp for said in rows)])
        yield _table(rows)


def _decoded(decoder: msgspec.json.Decoder[Said], value: bytes) -> Said | None:
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _table(rows: list[Said]) -> pa.Table:
    beyond = [not COLD_C <= said.temperature <= WARM_C or said.humidity > DAMP_PCT for said in rows]
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    return pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip([*columns, beyond], READINGS.types, strict=True)],
        schema=READINGS,
    )
