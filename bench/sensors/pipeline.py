"""Sensors as they ship, less the readings beside weather and maintenance, of which there are no messages here.

Run as `python -m bench.sensors.pipeline SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.began import begin
from bench.part import part_of
from vigie.address import Kafka
from vigie.core.request import Request
from vigie.engine.run import run
from vigie.engine.session import start
from vigie.lake import Lake
from vigie.sensors import pipeline as shipped
from vigie.settings import read_settings

bench = part_of(shipped.sensors, shipped.iot_sensors.name)
_watched = bench.watch(shipped.sensor_readings, key="sensor_id")
for _rule in shipped.sensors.graph().watches[0].rules:
    _watched.alert(_rule.name, _rule.detector, severity=_rule.severity)


def main(servers: str, topic: str, folder: Path) -> None:
    request = Request(Lake(folder), {shipped.iot_sensors.name: Kafka(servers, topic)}, once=True)
    settings = read_settings()
    start(settings, "bench")  # which the run then finds: starting Java and Spark is in nobody's seconds
    begin(folder)
    run(bench, request, settings)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
