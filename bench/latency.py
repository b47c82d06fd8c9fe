"""Live: a feed beside a run, for minutes, looked at from outside."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from bench.footprint import Footprint, Meter
from bench.scale import judged
from bench.speed import keep
from bench.topics import create
from bench.workload import RESULTS, Ages, LiveWorkload, Seen
from vigie.engine.broker import Broker
from vigie.engine.jars import kafka_jars
from vigie.engine.java import java_home
from vigie.lake import Lake
from vigie.settings import read_settings

WARM_UP_S = 60.0  # Java compiles, and the backlog of the start is caught up with
STOP_S = 90.0
MEMORY_LIMIT_MB = 3_000.0
SLOPE_LIMIT_MB = 5.0  # a minute; over a shorter time than a soak the heap still settles


@dataclass(frozen=True, slots=True)
class Live:
    """What came out. Memory is PSS of the run and the feed, without the broker."""

    messages: int
    ages: list[Ages]
    peak_mb: float
    slope_mb_per_minute: float
    cores: dict[str, float]
    unaccounted: int


def latency(workload: LiveWorkload, minutes: float, soak: bool) -> int:
    """Run live for so many minutes; 1 when a limit is not kept. Only a soak is long enough to judge a slope."""
    settings = read_settings()
    java = java_home(settings.cache)
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        lake = Lake(Path(folder, "lake"))
        with Broker(Path(folder, "kafka"), java, kafka_jars(settings.cache, java)) as broker:
            for topic, config in ((workload.topic, {}), *workload.topics):
                create(broker, topic, config)
            began = time.time() + min(WARM_UP_S, minutes * 30)
            prints = _lived(workload, f"kafka://{broker.servers}/{workload.topic}", lake, minutes)
            live = _found(workload, Seen(lake, broker.servers, began), prints, minutes)
    return _report(workload, live, minutes, soak)


def _lived(workload: LiveWorkload, address: str, lake: Lake, minutes: float) -> dict[str, Footprint]:
    """Feed and run side by side; the feed is stopped first, so that the run takes all that it sent."""
    with ExitStack() as closing:
        for asked in workload.before:
            if _vigie(closing, "feed", workload.name, *asked, "--lake", str(lake.root)).wait(STOP_S):
                raise SystemExit(f"vigie feed could not bring what was asked for before: see {RESULTS}")
        running = _vigie(closing, "run", workload.name, "--from", address, "--lake", str(lake.root))
        feeding = _vigie(closing, "feed", workload.name, "--to", address, *workload.feed)
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


def _found(workload: LiveWorkload, seen: Seen, prints: dict[str, Footprint], minutes: float) -> Live:
    memory = _together(prints)
    return Live(
        DeltaTable(str(seen.lake.bronze(workload.topic.replace("-", "_")))).to_pyarrow_dataset().count_rows(),
        workload.ages(seen),
        max(size for _, size in memory),
        slope(memory[len(memory) // 3 :]),
        {name: footprint.cpu_s / (minutes * 60) for name, footprint in prints.items()},
        unaccounted(seen.lake, workload.name),
    )


def unaccounted(lake: Lake, pipeline: str) -> int:
    """By how many rows the ledger's equation is out, over all batches of bronze and silver."""
    entries = DeltaTable(str(lake.ledger(pipeline))).to_pyarrow_table().to_pylist()
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


def _report(workload: LiveWorkload, live: Live, minutes: float, soak: bool) -> int:
    table = Table(f"seconds until it is {workload.where}, since", "seen", "p50", "p95", "p99")
    for ages in live.ages:
        table.add_row(ages.since, f"{ages.many:,}", f"{ages.p50:.1f}", f"{ages.p95:.1f}", f"{ages.p99:.1f}")
    console = Console()
    console.print(f"{live.messages:,} messages in {minutes:g} minutes")
    console.print(table)
    cores = ", ".join(f"{name} {cores:.2f}" for name, cores in live.cores.items())
    console.print(f"memory (PSS) {live.peak_mb:,.0f} MB at most, {live.slope_mb_per_minute:+.1f} MB a minute")
    console.print(f"cores: {cores}; rows not accounted for: {live.unaccounted}")
    name = "soak" if soak else "latency"
    keep(f"{name}-{workload.name}", {"minutes": minutes, **asdict(live)})
    kept = {
        f"p95 under {workload.p95_limit_s:g} s since {live.ages[0].since}": live.ages[0].p95 < workload.p95_limit_s,
        f"memory under {MEMORY_LIMIT_MB:,.0f} MB": live.peak_mb < MEMORY_LIMIT_MB,
        "every row accounted for": live.unaccounted == 0,
    }
    if soak:
        kept["memory is flat"] = live.slope_mb_per_minute < SLOPE_LIMIT_MB
    return judged(console, kept)
