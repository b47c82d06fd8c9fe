"""The examples: they make sense, and their functions do what they say."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vigie.sensors.pipeline
from tests.rows import a_table
from vigie.alerts import OPENED, Alert, Event
from vigie.check import problems
from vigie.core.ingest import parsing
from vigie.pipeline import load

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXAMPLES = Path(__file__).parent.parent / "examples"
TEMPERATURES = EXAMPLES / "temperatures/pipeline.py"
PRODUCER = EXAMPLES / "flights/producer.py"
SENSORS = EXAMPLES / "sensors"
EIGHT = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def temperatures() -> ModuleType:
    load(str(TEMPERATURES))
    return sys.modules["vigie_pipeline_pipeline"]


def a_reading(**changes: Any) -> dict[str, Any]:
    return {"room": "kitchen", "measured_at": EIGHT, "celsius": 20.0} | changes


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("pipeline.py")), ids=lambda path: path.parent.name)
def test_an_example_makes_sense(path: Path) -> None:
    assert problems(load(str(path))) == []


def test_the_lines_of_data_show_a_message_that_is_no_json_and_one_of_a_wrong_type() -> None:
    files = sorted((TEMPERATURES.parent / "inbox").glob("*.jsonl"))
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    reading = pa.schema([("room", pa.string()), ("measured_at", pa.timestamp("us", "UTC")), ("celsius", pa.float64())])

    _, broken = parsing.decoder(reading)(pa.array(lines, pa.binary()))

    assert len(lines) == 23
    assert [rule for rule in broken if rule] == ["matches the schema", "is valid JSON"]


def test_a_reading_is_given_in_fahrenheit_too(sail: SparkSession, temperatures: ModuleType) -> None:
    rows = sail.createDataFrame([a_reading(celsius=100.0)], temperatures.READING)

    [row] = temperatures.readings(rows).collect()

    assert row.fahrenheit == 212.0


def test_the_means_of_a_room_are_of_ten_minutes(sail: SparkSession, temperatures: ModuleType) -> None:
    readings = [
        a_reading(celsius=20.0),
        a_reading(celsius=22.0, measured_at=EIGHT.replace(minute=9)),
        a_reading(celsius=30.0, measured_at=EIGHT.replace(minute=10)),
    ]

    rows = temperatures.room_means(sail.createDataFrame(readings, temperatures.READING)).orderBy("window").collect()

    assert [(row.readings, row.mean_celsius) for row in rows] == [(2, 21.0), (1, 30.0)]


def test_a_change_is_against_the_reading_before_in_the_same_room(sail: SparkSession, temperatures: ModuleType) -> None:
    readings = [
        a_reading(),
        a_reading(room="cellar", celsius=5.0, measured_at=EIGHT.replace(minute=1)),
        a_reading(celsius=21.5, measured_at=EIGHT.replace(minute=4)),
    ]

    rows = temperatures.room_changes(sail.createDataFrame(readings, temperatures.READING)).collect()

    assert {(row.room, row.celsius): row.change_celsius for row in rows} == {
        ("kitchen", 20.0): None, ("kitchen", 21.5): 1.5, ("cellar", 5.0): None,
    }  # fmt: skip


def test_a_batch_that_is_delivered_twice_is_there_once(temperatures: ModuleType, tmp_path: Path) -> None:
    sink = temperatures.JsonFiles(tmp_path / "out")
    rows = a_table(temperatures.READING, tuple(a_reading().values()))

    for _ in range(2):
        sink.write(rows.to_reader(), 7)

    [file] = sink.folder.iterdir()
    assert [json.loads(line)["celsius"] for line in file.read_text().splitlines()] == [20.0]


def test_the_producer_says_that_no_broker_answers() -> None:
    asked = [sys.executable, str(PRODUCER), "--simulated", "--servers", "localhost:1"]

    answer = subprocess.run(asked, capture_output=True, text=True, check=False)

    assert answer.returncode == 2
    assert "kafka://localhost:1/flights-raw" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.fixture
def delivering(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example on a copy of the sensors pipeline: what it declares is declared for this test alone."""
    monkeypatch.setattr(vigie.sensors, "pipeline", vigie.sensors.pipeline)
    monkeypatch.delitem(sys.modules, "vigie.sensors.pipeline")
    importlib.import_module("vigie.sensors.pipeline")
    load(str(SENSORS / "vigie_pipeline.py"))
    return sys.modules["vigie_pipeline_vigie_pipeline"]


def an_alert(**changes: Any) -> Alert:
    alert: dict[str, Any] = {
        "alert_id": "3f9a", "rule": "HIGH_TEMP", "key": "SENSOR_001", "severity": "warning", "opened_at": EIGHT,
        "value": 31.0, "threshold": 30.0, "message": "too warm", "evidence": "{}", "raised_at": EIGHT,
    }  # fmt: skip
    return Alert(**alert | changes)


def generated(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, str(folder / "data_generator.py"), *flags]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def test_the_pipeline_of_the_sensors_example_makes_sense(delivering: ModuleType) -> None:
    assert problems(delivering.sensors) == []


def test_the_pipeline_of_the_sensors_example_delivers_what_the_course_archives(delivering: ModuleType) -> None:
    graph = delivering.sensors.graph()

    sinks = [each.to for each in (*graph.deliveries, *graph.watches[0].deliveries)]

    folders = {sink.folder.relative_to(delivering.OUTPUT).parts[0] for sink in sinks if hasattr(sink, "folder")}
    assert folders == {path.parent.name for path in (SENSORS / "output").glob("*/.gitkeep")}


def test_alerts_that_are_delivered_twice_are_one_file(delivering: ModuleType, tmp_path: Path) -> None:
    sink = delivering.AlertFiles(tmp_path / "alerts")
    events = [Event(OPENED, an_alert(alert_id=name), "watch", 1) for name in ("a", "b")]

    for _ in range(2):
        sink.send(events)

    [file] = sink.folder.iterdir()
    assert pq.read_table(file)["alert_id"].to_pylist() == ["a", "b"]


def test_the_generator_sends_what_the_course_shows_and_labels_what_is_wrong(tmp_path: Path) -> None:
    labels = tmp_path / "faults.jsonl"
    to = f"inbox:{tmp_path / 'inbox'}"

    answer = generated(SENSORS, "--to", to, "--rows", "5000", "--faults", "0.3", "--labels", str(labels))

    lines = [line for file in (tmp_path / "inbox").glob("*.jsonl") for line in file.read_bytes().splitlines()]
    assert answer.returncode == 0, answer.stderr
    assert len(lines) == 5_000
    assert list(json.loads(lines[0])) == ["sensor_id", "timestamp", "temperature", "humidity", "pressure", "location"]
    assert {"kind", "sensor_id", "from", "to"} <= set(json.loads(labels.read_text().splitlines()[0]))


def test_the_generator_sends_to_the_topic_that_the_properties_name(tmp_path: Path) -> None:
    copy = shutil.copytree(SENSORS, tmp_path / "sensors")
    (copy / "config/kafka_config.properties").write_text("bootstrap.servers = localhost:1\ntopic=cellar\n")

    answer = generated(copy)

    assert answer.returncode == 2
    assert "kafka://localhost:1/cellar" in answer.stderr
    assert "Traceback" not in answer.stderr
