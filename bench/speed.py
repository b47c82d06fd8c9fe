"""Vigie beside PySpark written by hand: the same messages, the same three tables, in turns."""

from __future__ import annotations

import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psutil
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from rich.console import Console
from rich.table import Table

from bench.footprint import measured
from bench.handwritten import BRONZE, GOLD, SILVER
from bench.messages import loaded, originals
from vigie.engine.broker import Broker
from vigie.engine.jars import kafka_jars
from vigie.engine.java import java_home
from vigie.settings import read_settings

RESULTS = Path(__file__).parent / "results"
AVERAGES_AGREE = 1e-6  # sums of floats in another order


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one program. `seconds` is from its first trigger to its last commit."""

    who: str
    seconds: float
    messages_per_s: float
    cpu_s: float
    peak_mb: float


def speed(rows: int, rounds: int) -> int:
    """Run both in turns and print what came out; 1 when Vigie is the slower one."""
    settings = read_settings()
    java = java_home(settings.cache)
    with Broker(RESULTS / "kafka", java, kafka_jars(settings.cache, java)) as broker:
        topic = loaded(broker, rows)
        outcomes: list[Outcome] = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
                by_hand, ours = Path(folder, "by-hand"), Path(folder, "vigie")
                outcomes.append(_run("by hand", "bench.handwritten", broker, topic, rows, by_hand))
                outcomes.append(_run("vigie", "bench.pipeline", broker, topic, rows, ours))
                compare(by_hand, ours, rows)
    ratio = _report(outcomes, rows)
    return 1 if ratio < 1.0 else 0


def _run(who: str, module: str, broker: Broker, topic: str, rows: int, lake: Path) -> Outcome:  # noqa: PLR0913
    footprint = measured(module, broker.servers, topic, str(lake), log=RESULTS / f"{module}.log")
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


def compare(by_hand: Path, ours: Path, rows: int) -> None:
    """SystemExit unless both made the same tables, and of the size that the messages call for."""
    wanted = {BRONZE: rows, SILVER: originals(rows)}
    for table, count in wanted.items():
        for lake in (by_hand, ours):
            held = DeltaTable(str(lake / table)).to_pyarrow_dataset().count_rows()
            if held != count:
                raise SystemExit(f"{lake.name}: {table} holds {held:,} rows, and should hold {count:,}")
    reports = [_digest(lake / SILVER) for lake in (by_hand, ours)]
    if reports[0] != reports[1]:
        raise SystemExit(f"{SILVER} is not the same: {reports}")
    windows = [pl.read_delta(str(lake / GOLD)).sort("window_start", "flight_phase") for lake in (by_hand, ours)]
    if windows[0].is_empty():
        raise SystemExit(f"{GOLD} is empty: there are too few messages for a window to close")
    assert_frame_equal(windows[0], windows[1], rel_tol=AVERAGES_AGREE)


def _digest(table: Path) -> int:
    """The same for the same rows in any order."""
    reports = pl.read_delta(str(table)).drop("event_timestamp")
    return int(reports.hash_rows().cast(pl.UInt64).sum())


def _report(outcomes: list[Outcome], rows: int) -> float:
    """Print every run and the medians, keep them, and return how many times as fast Vigie is."""
    by_hand, ours = ([outcome for outcome in outcomes if outcome.who == who] for who in ("by hand", "vigie"))
    ratios = [hand.seconds / own.seconds for hand, own in zip(by_hand, ours, strict=True)]
    cpu_ratio = statistics.median(hand.cpu_s / own.cpu_s for hand, own in zip(by_hand, ours, strict=True))
    ratio = statistics.median(ratios)
    table = Table("", "seconds", "messages/s", "CPU seconds", "peak MB", title=f"{rows:,} messages")
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    table.add_section()
    for several in (by_hand, ours):
        table.add_row(*_cells(_median(several)))
    console = Console()
    console.print(table)
    console.print(f"Vigie is {ratio:.2f} times as fast, and takes {1 / cpu_ratio:.2f} times the CPU seconds (medians).")
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "cores": psutil.cpu_count(),
        "ratio": ratio,
        "ratios": ratios,
        "cpu_ratio": cpu_ratio,
        "runs": [asdict(outcome) for outcome in outcomes],
    }
    (RESULTS / f"speed-{rows}.json").write_text(json.dumps(said, indent=1))
    return ratio


def _median(several: list[Outcome]) -> Outcome:
    of = {
        name: statistics.median(getattr(outcome, name) for outcome in several)
        for name in ("seconds", "messages_per_s", "cpu_s", "peak_mb")
    }
    return Outcome(f"{several[0].who}, median", **of)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    figures = outcome.seconds, outcome.messages_per_s, outcome.cpu_s, outcome.peak_mb
    return outcome.who, *(f"{figure:,.1f}" if figure < 1_000 else f"{figure:,.0f}" for figure in figures)
