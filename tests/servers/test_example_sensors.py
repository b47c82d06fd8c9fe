"""The pipeline of examples/sensors over a socket; tests/servers/test_course.py has the rest of the folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.tier import nightly
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
    """A copy of the folder, which writes into itself."""
    return Path(shutil.copytree(SENSORS, tmp_path / "sensors", ignore=shutil.ignore_patterns("kafka", "*.parquet")))


def ran(pipeline: Path, *flags: str) -> None:
    command = [str(Path(sys.executable).with_name("vigie")), "run", str(pipeline), *flags]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert answer.returncode == 0, answer.stderr


def archived(example: Path, folder: str) -> int:
    return int(pq.read_table(example / "output/vigie" / folder).num_rows)


@nightly
@pytest.mark.timeout(600)
def test_lines_that_are_typed_into_a_socket_are_read_as_from_netcat(example: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        typing = threading.Thread(target=typed, args=(listening, [json.dumps(READING), "no reading"]))
        typing.start()
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        ran(example / "vigie_pipeline.py", "--from", address, "--once", "--lake", str(lake))
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
