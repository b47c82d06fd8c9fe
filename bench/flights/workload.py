"""What is measured with flights, and what every program must make of the messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb

from bench.flights import truth
from bench.flights.messages import messages
from bench.programs import Limit, Program
from bench.workload import Ages, LiveWorkload, Seen, Workload, bronze_of, spread

AIRCRAFT = 2_000


def check(lakes: Sequence[Path], rows: int) -> None:
    """SystemExit, or what an assertion does, unless the newest lake holds what DuckDB makes of the messages."""
    truth.check(lakes[-1], rows)


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


PROGRAMS = (
    Program("pyspark", "PySpark by hand, three queries", "bench.flights.handwritten"),
    Program("pyspark-fused", "PySpark by hand, one foreachBatch", "bench.flights.fused"),
    Program("vigie", "Vigie", "bench.flights.pipeline"),
    Program("polars", "Polars by hand, no restart", "bench.flights.with_polars"),
    Program("bytewax", "Bytewax", "bench.flights.with_bytewax", "bytewax"),
    Program("quix", "Quix Streams", "bench.flights.with_quix", "quix"),
    Program("pathway", "Pathway", "bench.flights.with_pathway", "pathway"),
    Program("flink", "Flink SQL", "bench.flights.with_flink", "flink", Path(__file__).parent / "pins" / "flink"),
)
LIMITS = (Limit(("pyspark", "pyspark-fused"), 2.0), Limit(("polars",), 0.5))
FLIGHTS = Workload("flights", 2_000_000, "state-vectors-{}".format, messages, PROGRAMS, LIMITS, check)
FLIGHTS_LIVE = LiveWorkload(
    "flights",
    "flights-raw",
    ("--keys", str(AIRCRAFT), "--interval", "1s"),
    "in silver",
    ages,
    p95_limit_s=1.0,
    cores_limit=0.7,
)
