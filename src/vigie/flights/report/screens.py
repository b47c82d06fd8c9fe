"""The page of flights as a browser shows it: by a dashboard and a Chromium of the report's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vigie.dashboard import chromium, serving
from vigie.dashboard.chromium import NoPicture, Page
from vigie.errors import BadSetting
from vigie.flights.report.figures import PIPELINE
from vigie.lake import Lake

WIDTH, HEIGHT = 1_280, 2_600  # as tall as the page, so that all of it is drawn
ANSWERS_WITHIN_S, DRAWN_WITHIN_S = 40.0, 40.0

RADAR = "document.querySelector('.vigie-map').radar"
CHARTS = "[...document.querySelectorAll('.vigie-chart')]"
HEADINGS = "[...document.querySelectorAll('h2')]"
# The map has its land and its aircraft, each part of the page is there, and each chart that came is drawn.
DRAWN = (
    f"{RADAR}.isDrawn() && {RADAR}.isGroundDrawn() && {HEADINGS}.length >= 6 && {CHARTS}.length >= 2 && "
    f"{CHARTS}.every(chart => chart._fullLayout) && !document.querySelector('[data-testid=stSkeleton]') && "
    "!document.body.innerText.includes('Reading the lake')"
)
PLACES = f"""(() => {{
    const title = document.querySelector('h1').getBoundingClientRect();
    const tops = {HEADINGS}.map(heading => heading.getBoundingClientRect().top);
    const last = {CHARTS}.at(-1).getBoundingClientRect().bottom;
    return {{left: title.left, right: title.right, top: title.top, charts: tops[1], end: last}};
}})()"""
MARGIN = 12  # around what is cut out, in pixels


class Missing(StrEnum):
    """Why there is no picture of the dashboard."""

    NO_DASHBOARD = "no_dashboard"
    NO_CHROMIUM = "no_chromium"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Screens:
    """The pictures that were taken, by what they show; or why there are none."""

    pictures: dict[str, bytes]
    missing: Missing | None = None


def screens(lake: Lake, folder: Path, say: Callable[[str], None]) -> Screens:
    """The page's figures with the map, and its charts; `folder` takes what the dashboard has to say."""
    program = chromium.program()
    try:
        serving.check_installed()
    except BadSetting as problem:
        say(f"Without pictures of the dashboard: {problem}")
        return Screens({}, Missing.NO_DASHBOARD)
    if program is None:
        say("Without pictures of the dashboard: there is no Chromium. Install one: apt-get install chromium")
        return Screens({}, Missing.NO_CHROMIUM)
    log = folder / "dashboard.log"
    try:
        with serving.unseen(lake, PIPELINE, log) as address, chromium.page(program, WIDTH, HEIGHT) as page:
            return Screens(_taken(page, address))
    except NoPicture as problem:
        say(f"Without pictures of the dashboard: {problem}")
        return Screens({}, Missing.FAILED)


def _taken(page: Page, address: str) -> dict[str, bytes]:
    if not serving.answers(address, ANSWERS_WITHIN_S, threading.Event()):
        raise NoPicture("the dashboard did not answer in time", where=address)
    page.open(f"{address}/?tz=UTC")
    page.wait_for(DRAWN, DRAWN_WITHIN_S)
    places = page.value(PLACES)
    left, width = places["left"] - MARGIN, places["right"] - places["left"] + 2 * MARGIN
    top, middle, end = places["top"] - MARGIN, places["charts"] - MARGIN, places["end"] + MARGIN
    return {
        "map": page.picture(left, top, width, middle - top),
        "charts": page.picture(left, middle, width, end - middle),
    }
