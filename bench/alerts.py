"""The alerts alone: Vigie's watch beside one stateful operator of Spark, over the same silver, in turns."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.comparison import holds
from bench.footprint import measured
from bench.sensors.alone import opened
from bench.sensors.handwritten import SILVER
from bench.sensors.workload import same_alerts
from bench.speed import broker, keep, ran
from bench.workload import RESULTS, Workload

ALONE = "bench.sensors.alone"


def alerts(workload: Workload, rows: int, rounds: int) -> int:
    """Print how many readings a second each judges, when silver is there; 1 when Vigie is the slower one."""
    runs: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        lake = Path(folder, "lake")
        with broker() as kafka:
            ran("vigie, to make silver", workload.vigie, (kafka.servers, workload.loaded(kafka, rows)), rows, lake)
        readings = holds(lake, SILVER)
        for turn in range(rounds):
            for who in ("by-hand", "vigie"):
                own, log = Path(folder, f"{who}-{turn}"), RESULTS / f"{ALONE}-{who}.log"
                footprint = measured(ALONE, who, str(lake), str(own), log=log)
                seconds = float(log.read_text().splitlines()[-1])
                peak_mb = footprint.peak / 1e6
                runs.append({"who": who, "seconds": seconds, "cpu_s": footprint.cpu_s, "peak_mb": peak_mb})
            same_alerts(*(opened(who, Path(folder, f"{who}-{turn}")) for who in ("by-hand", "vigie")))
    table = Table("", "seconds", "readings/s", "CPU seconds", "peak MB", title=f"alerts on {readings:,} readings")
    for run in runs:
        seconds = float(run["seconds"])
        figures = seconds, readings / seconds, float(run["cpu_s"]), float(run["peak_mb"])
        table.add_row(str(run["who"]), *(f"{figure:,.1f}" for figure in figures))
    Console().print(table)
    keep(f"alerts-{rows}", {"readings": readings, "runs": runs})
    by_hand, ours = (
        statistics.median(float(run["seconds"]) for run in runs if run["who"] == who) for who in ("by-hand", "vigie")
    )
    return 1 if ours > by_hand else 0
