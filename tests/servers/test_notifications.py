"""A whole run that finds trouble, and tells of it: a receiver that is down, a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import an_inbox
from tests.sinks.receivers import Hooks, a_free_port
from tests.tier import NIGHTLY
from vigie.lake import Lake, rows

PIPELINE = """
from vigie import Pipeline
from vigie.detectors import Above
from vigie.sinks.console import Console
from vigie.sinks.kafka import KafkaAlerts, KafkaTopic
from vigie.sinks.notify import Notify
from vigie.sinks.parquet import Parquet
from vigie.sinks.postgres import Postgres
from vigie.sinks.webhook import Webhook

stove = Pipeline("stove")
source = stove.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id")


@stove.silver(
    "readings", reads=source, schema="id STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="1 hour", unique="id t"
)
def readings(rows):
    return rows


watched = stove.watch(readings, key="id")
watched.alert("HOT", Above("c", 30, clears_at=29))
for sink in (Webhook(), KafkaAlerts(), Notify()):
    watched.deliver(to=sink)
stove.deliver(readings, to=Console(rows=3))
stove.deliver(readings, to=Parquet("archive"))
stove.deliver(readings, to=Postgres("readings", id=("id", "t")))
stove.deliver(readings, to=KafkaTopic("readings", key="id"))
""".replace('"id t"', '("id", "t")')

VIGIE = str(Path(sys.executable).with_name("vigie"))

# A run that is killed once a receiver has taken an alert, before that is noted.
KILLED = """
import os, signal, sys, threading
from pathlib import Path
from vigie.core.request import Request
from vigie.running import run
from vigie.core.observer import Watcher
from vigie.lake import Lake
from vigie.pipeline import load
from vigie.settings import Settings

def committed(name):
    if name.endswith(" sent"):
        os.killpg(os.getpgrp(), signal.SIGKILL)

run(load("stove.py"), Request(Lake(Path("lake")), once=True), Settings(), watcher=Watcher(committed=committed))
"""


def a_reading(key: str, minute: int, c: float) -> bytes:
    return json.dumps({"id": key, "t": f"2025-06-01T12:{minute:02}:00Z", "c": c}).encode()


def around() -> dict[str, str]:
    """The environment, without what somebody may have set up there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_") or name == "VIGIE_CACHE"}


def ran(folder: Path, hooks_url: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command or [VIGIE, "run", "stove.py", "--once", "--lake", "lake"],
        cwd=folder,
        env={**around(), "VIGIE_WEBHOOK_URL": hooks_url},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


@pytest.mark.timeout(600)
def test_what_a_receiver_did_not_take_is_sent_by_the_next_run_and_under_the_same_id(tmp_path: Path) -> None:
    (tmp_path / "stove.py").write_text(PIPELINE)
    an_inbox(tmp_path / "lake/_inbox/heat", [a_reading("a", 0, 20), a_reading("a", 1, 31), a_reading("b", 1, 35)])
    hooks = Hooks(lambda _before: (404, {}))
    with hooks.running():
        if NIGHTLY:
            first = ran(tmp_path, hooks.url)
            assert first.returncode == 1, first.stderr
            assert "notifications could not be delivered and wait: 2 for outbox-webhook" in first.stderr
            assert "the webhook refused an alert with 404" in first.stderr
            assert "secret" not in first.stderr + first.stdout

        hooks.answer = lambda _before: (200, {})
        killed = ran(tmp_path, hooks.url, sys.executable, "-c", KILLED)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert len(hooks.taken()) == 1

        (tmp_path / "lake/_inbox/heat/001.jsonl").write_bytes(a_reading("a", 2, 20) + b"\n")
        last = ran(tmp_path, hooks.url)

    assert last.returncode == 0, last.stderr
    alerts = {alert["key"]: alert["alert_id"] for alert in rows(Lake(tmp_path / "lake").alerts("stove"))}
    wanted = [alerts["a"], alerts["b"], f"{alerts['a']}-closed"]
    assert list(dict.fromkeys(hooks.taken())) == wanted
    assert len(hooks.taken()) == 4, "one was sent again: the process was killed before it could note it"


@pytest.mark.timeout(300)
def test_what_is_not_set_up_is_off_and_says_so_and_the_rest_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "stove.py").write_text(PIPELINE)
    an_inbox(tmp_path / "lake/_inbox/heat", [a_reading("a", 0, 20), a_reading("a", 1, 31)])

    done = ran(tmp_path, "")

    assert done.returncode == 0, done.stderr
    for said in (
        "alerts do not go to webhook: VIGIE_WEBHOOK_URL is not set",
        "alerts do not go to kafka-iot-alerts: VIGIE_KAFKA is not set, and the run reads from no Kafka",
        "alerts do not go to notify: VIGIE_NOTIFY is not set",
        "Postgres is off: VIGIE_POSTGRES is not set (stove.py:",
        "KafkaTopic is off: VIGIE_KAFKA is not set",
    ):
        assert done.stderr.count(said) == 1, done.stderr
    assert "|a  |2025-06-01 12:01:00|31.0|" in done.stdout
    [archived] = (tmp_path / "archive").iterdir()
    assert archived.name.endswith("-00000000.parquet")


@pytest.mark.timeout(300)
def test_a_run_whose_database_is_away_goes_on_without_it_and_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    (tmp_path / "stove.py").write_text(PIPELINE)
    an_inbox(tmp_path / "lake/_inbox/heat", [a_reading("a", 1, 31)])
    nowhere = f"postgresql://vigie:a-secret@127.0.0.1:{a_free_port()}/postgres"

    live = subprocess.Popen(
        [VIGIE, "run", "stove.py", "--lake", "lake"],
        cwd=tmp_path,
        env={**around(), "VIGIE_POSTGRES": nowhere},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert live.stderr is not None
    told = ""
    while "it is tried again" not in told or "opened: HOT" not in told:
        line = live.stderr.readline()
        assert line, told
        told += line
    live.send_signal(signal.SIGTERM)
    told += live.communicate(timeout=120)[1]

    assert live.returncode == 0, told
    assert "readings-to-postgres-2: PostgreSQL is away: Connection refused" in told
    assert "secret" not in told
    assert [alert["rule"] for alert in rows(Lake(tmp_path / "lake").alerts("stove"))] == ["HOT"]
