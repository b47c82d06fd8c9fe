"""The files of examples/sensors as a person uses them: Kafka without Docker, a generator, a pipeline, its outputs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer

from vigie.lake import Lake, rows

SENSORS = Path(__file__).parents[2] / "examples/sensors"
READING = {
    "sensor_id": "SENSOR_001",
    "timestamp": "2024-01-10T14:30:00Z",
    "temperature": 31.5,
    "humidity": 65.0,
    "pressure": 1013.25,
    "location": "Building A - Floor 2",
}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the folder, which writes into itself, with a port that is free."""
    copy = Path(shutil.copytree(SENSORS, tmp_path / "sensors", ignore=shutil.ignore_patterns("kafka", "*.parquet")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        properties = f"bootstrap.servers=localhost:{free.getsockname()[1]}\ntopic=iot-sensors\n"
    (copy / "config/kafka_config.properties").write_text(properties)
    return copy


@pytest.fixture
def topic(example: Path) -> Iterator[str]:
    """The topic of readings, on the Kafka that setup_kafka.sh starts."""
    environment = os.environ | {"PYTHON": sys.executable}
    with subprocess.Popen([example / "setup_kafka.sh"], stdout=subprocess.PIPE, text=True, env=environment) as script:
        assert script.stdout is not None
        readings, alerts = script.stdout.readline().strip(), script.stdout.readline().strip()
        assert alerts.endswith("/iot-alerts")
        yield readings
        script.send_signal(signal.SIGINT)
        assert script.wait(60) == 0


def called(script: Path, *flags: str) -> None:
    answer = subprocess.run([sys.executable, script, *flags], capture_output=True, text=True, check=False, timeout=400)
    assert answer.returncode == 0, answer.stderr


def archived(example: Path, folder: str) -> int:
    return int(pq.read_table(example / "output" / folder).num_rows)


@pytest.mark.timeout(900)
def test_readings_go_from_the_generator_through_kafka_to_each_output(example: Path, topic: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    called(example / "data_generator.py", "--rows", "30000", "--faults", "0.1")
    called(example / "streaming_pipeline.py", "--from", topic, "--once", "--lake", str(lake))

    events = rows(lake.alert_events("sensors"))
    assert archived(example, "iot-data") == len(rows(lake.silver("sensor_readings"))) > 25_000
    assert archived(example, "aggregates/readings_5m") == len(rows(lake.gold("sensors/readings_5m"))) > 100
    assert archived(example, "alerts") == len(events) > 10
    assert {each["alert_id"] for each in told(topic, len(events))} == {event["alert_id"] for event in events}


def told(topic: str, count: int) -> list[dict[str, object]]:
    """What the topic of alerts holds."""
    servers = topic.removeprefix("kafka://").partition("/")[0]
    reader = Consumer({"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"})
    reader.subscribe(["iot-alerts"])
    messages = reader.consume(count, timeout=60)
    reader.close()
    return [json.loads(message.value() or b"") for message in messages]


@pytest.mark.timeout(600)
def test_lines_that_are_typed_into_a_socket_are_read_as_from_netcat(example: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        typing = threading.Thread(target=typed, args=(listening, [json.dumps(READING), "no reading"]))
        typing.start()
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        called(example / "streaming_pipeline.py", "--from", address, "--once", "--lake", str(lake))
        typing.join()

    [row] = rows(lake.silver("sensor_readings"))
    [alert] = rows(lake.alerts("sensors"))
    assert (row["building"], row["floor"], row["severity"]) == ("A", 2, "warning")
    assert (alert["rule"], alert["key"]) == ("HIGH_TEMP", "SENSOR_001")
    assert archived(example, "iot-data") == 1


def typed(listening: socket.socket, lines: list[str]) -> None:
    """What netcat does with a person's lines: whoever connects gets them; the end of them ends it."""
    client, _ = listening.accept()
    with client:
        client.sendall("".join(f"{line}\n" for line in lines).encode())
