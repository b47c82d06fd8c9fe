"""Sensors as they ship, less the readings beside weather and maintenance, of which there are no messages here.

Run as `python -m bench.sensors.pipeline SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.looped import once
from bench.part import part_of
from vigie.sensors import pipeline as shipped

bench = part_of(shipped.sensors, shipped.iot_sensors.name)
_watched = bench.watch(shipped.sensor_readings, key="sensor_id")
for _rule in shipped.sensors.graph().watches[0].rules:
    _watched.alert(_rule.name, _rule.detector, severity=_rule.severity)


if __name__ == "__main__":
    once(bench, shipped.iot_sensors.name, sys.argv[1], sys.argv[2], Path(sys.argv[3]))
