"""Many sensors beside the usual number: as many messages, taken by Vigie alone, in turns."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.speed import Outcome, broker, keep, median, ran, table_of
from bench.workload import Workload

MEMORY_LIMIT = 1.25  # of ten times as many sensors, whose readings are remembered
SLOWER_LIMIT = 2.0


def scale(usual: Workload, many: Workload, rows: int, rounds: int) -> int:
    """Print throughput and memory of both; 1 when one is not bounded as it should be."""
    outcomes: list[Outcome] = []
    names = "usual", "many"
    with broker() as kafka:
        topics = [workload.loaded(kafka, rows) for workload in (usual, many)]
        for _ in range(rounds):
            for name, topic in zip(names, topics, strict=True):
                with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
                    outcomes.append(ran(name, usual.vigie, (kafka.servers, topic), rows, Path(folder, "lake")))
    console = Console()
    console.print(table_of(outcomes, names, f"{rows:,} messages: {' and '.join(topics)}"))
    keep(f"scale-{usual.name}-{rows}", {"topics": topics, "runs": [asdict(outcome) for outcome in outcomes]})
    before, after = (median(outcomes, name) for name in names)
    slower, larger = before.messages_per_s / after.messages_per_s, after.peak_mb / before.peak_mb
    return judged(
        console,
        {
            f"throughput falls less than half (by {slower:.2f} times)": slower < SLOWER_LIMIT,
            f"memory grows by less than a quarter (to {larger:.2f} times)": larger < MEMORY_LIMIT,
        },
    )


def judged(console: Console, kept: dict[str, bool]) -> int:
    """Say which limits are kept; 1 when one is not."""
    for limit, is_kept in kept.items():
        console.print(f"{'kept' if is_kept else 'NOT KEPT'}: {limit}")
    return 0 if all(kept.values()) else 1
