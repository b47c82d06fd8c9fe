"""Runs of the dashboard to look at, and long looks at its live map while the machine is busy."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from tests.runs import until
from tests.servers.browser import chromium
from tests.servers.map_page import DRAWN, RADAR
from vigie.lake import Lake

VIGIE = [sys.executable, "-c", "from vigie.cli import main; main()"]
LOOKS = {"light": (1280, False), "dark": (1280, True), "390 pixels": (390, False)}
LOOK_EVERY_MS = 500
# What a person must never see: Streamlit's boxes for a fault, a component's stack trace, our own "could not be drawn".
FAULTS = """() => [
    ...document.querySelectorAll('[data-testid="stException"], [data-testid="stAlertContentError"]'),
].map(each => each.innerText)
    .concat(document.body.innerText.match(/BidiComponent Error.*|.*could not be drawn.*/g) || [])"""
# Where aircraft are drawn, and where they were last reported.
PLACES = f"() => ({DRAWN})() ? [{RADAR}.aircraft(), {RADAR}.reports()] : [{{}}, {{}}]"
AGREES = f"""() => {{
    const tile = [...document.querySelectorAll('[data-testid="stMetric"]')]
        .find(each => each.innerText.includes('Active flights'));
    const shown = tile?.querySelector('[data-testid="stMetricValue"]')?.innerText;
    return shown === {RADAR}.count().toLocaleString('en-US');
}}"""


@dataclass(slots=True)
class Demo:
    """A demo that runs."""

    lake: Lake
    address: str
    process: subprocess.Popen[bytes]

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait()


@contextmanager
def a_demo(folder: Path) -> Iterator[Demo]:
    """`vigie demo flights`, once five batches are in silver."""
    lake = Lake(folder / "lake")
    said = folder / "said.txt"
    fifth = lake.silver("flights_ml") / "_delta_log" / "00000000000000000004.json"
    command = [*VIGIE, "demo", "flights", "--lake", str(lake)]
    with said.open("w") as stderr, subprocess.Popen(command, stderr=stderr, start_new_session=True) as process:

        def has_five_batches() -> bool:
            assert process.poll() is None, said.read_text()
            return fifth.exists()

        try:
            until(has_five_batches)
            demo = Demo(lake, re.findall(r"dashboard is at (http://\S+)", said.read_text())[0], process)
            yield demo
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)


@contextmanager
def a_dashboard(lake: Lake, port: int) -> Iterator[str]:
    """`vigie dashboard flights` over a lake, and its address."""
    command = [*VIGIE, "dashboard", "flights", "--lake", str(lake), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        try:
            yield re.findall(r"http://[\w.:]+", process.stderr.readline())[0]
        finally:
            os.killpg(process.pid, signal.SIGTERM)


@contextmanager
def busy_cores(many: int = 2) -> Iterator[None]:
    """As many processes as there are cores, each of which takes all that it is given."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(many)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


def went_to(page: Page, address: str) -> None:
    """Open a page once its server answers."""
    import httpx

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/_stcore/health").is_success
        except httpx.TransportError:
            return False

    until(answers)
    page.goto(address)


@dataclass(slots=True)
class Look:
    """What one load of the page showed."""

    name: str
    faults: list[str] = field(default_factory=list)
    most: int = 0
    went_on: int = 0
    frames: int = 0

    def is_good(self) -> bool:
        return not self.faults and self.most > 100 and self.went_on > 0


def watched(address: str, name: str, seconds: float) -> Look:
    """Load the page in one of its looks, and watch the map from the moment it is drawn."""
    width, dark = LOOKS[name]
    look = Look(name)
    with chromium(width, 900, dark=dark) as seen:
        page = seen.page
        went_to(page, address)
        page.wait_for_function(DRAWN, timeout=120_000)
        page.locator(".vigie-map").scroll_into_view_if_needed()
        end = time.monotonic() + seconds
        drawn, reported = page.evaluate(PLACES)
        while time.monotonic() < end:
            page.wait_for_timeout(LOOK_EVERY_MS)
            look.faults += [each for each in page.evaluate(FAULTS) if each not in look.faults]
            now, reports = page.evaluate(PLACES)
            look.most = max(look.most, len(now))
            look.went_on += any(now[one] != drawn.get(one) and reports[one] == reported.get(one) for one in now)
            drawn, reported = now, reports
        page.wait_for_function(AGREES, timeout=60_000)  # tile and map are drawn one after the other
        look.frames = page.evaluate(f"() => {RADAR}.frames()")
        look.faults += seen.complaints
        if not look.is_good() and (pictures := os.environ.get("VIGIE_PICTURES")):
            page.screenshot(path=Path(pictures) / f"fault-{name}-{time.time():.0f}.png")
    return look
