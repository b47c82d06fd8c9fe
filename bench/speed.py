"""Vigie beside PySpark written by hand: the same messages, the same tables, in turns."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.footprint import measured
from bench.workload import RESULTS, Workload
from vigie.engine.broker import Broker
from vigie.engine.jars import kafka_jars
from vigie.engine.java import java_home
from vigie.settings import read_settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one program. `seconds` is from its first trigger to its last commit."""

    who: str
    seconds: float
    messages_per_s: float
    cpu_s: float
    peak_mb: float


def broker() -> Broker:
    """The broker whose topics are kept from one measurement to the next."""
    settings = read_settings()
    java = java_home(settings.cache)
    return Broker(RESULTS / "kafka", java, kafka_jars(settings.cache, java))


def speed(workload: Workload, rows: int, rounds: int) -> int:
    """Run both in turns and print what came out; 1 when Vigie is the slower one."""
    with broker() as kafka, workload.beside():
        topic = workload.loaded(kafka, rows)
        outcomes: list[Outcome] = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
                by_hand, ours = Path(folder, "by-hand"), Path(folder, "vigie")
                outcomes.append(ran("by hand", workload.by_hand, (kafka.servers, topic), rows, by_hand))
                outcomes.append(ran("vigie", workload.vigie, (kafka.servers, topic), rows, ours))
                workload.compare(by_hand, ours, rows)
    ratio = _report(workload, outcomes, rows)
    return 1 if ratio < 1.0 else 0


def ran(who: str, module: str, where: tuple[str, str], rows: int, lake: Path) -> Outcome:
    """What one run of a program came to; `where` is the broker and the topic."""
    footprint = measured(module, *where, str(lake), log=RESULTS / f"{module}.log")
    seconds = span(lake)
    outcome = Outcome(who, seconds, rows / seconds, footprint.cpu_s, footprint.peak / 1e6)
    print(f"{who}: {seconds:.1f} s, {footprint.cpu_s:.0f} CPU s", flush=True)
    return outcome


def span(lake: Path) -> float:
    """Seconds from the first trigger of any query, as its checkpoint says, to the last commit of any table.

    The same for both programs, from what both leave behind: starting Python, Java and Spark is not in it,
    and the gaps between queries that follow one another are.
    """
    triggers = [
        json.loads(file.read_text().splitlines()[1])["batchTimestampMs"] / 1000
        for file in lake.rglob("checkpoints/*/offsets/0")
    ]
    commits = [file.stat().st_mtime for file in lake.rglob("_delta_log/*.json")]
    return float(max(commits) - min(triggers))


def table_of(outcomes: Sequence[Outcome], groups: Sequence[str], title: str) -> Table:
    """Every run, and the medians of each group."""
    table = Table("", "seconds", "messages/s", "CPU seconds", "peak MB", title=title)
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    table.add_section()
    for who in groups:
        table.add_row(*_cells(median(outcomes, who)))
    return table


def median(outcomes: Sequence[Outcome], who: str) -> Outcome:
    of = {
        name: statistics.median(getattr(outcome, name) for outcome in outcomes if outcome.who == who)
        for name in ("seconds", "messages_per_s", "cpu_s", "peak_mb")
    }
    return Outcome(f"{who}, median", **of)


def keep(name: str, figures: dict[str, object]) -> None:
    """Leave the figures of a measurement as JSON."""
    said = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": psutil.cpu_count(), **figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(said, indent=1))


def _report(workload: Workload, outcomes: list[Outcome], rows: int) -> float:
    """Print every run and the medians, keep them, and return how many times as fast Vigie is."""
    by_hand, ours = ([outcome for outcome in outcomes if outcome.who == who] for who in ("by hand", "vigie"))
    ratios = [hand.seconds / own.seconds for hand, own in zip(by_hand, ours, strict=True)]
    cpu_ratio = statistics.median(hand.cpu_s / own.cpu_s for hand, own in zip(by_hand, ours, strict=True))
    ratio = statistics.median(ratios)
    console = Console()
    console.print(table_of(outcomes, ("by hand", "vigie"), f"{workload.name}: {rows:,} messages"))
    console.print(f"Vigie is {ratio:.2f} times as fast, and takes {1 / cpu_ratio:.2f} times the CPU seconds (medians).")
    runs = [asdict(outcome) for outcome in outcomes]
    figures = {"rows": rows, "ratio": ratio, "ratios": ratios, "cpu_ratio": cpu_ratio, "runs": runs}
    keep(f"speed-{workload.name}-{rows}", figures)
    return ratio


def _cells(outcome: Outcome) -> tuple[str, ...]:
    figures = outcome.seconds, outcome.messages_per_s, outcome.cpu_s, outcome.peak_mb
    return outcome.who, *(f"{figure:,.1f}" if figure < 1_000 else f"{figure:,.0f}" for figure in figures)
