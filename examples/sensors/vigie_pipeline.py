"""The sensors pipeline as Vigie runs it, and where its tables and alerts go: the screen, files, PostgreSQL.

    vigie run vigie_pipeline.py --from kafka://localhost:9092/iot-sensors
    vigie run vigie_pipeline.py --from tcp://localhost:9999
    vigie run vigie_pipeline.py --from inbox:inbox --once

What is read, which rows are good, which windows and alerts there are, and that alerts go to Kafka, to a webhook and to
people too, is in src/vigie/sensors/pipeline.py. This file adds where else they go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from vigie.alerts import Event, table_of
from vigie.contracts import Surroundings
from vigie.sensors.pipeline import alerts_by_type, location_extremes, readings_5m, sensor_readings, sensors, watched
from vigie.sinks.console import Console
from vigie.sinks.letters import key
from vigie.sinks.parquet import Parquet
from vigie.sinks.postgres import Postgres

OUTPUT = Path(__file__).parent / "output/vigie"


@dataclass(frozen=True)
class AlertFiles:
    """A sink for alerts of one's own: what opened and closed, as Parquet. The same events again are the same file."""

    folder: Path
    name: str = "files"
    module: str = ""
    extra: str = ""
    at_once: int = 1_000

    def missing(self, _around: Surroundings) -> str:
        return ""

    def opened(self, _around: Surroundings) -> AlertFiles:
        return self

    def send(self, events: Sequence[Event]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / ".unfinished"
        pq.write_table(table_of(events), unfinished)
        unfinished.replace(self.folder / f"{events[0].at:%Y%m%dT%H%M%S}-{key(events[0])}.parquet")

    def close(self) -> None:
        """Nothing is held open."""


sensors.deliver(alerts_by_type, to=Console(rows=10))
sensors.deliver(sensor_readings, to=Parquet(OUTPUT / "iot-data", every="10 seconds"))
sensors.deliver(readings_5m, to=Parquet(OUTPUT / "aggregates/readings_5m"))
sensors.deliver(location_extremes, to=Parquet(OUTPUT / "aggregates/location_extremes"))
sensors.deliver(alerts_by_type, to=Parquet(OUTPUT / "aggregates/alerts_by_type"))
sensors.deliver(readings_5m, to=Postgres("readings_5m", id=("sensor_id", "window_start")))  # with VIGIE_POSTGRES
watched.deliver(to=AlertFiles(OUTPUT / "alerts"))
