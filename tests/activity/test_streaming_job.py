"""process_user_activity.py over folders, to its end: what it archives, counts, and brings to BigQuery."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from tests.activity.feeds import a_simulation, messages
from tests.sinks.bigquery_server import PROJECT, a_server
from vigie.activity import pipeline as activity
from vigie.activity.simulator import simulate
from vigie.address import Inbox
from vigie.errors import BadAddress
from vigie.settings import Settings
from vigie.spark_job import flat

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JOB = Path(__file__).parents[2] / "examples/activity/src/streaming/jobs/process_user_activity.py"


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(JOB.parent)
    return importlib.import_module(JOB.stem)


def an_inbox(folder: Path, lines: list[bytes]) -> Inbox:
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return Inbox(folder)


def test_closed_minutes_are_those_of_a_batch_over_the_archive_and_go_to_bigquery(
    spark: SparkSession, job: ModuleType, tmp_path: Path
) -> None:
    sent = [value for _, value in messages(simulate, a_simulation(keys=60), 9_000)]
    addresses = {
        "user_activity": an_inbox(tmp_path / "users", [*sent, sent[0], b"no event"]),
        "recent_changes": an_inbox(tmp_path / "wikis", []),
    }

    with a_server(tmp_path) as warehouse:
        settings = Settings(bigquery_project=PROJECT, bigquery_endpoint=warehouse.endpoint)
        job.Job(spark, addresses, tmp_path, True, settings).run()
        delivered = warehouse.ask("SELECT window_start, action, page, events FROM activity_per_minute ORDER BY ALL")

    archive = spark.read.parquet(str(tmp_path / "output/user_activity"))
    newest = archive.agg(F.max("event_timestamp")).first()
    closed = F.col("window_end") <= F.lit(newest[0]) - F.expr("INTERVAL 10 MINUTES")  # type: ignore[index]
    wanted = told(flat(activity.activity_per_minute(archive)).where(closed).collect())
    assert archive.count() == len({json.loads(event)["event_id"] for event in sent}) == 9_000
    assert len(wanted) > 50
    assert told(spark.read.parquet(str(tmp_path / "output/activity_per_minute")).collect()) == wanted
    assert len(delivered) == len(wanted)
    assert {row[1:] for row in delivered} == {row[1:4] for row in wanted}


def told(rows: list[Any]) -> set[tuple[Any, ...]]:
    return {(row.window_start, row.action, row.page, row.events, row.distinct_users) for row in rows}


def test_activity_is_not_read_from_a_socket(job: ModuleType) -> None:
    with pytest.raises(BadAddress, match="read from Kafka or a folder"):
        job.readable("tcp://localhost:9999")
