"""The files of examples/activity: what they send, what they declare, and what they say when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vigie.activity.pipeline
from tests.activity import days
from vigie.activity import daily
from vigie.lake import Lake, rows
from vigie.sinks.bigquery import BigQuery
from vigie.sinks.mongo import Mongo
from vigie.sinks.mongo_messages import MongoMessages

ACTIVITY = Path(__file__).parents[2] / "examples/activity"
INGESTION = ACTIVITY / "src/ingestion"


def called(script: Path, *flags: str, **settings: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    return subprocess.run(
        [sys.executable, script, *flags], env=own | settings, capture_output=True, text=True, check=False
    )


def lines(inbox: Path) -> list[bytes]:
    return [line for file in sorted(inbox.glob("*.jsonl")) for line in file.read_bytes().splitlines()]


def test_users_are_sent_as_events_with_all_their_fields(tmp_path: Path) -> None:
    answer = called(INGESTION / "main.py", "--to", f"inbox:{tmp_path}", "--rows", "3000", "--users", "100")

    sent = [json.loads(line) for line in lines(tmp_path)]
    assert answer.returncode == 0, answer.stderr
    assert len(sent) == 3_000
    assert len({event["event_id"] for event in sent}) == 3_000
    assert {"user_id", "session_id", "timestamp", "action", "page", "device", "is_bot", "schema_version"} < set(sent[0])


def test_changes_are_sent_as_wikimedia_writes_them(tmp_path: Path) -> None:
    script = INGESTION / "wikimedia_producer.py"

    answer = called(script, "--simulated", "--to", f"inbox:{tmp_path}", "--rows", "500")

    sent = [json.loads(line) for line in lines(tmp_path)]
    assert answer.returncode == 0, answer.stderr
    assert len(sent) == 500
    assert {"meta", "type", "title", "wiki"} < set(sent[0])


def test_wikimedia_is_not_asked_by_somebody_who_cannot_be_reached(tmp_path: Path) -> None:
    answer = called(INGESTION / "wikimedia_producer.py", "--to", f"inbox:{tmp_path}")

    assert answer.returncode == 2
    assert "VIGIE_CONTACT" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("script", ["main.py", "wikimedia_producer.py"])
def test_an_address_that_is_none_is_refused(script: str) -> None:
    answer = called(INGESTION / script, "--to", "localhost:9092", VIGIE_CONTACT="you@example.org")

    assert answer.returncode == 2
    assert "is not an address Vigie knows" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("sink", [Mongo, BigQuery])
def test_mongodb_and_the_warehouse_are_told_of_every_silver_table(sink: type) -> None:
    graph = vigie.activity.pipeline.activity.graph()

    told = {node.table for each in graph.deliveries if isinstance(each.to, sink) and (node := graph.find(each.table))}

    assert told == {silver.table for silver in graph.silver}


def test_the_raw_lake_is_told_of_every_message_that_comes_in() -> None:
    graph = vigie.activity.pipeline.activity.graph()

    told = [each for each in graph.deliveries if isinstance(each.to, MongoMessages)]

    assert tuple(graph.find(each.table) for each in told) == graph.sources


def test_the_statistics_of_a_day_are_kept_in_the_lake(tmp_path: Path) -> None:
    lake = days.kept(Lake.at(tmp_path / "lake"), days.events(days.an_event()), days.changes(days.a_change()))
    days.kept(lake, *days.after(1))

    answer = called(ACTIVITY / "src/batch/daily_statistics.py", "2026-03-28", "--lake", str(lake))

    [row] = rows(lake.gold(daily.TABLE))
    assert answer.returncode == 0, answer.stderr
    assert (row["events"], row["changes"]) == (1, 1)
