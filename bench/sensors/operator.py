"""All rules in one stateful operator of Spark, by hand: `transformWithStateInPandas`, a call a sensor in each batch.

`applyInPandasWithState`, its older form, was to be tried too: PySpark 4.1.1 with pyarrow 26 failed in its serializer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql.streaming import StatefulProcessor

from bench.sensors.rules import READING, REMEMBERED, Readings, turns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming import StatefulProcessorHandle

ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"  # this operator takes no other
EVENTS = "sensor_id STRING, rule STRING, event STRING, at TIMESTAMP, value DOUBLE, threshold DOUBLE"


def alerts(readings: DataFrame) -> DataFrame:
    """What opens and closes, from the stream of silver."""
    readings.sparkSession.conf.set("spark.sql.streaming.stateStore.providerClass", ROCKSDB)
    micros = F.unix_micros("event_timestamp").alias("at")
    rows = readings.select("sensor_id", micros, "temperature_c", "humidity_pct", "is_alert")
    return rows.groupBy("sensor_id").transformWithStateInPandas(Rules(), EVENTS, "Append", "None")


class Rules(StatefulProcessor):
    """The last hour of a sensor, and what fires at it."""

    def init(self, handle: StatefulProcessorHandle) -> None:
        self._state = handle.getValueState("sensor", "past BINARY, firing ARRAY<STRING>")

    def handleInputRows(self, key: Any, rows: Iterator[pd.DataFrame], timerValues: Any) -> Iterator[pd.DataFrame]:  # noqa: ARG002, N803
        past, before = self._state.get() or (b"", [])
        fresh = np.concatenate([_readings(part) for part in rows])
        fresh.sort(order="at")
        readings, firing = np.concatenate([np.frombuffer(past, READING), fresh]), set(before)
        found = [
            (key[0], turn.rule, "opened" if turn.fires else "closed", turn.at, turn.value, turn.threshold)
            for turn in turns(readings, len(fresh), firing)
        ]
        recent = readings[readings["at"] >= readings["at"][-1] - REMEMBERED]
        self._state.update((recent.tobytes(), sorted(firing)))
        if found:
            events = pd.DataFrame(found, columns=["sensor_id", "rule", "event", "at", "value", "threshold"])
            yield events.assign(at=pd.to_datetime(events["at"], unit="us", utc=True))

    def close(self) -> None:
        pass


def _readings(rows: pd.DataFrame) -> Readings:
    readings = np.empty(len(rows), READING)
    for name in READING.names or ():
        readings[name] = rows[name].to_numpy()
    return readings
