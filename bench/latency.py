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
from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.lake import Lake
from vigie.settings import read_settings

WARM_UP_S = 60.0  # the backlog of the start is caught up with
STOP_S = 90.0
MEMORY_LIMIT_MB = 800.0
SPARK_P95_LIMIT_S = 3.9  # what the engine before December 2026 took, warm: Structured Streaming
SETTLED_MINUTES, GROWTH_LIMIT = 15.0, 0.10  # what a soak's memory may grow by, since it has been settled


@dataclass(frozen=True, slots=True)
class Live:
    """What came out. Memory is PSS, and cores are those in use, of a process and all that it started."""

    messages: int
    ages: list[Ages]
    peak_mb: dict[str, float]
    minutes_mb: list[float]  # the run's, at each minute
    growth: float
    cores: dict[str, float]
    unaccounted: int


def latency(workload: LiveWorkload, minutes: float, soak: bool, engine: str = "embedded") -> int:
    """Run live for so many minutes; 1 when a limit is not kept. Only a soak is long enough to judge growth."""
    settings = read_settings()
    java = java_home(settings.cache)
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        lake = Lake(Path(folder, "lake"))
        with Broker(Path(folder, "kafka"), java, kafka_jars(settings.cache, java)) as broker:
            for topic, config in ((workload.topic, {}), *workload.topics):
                create(broker, topic, config)
            began = time.time() + min(WARM_UP_S, minutes * 30)
            prints = _lived(workload, f"kafka://{broker.servers}/{workload.topic}", lake, minutes, engine)
            live = _found(workload, Seen(lake, broker.servers, began), prints, minutes)
    return _report(workload, live, minutes, soak, engine)


def _lived(workload: LiveWorkload, address: str, lake: Lake, minutes: float, engine: str) -> dict[str, Footprint]:
    """Feed and run side by side; the feed is stopped first, so that the run takes all that it sent."""
    with ExitStack() as closing:
        for asked in workload.before:
            if _vigie(closing, "feed", workload.name, *asked, "--lake", str(lake.root)).wait(STOP_S):
                raise SystemExit(f"vigie feed could not bring what was asked for before: see {RESULTS}")
        told = ["--from", address, "--lake", str(lake.root), "--engine", engine]
        running = _vigie(closing, "run", workload.name, *told)
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
    return Live(
        DeltaTable(str(seen.lake.bronze(workload.topic.replace("-", "_")))).to_pyarrow_dataset().count_rows(),
        workload.ages(seen),
        {name: footprint.peak / 1e6 for name, footprint in prints.items()},
        by_the_minute(prints["run"].memory),
        growth(prints["run"].memory, minutes),
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


def by_the_minute(memory: list[tuple[float, int]]) -> list[float]:
    """The median of each minute, in megabytes."""
    whole = range(int(memory[-1][0] // 60))
    return [statistics.median(size for at, size in memory if at // 60 == minute) / 1e6 for minute in whole]


def growth(memory: list[tuple[float, int]], minutes: float) -> float:
    """By how much the memory of the last minutes is more than when it had settled: a minute's median beside another's.
    What ran for less than that has its first half to settle in."""
    settled = min(SETTLED_MINUTES, minutes / 2) * 60

    def around(moment: float) -> float:
        return statistics.median(size for at, size in memory if moment - 60 <= at <= moment)

    return around(memory[-1][0]) / around(settled) - 1


def _report(workload: LiveWorkload, live: Live, minutes: float, soak: bool, engine: str) -> int:
    table = Table(f"seconds until it is {workload.where}, since", "seen", "p50", "p95", "p99")
    for ages in live.ages:
        table.add_row(ages.since, f"{ages.many:,}", f"{ages.p50:.2f}", f"{ages.p95:.2f}", f"{ages.p99:.2f}")
    console = Console()
    console.print(f"{live.messages:,} messages in {minutes:g} minutes")
    console.print(table)
    cores = ", ".join(f"{name} {cores:.2f}" for name, cores in live.cores.items())
    peaks = ", ".join(f"{name} {peak:,.0f} MB" for name, peak in live.peak_mb.items())
    console.print(f"memory (PSS) at most: {peaks}; the run's grew by {live.growth:+.1%} since it settled")
    console.print(f"cores: {cores}; rows not accounted for: {live.unaccounted}")
    name = "soak" if soak else "latency"
    keep(f"{name}-{workload.name}-{engine}", {"minutes": minutes, **asdict(live)})
    limit = workload.p95_limit_s if engine == "embedded" else SPARK_P95_LIMIT_S
    kept = {
        f"p95 under {limit:g} s since {live.ages[0].since}": live.ages[0].p95 < limit,
        "every row accounted for": live.unaccounted == 0,
    }
    if engine == "embedded":
        kept |= {
            f"memory of the run under {MEMORY_LIMIT_MB:,.0f} MB": live.peak_mb["run"] < MEMORY_LIMIT_MB,
            f"the run uses less than {workload.cores_limit:g} cores": live.cores["run"] < workload.cores_limit,
        }
    if soak:
        kept[f"its memory grows by less than {GROWTH_LIMIT:.0%}"] = live.growth < GROWTH_LIMIT
    return judged(console, kept)
