"""A pipeline in a test of one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from vigie import Pipeline
from vigie.detectors import Above
from vigie.errors import RequestError
from vigie.testing import run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
stoves = Pipeline("stoves")
heat = stoves.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id")


@stoves.silver(
    "readings", reads=heat, schema="id STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="1 minute",
    unique=("id", "t"), expect={"is warm": "c > 0"},
)  # fmt: skip
def readings(rows: DataFrame) -> DataFrame:
    return rows


@stoves.gold("counts", reads=readings, late_by="1 minute")
def counts(rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return rows.groupBy(F.window("t", "1 minute"), "id").agg(F.count("*").alias("n"))


stoves.watch(readings, key="id").alert("HOT", Above("c", 30, clears_at=29))


def at(seconds: float, c: float, key: str = "a") -> dict[str, object]:
    return {"id": key, "t": NOON + timedelta(seconds=seconds), "c": c}


def test_tables_quarantine_late_rows_ledger_and_alerts_are_given_of_messages_in_memory() -> None:
    messages: list[dict[str, object] | bytes] = [
        at(0, 20.0),
        at(30, 31.0),
        b"{",
        at(30, 31.0),
        at(70, -1.0),
        at(300, 20.0),
        at(10, 21.0),
    ]

    ran = run(stoves, {"heat": messages})

    assert [(row["t"] - NOON).total_seconds() for row in ran.table("silver/readings")] == [0, 30, 300]
    assert [(row["window_start"], row["n"]) for row in ran.table("gold/counts")] == [(NOON, 2)]
    assert [(row["line"], row["rules"]) for row in ran.quarantine] == [(3, ["is valid JSON"]), (5, ["is warm"])]
    assert [row["line"] for row in ran.late] == [7]
    [silver] = [row for row in ran.ledger if row["table"] == "silver/readings"]
    assert [silver[name] for name in ("read", "accepted", "quarantined", "duplicate", "late")] == [7, 3, 2, 1, 1]
    [alert] = ran.alerts
    assert (alert["rule"], alert["key"], alert["closed_at"]) == ("HOT", "a", NOON + timedelta(seconds=300))


@pytest.mark.parametrize(("future", "late"), [("1 minute", []), ("10 minutes", [3])])
def test_a_message_ahead_of_its_receipt_makes_others_late_only_within_what_its_source_allows(
    future: str, late: list[int]
) -> None:
    ahead = Pipeline("ahead")
    source = ahead.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id", future=future)
    ahead.silver(
        "readings", reads=source, schema="id STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="1 minute"
    )(readings)

    ran = run(ahead, {"heat": [at(0, 20.0), at(600, 20.0), at(1, 20.0)]}, received_at=NOON)

    assert [row["line"] for row in ran.late] == late
    assert len(ran.table("silver/readings")) == 3 - len(late), "it is accepted: no rule of the table refuses it"


def test_a_source_that_is_not_there_and_a_table_that_is_not_there_are_named() -> None:
    with pytest.raises(RequestError, match="no source 'cold'"):
        run(stoves, {"cold": []})
    with pytest.raises(RequestError, match="no table 'silver/nothing'"):
        run(stoves, {}).table("silver/nothing")
