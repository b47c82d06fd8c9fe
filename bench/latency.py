"""Live: two thousand aircraft report every second, and all of flights runs beside them.

How old a report is when it can be read from silver is taken from outside: bronze keeps each message with the
broker's time and the batch it came in, and silver's log says when that batch stood.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import duckdb
import psutil
from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from bench.footprint import Footprint, Meter
from vigie.engine.broker import Broker
from vigie.engine.jars import kafka_jars
from vigie.engine.java import java_home
from vigie.lake import Lake
from vigie.settings import read_settings

RESULTS = Path(__file__).parent / "results"
TOPIC = "flights-raw"
AIRCRAFT = 2_000
WARM_UP_S = 60.0  # Java compiles, and the backlog of the start is caught up with
STOP_S = 90.0
P95_LIMIT_S = 7.0
MEMORY_LIMIT_MB = 3_000.0
SLOPE_LIMIT_MB = 5.0  # a minute; over a shorter time than a soak the heap still settles


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds from one moment of a report to when it could be read from silver."""

    since: str
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Live:
    """What came out. Memory is PSS of the run and the feed, without the broker."""

    messages: int
    ages: list[Ages]
    peak_mb: float
    slope_mb_per_minute: float
    cores: dict[str, float]
    unaccounted: int


def latency(minutes: float, soak: bool) -> int:
    """Run live for so many minutes; 1 when a limit is not kept. Only a soak is long enough to judge a slope."""
    settings = read_settings()
    java = java_home(settings.cache)
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        lake = Lake(Path(folder, "lake"))
        with Broker(Path(folder, "kafka"), java, kafka_jars(settings.cache, java)) as broker:
            broker.create_topic(TOPIC)
            began = time.time()
            prints = _lived(f"kafka://{broker.servers}/{TOPIC}", lake, minutes)
        live = _found(lake, began, prints, minutes)
    return _report(live, minutes, soak)


def _lived(address: str, lake: Lake, minutes: float) -> dict[str, Footprint]:
    """Feed and run side by side; the feed is stopped first, so that the run takes all that it sent."""
    with ExitStack() as closing:
        running = _vigie(closing, "run", "flights", "--from", address, "--lake", str(lake.root))
        feeding = _vigie(closing, "feed", "flights", "--to", address, "--keys", str(AIRCRAFT), "--interval", "1s")
        meters = {"run": Meter(running.pid), "feed": Meter(feeding.pid)}
        deadline = time.monotonic() + minutes * 60
        while time.monotonic() < deadline:
            for process in (running, feeding):
                if process.poll() is not None:
                    raise SystemExit(f"vigie ended with {process.returncode}: see {RESULTS}")
            time.sleep(0.5)
        prints = {name: meter.stop() for name, meter in meters.items()}
        for process in (feeding, running):
            process.send_signal(signal.SIGTERM)
            if process.wait(STOP_S):
                raise SystemExit(f"vigie ended with {process.returncode} when it was told to stop")
        return prints


def _vigie(closing: ExitStack, *arguments: str) -> subprocess.Popen[bytes]:
    RESULTS.mkdir(exist_ok=True)
    log: IO[bytes] = closing.enter_context((RESULTS / f"live-{arguments[0]}.log").open("wb"))
    command = [sys.executable, "-c", "from vigie.cli import main; main()", *arguments]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    closing.callback(_ended, process)
    return process


