"""What is measured with flights, and what both programs must make of the messages."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from bench.comparison import must_hold, same_rows, same_windows
from bench.flights.handwritten import BRONZE, GOLD, SILVER
from bench.flights.messages import messages, originals
from bench.workload import Ages, LiveWorkload, Seen, Workload, bronze_of, spread

AIRCRAFT = 2_000


def compare(by_hand: Path, ours: Path, rows: int) -> None:
    """SystemExit unless both made the same tables, and of the size that the messages call for."""
    lakes = by_hand, ours
    for lake in lakes:
        must_hold(lake, BRONZE, rows)
        must_hold(lake, SILVER, originals(rows))
    same_rows(lakes, SILVER, without=["event_timestamp"])
    same_windows(lakes, GOLD, by=["flight_phase"])


def ages(seen: Seen) -> list[Ages]:
    """How old a report is when it can be read from silver: bronze keeps each message with the broker's time and the
    batch it came in, and silver's log says when that batch stood."""
    stood = visible(seen.lake.silver("flights_ml"))
    since = {
        "Kafka's timestamp": "epoch_ms(timestamp) / 1000.0",
        "time, as the feed made it": "CAST(v ->> 'time' AS DOUBLE)",
        "time_position, as the aircraft was seen": "CAST(v ->> 'time_position' AS DOUBLE)",
    }
    with duckdb.connect() as database:
        database.register("bronze", bronze_of(seen.lake, "flights_raw"))
        database.execute("CREATE TABLE stood (batch BIGINT, stood_at DOUBLE)")
        database.executemany("INSERT INTO stood VALUES (?, ?)", list(stood.items()))
        return [
            spread(
                database,
                name,
                f"""SELECT stood_at - {moment}
                FROM (SELECT TRY_CAST(decode(value) AS JSON) AS v, timestamp, batch FROM bronze)
                JOIN stood USING (batch) WHERE epoch_ms(timestamp) / 1000.0 > {seen.began}""",
            )
            for name, moment in since.items()
        ]


def visible(silver: Path) -> dict[int, float]:
    """When each batch could be read from the table: the moment its commit appeared in the log."""
    stood = {}
    for commit in (silver / "_delta_log").glob("*.json"):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "txn" in action:
                stood[int(action["txn"]["version"])] = commit.stat().st_mtime
    return stood


FLIGHTS = Workload("flights", 2_000_000, "state-vectors-{}".format, messages, compare)
FLIGHTS_LIVE = LiveWorkload(
    "flights",
    "flights-raw",
    ("--keys", str(AIRCRAFT), "--interval", "1s"),
    "in silver",
    ages,
    p95_limit_s=1.0,
    cores_limit=0.7,
)
