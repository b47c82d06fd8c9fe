"""A run says who fell silent, counted from when folder or broker received the last reading, and once all is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.runs import until
from tests.servers.kafka import a_broker
from tests.servers.watching import VIGIE
from tests.tier import nightly
from vigie.lake import Lake, is_table, rows

MINE = '''
from vigie import Pipeline
from vigie.detectors import Silent

mine = Pipeline("mine")
raw = mine.source("raw", schema="id STRING, at TIMESTAMP", key="id")


@mine.silver("things", reads=raw, schema="id STRING, at TIMESTAMP", event_time="at", late_by="1 day")
def things(rows):
    """One thing."""
    return rows


watched = mine.watch(things, key="id")
watched.alert("SILENT", Silent("1 hour"))
'''
NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - timedelta(hours=2)


def a_reading(key: str, at: datetime) -> bytes:
    return json.dumps({"id": key, "at": at.isoformat()}).encode()


def opened(lake: Lake) -> dict[str, datetime]:
    """The keys that are called silent, and since when."""
    path = lake.alerts("mine")
    return {row["key"]: row["opened_at"] for row in rows(path)} if is_table(path) else {}


def ran_until_silence_is_told(folder: Path, *source: str) -> dict[str, datetime]:
    (folder / "mine.py").write_text(MINE)
    lake = Lake(folder / "lake")
    command = [*VIGIE, "run", str(folder / "mine.py"), "--lake", str(lake.root), *source]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            until(lambda: opened(lake) or process.poll() is not None)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0, (folder / "said.txt").read_text()
    return opened(lake)


def test_the_clock_of_a_folder_is_when_its_files_were_written(tmp_path: Path) -> None:
    inbox = tmp_path / "lake" / "_inbox" / "raw"
    inbox.mkdir(parents=True)
    file = inbox / "0.jsonl"
    file.write_bytes(a_reading("gone", LONG_AGO) + b"\n")
    os.utime(file, (LONG_AGO.timestamp(),) * 2)

    assert ran_until_silence_is_told(tmp_path) == {"gone": LONG_AGO + timedelta(hours=1)}


@nightly
@pytest.mark.parametrize("count", (1, 60_000))
def test_the_clock_of_a_topic_is_when_its_messages_were_taken(tmp_path: Path, count: int) -> None:
    with a_broker(tmp_path / "kafka") as broker:
        producer = Producer({"bootstrap.servers": broker.servers, "queue.buffering.max.messages": 200_000})
        for number in range(count):
            at = LONG_AGO + timedelta(milliseconds=number)
            producer.produce("things", a_reading("gone", at), "gone", timestamp=round(at.timestamp() * 1_000))
        assert producer.flush(60) == 0

        silent = ran_until_silence_is_told(tmp_path, "--from", f"kafka://{broker.servers}/things")

    last = LONG_AGO + timedelta(milliseconds=count - 1)
    assert silent == {"gone": last + timedelta(hours=1)}
