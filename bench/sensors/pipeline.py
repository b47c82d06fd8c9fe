"""Sensors as they ship, less the readings beside weather and maintenance, of which there are no messages here.

Run as `python -m bench.sensors.pipeline SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vigie import Pipeline
from vigie.address import Address, Kafka
from vigie.engine.run import Request, run
from vigie.graph import Silver
from vigie.lake import Lake
from vigie.sensors import pipeline as shipped
from vigie.settings import read_settings

bench = Pipeline("bench")
iot_sensors = bench.source("iot_sensors", schema=shipped.READING, key="sensor_id")


def _silver() -> Silver:
    found = shipped.sensors.graph().find(shipped.sensor_readings)
    assert isinstance(found, Silver)
    return found


_shipped = _silver()
bench.silver(
    _shipped.name,
    reads=iot_sensors,
    schema=_shipped.schema,
    event_time=_shipped.event_time,
    late_by=_shipped.late_by,
    unique=_shipped.unique,
    expect=_shipped.expect,
)(shipped.sensor_readings)
for _gold in shipped.sensors.graph().gold:
    if not _gold.beside:
        bench.gold(
            _gold.name,
            reads=shipped.sensor_readings,
            late_by=_gold.late_by,
            looks_back=_gold.looks_back,
            latest_by=_gold.latest_by,
        )(_gold.function)
_watched = bench.watch(shipped.sensor_readings, key="sensor_id")
for _rule in shipped.sensors.graph().watches[0].rules:
    _watched.alert(_rule.name, _rule.detector, severity=_rule.severity)


def main(servers: str, topic: str, folder: Path) -> None:
    sources: dict[str, Address] = {iot_sensors.name: Kafka(servers, topic)}
    run(bench, Request(Lake(folder), sources, once=True), read_settings())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
