"""The demo beside its dashboard in a browser: how long until the first aircraft is on the map, how old a report is when
it is first there, and how old the newest of the tiles are at any moment."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from playwright.sync_api import Page
from rich.console import Console
from rich.table import Table

from bench.footprint import Footprint, Meter
from bench.scale import judged
from bench.speed import keep
from bench.workload import RESULTS, Ages, spread
from tests.runs import until
from tests.servers.browser import chromium
from tests.servers.test_dashboard import POSITIONS
from tests.servers.watching import VIGIE, went_to
from vigie.lake import Lake

LOOK_EVERY_S = 0.5
WARM_UP_S = 90.0  # ten minutes of past are caught up with
P95_LIMIT_S, FIRST_WITHIN_S = 10.0, 10.0
LAST = re.compile(r"Last data [^(]*\((\S+ \S+) ([\w/]+)\)")
PLACES = 5  # of a degree, a metre: what the page may have rounded

Position = tuple[str, float, float]


def pixel(minutes: float) -> int:
    """Print them; 1 when a limit is not kept."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        lake = Lake(Path(folder, "lake"))
        with (RESULTS / "pixel.log").open("w+") as log:
            command = [*VIGIE, "demo", "flights", "--lake", str(lake)]
            asked_at = time.time()
            demo = subprocess.Popen(command, stderr=log, start_new_session=True)
            try:
                until(lambda: "dashboard is at" in (RESULTS / "pixel.log").read_text())
                [address, *_] = re.findall(r"http://\S+", (RESULTS / "pixel.log").read_text())
                meter = Meter(os.getpid())
                first, tiles = _watched(address, minutes)
                footprint = meter.stop()
                took = min(first.values()) - asked_at
            finally:
                os.killpg(demo.pid, signal.SIGINT)
                demo.wait(120)
        settled = {position: at for position, at in first.items() if at >= asked_at + WARM_UP_S}
        ages = [_of_map(lake, settled), _of_tiles(tiles)]
    return _report(took, ages, footprint, minutes)


def _watched(address: str, minutes: float) -> tuple[dict[Position, float], list[float]]:
    """When each position was first on the map, in epoch seconds, and the age of the newest data at each look."""
    first: dict[Position, float] = {}
    ages: list[float] = []
    with chromium() as seen:
        went_to(seen.page, address)
        began = time.time() + WARM_UP_S
        while (now := time.time()) < began + minutes * 60:
            for icao24, (longitude, latitude) in seen.page.evaluate(POSITIONS).items():
                first.setdefault((icao24, round(longitude, PLACES), round(latitude, PLACES)), time.time())
            if now >= began and (age := _shown_age(seen.page)) is not None:
                ages.append(age)
            seen.page.wait_for_timeout(LOOK_EVERY_S * 1_000)
    return first, ages


def _shown_age(page: Page) -> float | None:
    """Seconds from the newest event that the tiles show to now; none while they draw."""
    found = LAST.search(page.inner_text("body"))
    if found is None:
        return None
    newest = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo(found[2]))
    return time.time() - newest.timestamp()


def _of_map(lake: Lake, first: dict[Position, float]) -> Ages:
    names = zip(*first, strict=True)
    seen = pa.table(dict(zip(("icao24", "longitude", "latitude"), names, strict=True)) | {"at": list(first.values())})
    with duckdb.connect() as database:
        database.register("seen", seen)
        database.register("reports", DeltaTable(str(lake.silver("flights_ml"))).to_pyarrow_dataset())
        return spread(
            database,
            "the aircraft was there, to its place on the map",
            f"""SELECT seen."at" - epoch(min(event_timestamp)) AS age
            FROM seen JOIN reports ON seen.icao24 = reports.icao24
                AND round(reports.longitude, {PLACES}) = seen.longitude
                AND round(reports.latitude, {PLACES}) = seen.latitude
            GROUP BY seen.icao24, seen.longitude, seen.latitude, seen."at" """,
        )


def _of_tiles(ages: list[float]) -> Ages:
    quantiles = statistics.quantiles(ages, n=100)
    return Ages("the newest event that the tiles show, to now", len(ages), quantiles[49], quantiles[94], quantiles[98])


def _report(took: float, ages: list[Ages], footprint: Footprint, minutes: float) -> int:
    console = Console()
    table = Table("seconds since", "seen", "p50", "p95", "p99", title=f"{minutes:g} minutes of the demo and a browser")
    for each in ages:
        table.add_row(each.since, f"{each.many:,}", *(f"{figure:.1f}" for figure in (each.p50, each.p95, each.p99)))
    console.print(f"the first aircraft was on the map {took:.1f} s after the command")
    console.print(table)
    cores = footprint.cpu_s / (minutes * 60 + WARM_UP_S)
    console.print(f"feed, run, dashboard and browser: {cores:.2f} cores, {footprint.peak / 1e6:,.0f} MB at most")
    keep(
        "pixel",
        {"first_s": took, "ages": [asdict(each) for each in ages], "cores": cores, "peak_mb": footprint.peak / 1e6},
    )
    kept = {f"the first aircraft is there within {FIRST_WITHIN_S:g} s": took < FIRST_WITHIN_S}
    kept |= {f"{each.since}: p95 under {P95_LIMIT_S:g} s": each.p95 < P95_LIMIT_S for each in ages}
    return judged(console, kept)