def _ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _found(lake: Lake, began: float, prints: dict[str, Footprint], minutes: float) -> Live:
    bronze = DeltaTable(str(lake.bronze("flights_raw"))).to_pyarrow_dataset()
    stood = visible(lake.silver("flights_ml"))
    with duckdb.connect() as database:
        database.register("bronze", bronze)
        database.execute("CREATE TABLE stood (batch BIGINT, stood_at DOUBLE)")
        database.executemany("INSERT INTO stood VALUES (?, ?)", list(stood.items()))
        since = {
            "time_position, as the aircraft was seen": "CAST(v ->> 'time_position' AS DOUBLE)",
            "time, as the feed made it": "CAST(v ->> 'time' AS DOUBLE)",
            "Kafka's timestamp": "epoch_ms(timestamp) / 1000.0",
        }
        ages = []
        for name, moment in since.items():
            row = database.execute(
                f"""SELECT quantile_cont(stood_at - moment, [0.5, 0.95, 0.99]) FROM (
                    SELECT stood_at, {moment} AS moment
                    FROM (SELECT TRY_CAST(decode(value) AS JSON) AS v, timestamp, batch FROM bronze)
                    JOIN stood USING (batch) WHERE epoch_ms(timestamp) / 1000.0 > ?)""",
                [began + min(WARM_UP_S, minutes * 30)],
            ).fetchone()
            ages.append(Ages(name, *(row[0] if row else ())))
    memory = _together(prints)
    return Live(
        bronze.count_rows(),
        ages,
        max(size for _, size in memory),
        slope(memory[len(memory) // 3 :]),
        {name: footprint.cpu_s / (minutes * 60) for name, footprint in prints.items()},
        unaccounted(lake),
    )


def visible(silver: Path) -> dict[int, float]:
    """When each batch could be read from the table: the moment its commit appeared in the log."""
    stood = {}
    for commit in (silver / "_delta_log").glob("*.json"):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "txn" in action:
                stood[int(action["txn"]["version"])] = commit.stat().st_mtime
    return stood


def unaccounted(lake: Lake) -> int:
    """By how many rows the ledger's equation is out, over all batches of bronze and silver."""
    entries = DeltaTable(str(lake.ledger("flights"))).to_pyarrow_table().to_pylist()
    parts = ("accepted", "quarantined", "duplicate", "late")
    return sum(
        abs(entry["read"] - sum(entry[part] for part in parts))
        for entry in entries
        if None not in [entry[part] for part in parts]
    )


def _together(prints: dict[str, Footprint]) -> list[tuple[float, float]]:
    """Minutes and megabytes, of all processes at each look."""
    looks = zip(*(footprint.memory for footprint in prints.values()), strict=False)
    return [(look[0][0] / 60, sum(size for _, size in look) / 1e6) for look in looks]


def slope(memory: list[tuple[float, float]]) -> float:
    """Megabytes a minute, by least squares."""
    minutes, sizes = zip(*memory, strict=True)
    return statistics.linear_regression(minutes, sizes).slope if len(minutes) > 1 else 0.0


def _report(live: Live, minutes: float, soak: bool) -> int:
    table = Table("seconds until it is in silver, since", "p50", "p95", "p99")
    for ages in live.ages:
        table.add_row(ages.since, f"{ages.p50:.1f}", f"{ages.p95:.1f}", f"{ages.p99:.1f}")
    console = Console()
    console.print(f"{live.messages:,} messages in {minutes:g} minutes")
    console.print(table)
    cores = ", ".join(f"{name} {cores:.2f}" for name, cores in live.cores.items())
    console.print(f"memory (PSS) {live.peak_mb:,.0f} MB at most, {live.slope_mb_per_minute:+.1f} MB a minute")
    console.print(f"cores: {cores}; rows not accounted for: {live.unaccounted}")
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": minutes,
        "cores": psutil.cpu_count(),
        **asdict(live),
    }
    (RESULTS / f"{'soak' if soak else 'latency'}.json").write_text(json.dumps(said, indent=1))
    kept = {
        f"p95 from event to silver under {P95_LIMIT_S:g} s": live.ages[0].p95 < P95_LIMIT_S,
        f"memory under {MEMORY_LIMIT_MB:,.0f} MB": live.peak_mb < MEMORY_LIMIT_MB,
        "every row accounted for": live.unaccounted == 0,
    }
    if soak:
        kept["memory is flat"] = live.slope_mb_per_minute < SLOPE_LIMIT_MB
    for limit, is_kept in kept.items():
        console.print(f"{'kept' if is_kept else 'NOT KEPT'}: {limit}")
    return 0 if all(kept.values()) else 1
