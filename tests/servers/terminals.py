"""The terminals of a person who follows the course: copies of the examples, and the commands that run in them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from bench.classic import BRIEF
from tests.runs import until
from tests.sinks.receivers import a_free_port
from vigie.settings import read_settings

HOUSE = Path(__file__).parents[2]
JUST_MADE = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
# Stands in for netcat where there is none: what is typed goes to whoever is connected, one after another.
NETCAT = """
import select, socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    while True:
        client, _ = listening.accept()
        with client:
            while True:
                ready, _, _ = select.select([client, sys.stdin], [], [])
                if client in ready and not client.recv(4096):
                    break
                if sys.stdin in ready:
                    client.sendall(sys.stdin.readline().encode())
"""


class Course:
    """Copies of the examples, the servers that they want, and what was started in them."""

    def __init__(self, folder: Path, servers: ExitStack) -> None:
        self.folder = folder
        self.servers = servers
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.socket = a_free_port()  # in the place of 9999, which another may have
        self.page = a_free_port()
        broker, self.properties = a_free_port(), "config/kafka_config.properties"
        self.kafka = f"localhost:{broker}"
        leave_out = shutil.ignore_patterns("kafka", "*.parquet", "checkpoint", "socket", "lake*")
        for name in ("flights", "sensors", "activity"):
            shutil.copytree(HOUSE / "examples" / name, folder / name, ignore=leave_out)
        (folder / "sensors" / self.properties).write_text(f"bootstrap.servers={self.kafka}\ntopic=iot-sensors\n")
        own = {name: value for name, value in os.environ.items() if not name.startswith(("VIGIE_", "STREAMLIT_"))}
        self.environment = own | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}",  # as `activate` does
            "SPARK_SUBMIT_OPTS": BRIEF,
            "STREAMLIT_SERVER_PORT": str(self.page),
            "VIGIE_CACHE": str(read_settings().cache),
            "VIGIE_KAFKA": self.kafka,
        }

    def starts(self, folder: str, typed: str) -> subprocess.Popen[bytes]:
        """A command in a terminal of its own."""
        words = shlex.split(typed.replace("9999", str(self.socket)))
        if words[0] == "nc" and shutil.which("nc") is None:
            words = [sys.executable, "-c", NETCAT, words[-1]]
        with self.said(typed).open("wb") as said:
            process = subprocess.Popen(
                words, cwd=self.folder / folder, env=self.environment, start_new_session=True,
                stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.running[typed] = process
        return process

    def said(self, typed: str) -> Path:
        return self.folder / f"{re.sub(r'[^a-z]+', '-', typed)}.txt"

    def sees(self, typed: str, holds: Callable[[], Any]) -> None:
        """Wait until it holds, as long as the command runs."""

        def goes_on() -> Any:
            assert self.running[typed].poll() is None, self.said(typed).read_text()[-3_000:]
            return holds()

        until(goes_on, 400)

    def ends(self, typed: str) -> int:
        """Ctrl-C in its terminal."""
        process = self.running.pop(typed)
        assert process.stdin is not None
        process.stdin.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        return process.wait(60)

    def does(self, folder: str, typed: str) -> None:
        """A command that ends by itself."""
        self.starts(folder, typed).wait(300)
        assert self.ends(typed) == 0, self.said(typed).read_text()[-3_000:]

    def messages(self, topic: str) -> int:
        """How many a topic holds."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "test", "log_level": 0})
        found = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        try:
            ends = [consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10) for each in found]
        except KafkaException as problem:
            if problem.args[0].code() not in JUST_MADE:
                raise
            ends = []
        consumer.close()
        return sum(high - low for low, high in ends)

    def parquet(self, place: str) -> list[dict[str, Any]]:
        """The rows of a folder of Parquet; none while there are none."""
        folders = sorted(self.folder.glob(place))
        return [row for folder in folders for file in finished(folder) for row in pq.read_table(file).to_pylist()]


def finished(folder: Path) -> list[Path]:
    """The files of a folder, without those that Spark is still writing: it notes each that is whole."""
    notes = [note for note in folder.glob("_spark_metadata/*") if not note.name.startswith(".")]
    noted = {Path(urlsplit(json.loads(line)["path"]).path) for note in notes for line in note.read_text().split()[1:]}
    files = sorted(folder.glob("*.parquet"))
    return [file for file in files if file in noted or not file.name.startswith("part-")]
