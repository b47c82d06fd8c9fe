"""A silver table that a test fills by hand, and a watch over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from tests.detectors.readings import KINDS
from tests.reference.detectors import Reading
from vigie import Pipeline
from vigie.core.alerts.watch import MOST_ROWS, Teller, Watchman
from vigie.core.delta.changes import RECEIVED
from vigie.graph import Detector, Graph
from vigie.instants import micros
from vigie.lake import Lake, rows

INSTANT = pa.timestamp("us", "UTC")
SILVER = pa.schema([("sensor_id", pa.string()), ("measured_at", INSTANT), *KINDS.items()])
WORK = pa.schema([("sensor_id", pa.string()), ("starts_at", INSTANT), ("ends_at", INSTANT), ("what", pa.string())])
WORK_DDL = "sensor_id STRING, starts_at TIMESTAMP, ends_at TIMESTAMP, what STRING"
DDL = "sensor_id STRING, measured_at TIMESTAMP, halves DOUBLE, tenths DOUBLE, is_odd BOOLEAN"


class Killed(BaseException):
    """The process is gone."""


def a_pipeline(rules: Mapping[str, Detector], late_by: str = "10 minutes") -> Graph:
    """A pipeline whose silver table is held to these rules."""
    pipeline = Pipeline("tests")
    raw = pipeline.source("raw", schema=DDL, key="sensor_id")

    @pipeline.silver("readings", reads=raw, schema=DDL, event_time="measured_at", late_by=late_by)
    def readings(rows: Any) -> Any:
        """One reading."""
        return rows

    work = pipeline.source("work_raw", schema=WORK_DDL)

    @pipeline.silver("work", reads=work, schema=WORK_DDL)
    def known_work(rows: Any) -> Any:
        """One span of time in which somebody is at work on a sensor."""
        return rows

    watched = pipeline.watch(readings, key="sensor_id")
    watched.quiet_during(known_work, on="sensor_id")
    for name, rule in rules.items():
        watched.alert(name, rule)
    return pipeline.graph()


class Bench:
    """A lake whose silver table grows as a test says, and its watchman, who may be killed and set up again."""

    def __init__(self, folder: Path, rules: Mapping[str, Detector], schema: pa.Schema = SILVER) -> None:
        self.lake = Lake(folder)
        self.graph = a_pipeline(rules)
        self.silver = self.lake.silver("readings")
        self.schema = schema
        DeltaTable.create(str(self.silver), schema=schema, name="tests")
        DeltaTable.create(str(self.lake.silver("work")), schema=WORK, mode="ignore", name="tests")

    def gains(self, readings: Iterable[Reading], received: datetime | None = None) -> None:
        """A commit; when the newest of its readings was received, if whoever made it notes that."""
        found = [
            {"sensor_id": one.key, "measured_at": datetime.fromtimestamp(one.at / 1e6, UTC), **one.values}
            for one in readings
        ]
        note = {} if received is None else {"userMetadata": json.dumps({RECEIVED: micros(received)})}
        made = CommitProperties(custom_metadata=note)
        rows = pa.Table.from_pylist(found, self.schema)
        write_deltalake(str(self.silver), rows, mode="append", commit_properties=made)

    def work(self, key: str, starts: datetime, ends: datetime, what: str) -> None:
        """Somebody says that he will be at work on a sensor."""
        row = {"sensor_id": key, "starts_at": starts, "ends_at": ends, "what": what}
        write_deltalake(str(self.lake.silver("work")), pa.Table.from_pylist([row], WORK), mode="append")

    def watchman(self, committed: Callable[[str], None] = lambda _: None, most_rows: int = MOST_ROWS) -> Watchman:
        """A watchman as a start of the process makes him."""
        return Watchman(self.lake, self.graph, self.graph.watches[0], Teller(committed), most_rows)

    def alerts(self) -> dict[tuple[str, str, int], tuple[float, float, int | None]]:
        """What the table of alerts holds, by rule, key and moment of opening: value, threshold, moment of closing."""
        found = rows(self.lake.alerts("tests"))
        by_name = {
            (row["rule"], row["key"], micros(row["opened_at"])): (
                row["value"],
                row["threshold"],
                None if row["closed_at"] is None else micros(row["closed_at"]),
            )
            for row in found
        }
        assert len(by_name) == len(found) == len({row["alert_id"] for row in found})
        return by_name

    def events(self) -> list[tuple[str, str]]:
        """The log: what happened, and to which alert."""
        return [(row["event"], row["alert_id"]) for row in rows(self.lake.alert_events("tests"))]
