"""What a Spark job of one's own takes from a declared pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from vigie.detectors.judging import changes
from vigie.errors import RequestError
from vigie.sensors.pipeline import sensor_readings, sensors, watched
from vigie.spark_job import judged, keep_to
from vigie.spark_job_alerts import CLOSED, OPENED, Known, Rules, fallen_silent, judgement_of
from vigie.spark_job_alerts import judged as judged_by_rules

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WATCH = watched.declared()
NAMES = tuple(rule.name for rule in WATCH.rules if rule.name != "OFF_COURSE")  # it learns from all sensors
START = 1_767_268_800_000_000
GOOD = {
    "sensor_id": "SENSOR_001", "timestamp": "2024-01-10T14:30:00Z", "temperature": 31.5, "humidity": 65.0,
    "pressure": 1013.25, "location": "Building A - Floor 2",
}  # fmt: skip


def test_messages_are_judged_by_what_the_pipeline_declares(spark: SparkSession) -> None:
    lines = [json.dumps(GOOD), json.dumps(GOOD | {"temperature": 99, "humidity": 120}), "{'sensor_id': 'SENSOR_001'}"]
    messages = spark.createDataFrame([(line.encode(),) for line in lines], "value BINARY")

    rows = judged(messages.selectExpr("value", "current_timestamp() AS received_at"), sensors, sensor_readings)

    good, wrong, broken = rows.collect()
    assert (good.building, good.floor, good.severity, good["_rules"]) == ("A", 2, "warning", [])
    assert wrong["_rules"] == ["has a temperature of -50 to 50 °C", "has a humidity of 0 to 100 %"]
    assert broken["_rules"] == ["is valid JSON"]


def test_checkpoints_that_another_address_began_are_refused(tmp_path: Path) -> None:
    keep_to("inbox:a", tmp_path)
    keep_to("inbox:a", tmp_path)

    with pytest.raises(RequestError, match="begun with inbox:a, not inbox:b"):
        keep_to("inbox:b", tmp_path)


def some_readings(count: int = 500) -> pd.DataFrame:
    """A sensor that drifts, jumps, sticks and is now and then too warm or too damp."""
    chance = np.random.default_rng(11)
    temperature = 27 + np.cumsum(chance.normal(0, 0.4, count)) + 9 * (chance.random(count) < 0.02)
    temperature[200:420] = temperature[200]
    humidity = np.clip(76 + np.cumsum(chance.normal(0, 0.6, count)), 0, 100)
    moment = START + np.cumsum(chance.integers(5, 20, count)) * 1_000_000
    return pd.DataFrame({"moment": moment, "temperature_c": temperature, "humidity_pct": humidity}).assign(
        is_alert=(temperature > 30) | (temperature < 10) | (humidity > 80)
    )


def in_cuts(rules: Rules, readings: pd.DataFrame, size: int) -> Iterator[dict[str, Any]]:
    """What a job says of readings that come in batches; the state goes through JSON, as it does there."""
    columns = [*rules.columns, *rules.conditions.values()]
    asked = readings[["moment", *columns]].set_axis(["moment", *(f"n{at}" for at in range(len(columns)))], axis=1)
    known = Known()
    for begin in range(0, len(asked), size):
        yield from judged_by_rules(rules, "s", known, asked.iloc[begin : begin + size])
        known = Known(**json.loads(json.dumps({"past": known.past, "firing": known.firing})))


@pytest.mark.parametrize("size", [1, 7, 90, 500])
def test_alerts_do_not_depend_on_batches_and_are_those_of_a_run(size: int) -> None:
    rules, readings = Rules.of(WATCH, NAMES), some_readings()
    with duckdb.connect() as database:
        database.register("rows", readings)
        database.execute("CREATE TABLE readings AS SELECT 's' AS key, 0 AS _place, true AS is_new, * FROM rows")
        turns = changes(database, {rule.name: judgement_of(rule) for rule in rules.judged}, {})

    told = list(in_cuts(rules, readings, size))

    assert len(turns) > 20
    assert {turn.rule for turn in turns} > {"HIGH_TEMP", "SUDDEN_CHANGE", "THREE_IN_A_ROW", "STUCK"}
    assert sorted((each["at"], each["rule"], each["event"] == OPENED) for each in told) == [
        (turn.moment, turn.rule, turn.fires) for turn in turns
    ]


def test_a_key_that_falls_silent_is_told_once_and_ends_with_its_next_reading() -> None:
    rules, known = Rules.of(WATCH, ("SILENT",)), Known(past=[[float(START)]])

    [opened] = fallen_silent(rules, "s", known)
    again = list(fallen_silent(rules, "s", known))
    [closed] = judged_by_rules(rules, "s", known, pd.DataFrame({"moment": [START + 1]}))

    assert (opened["event"], opened["at"]) == (OPENED, START + 600_000_000)
    assert again == []
    assert (closed["event"], closed["at"], known.firing) == (CLOSED, START + 1, [])
