"""A page with the live map alone: no Streamlit and no server, and files fail as a test wants them to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Page, Route

from tests.dashboard.lakes import a_position
from tests.servers.browser import Seen, chromium
from vigie.dashboard import serving
from vigie.flights import live_map
from vigie.flights.live_map import Sight

ADDRESS = "http://127.0.0.1:9"  # nothing listens there: every request is answered by the test
STATIC = serving.APP.with_name("static")
RADAR = "document.querySelector('.vigie-map').radar"
DRAWN = f"() => Boolean(document.querySelector('.vigie-map')?.radar) && {RADAR}.isDrawn()"
GROUND = f"() => Boolean(document.querySelector('.vigie-map')?.radar) && {RADAR}.isGroundDrawn()"
POINTS = """() => {
    const canvas = document.querySelector('.vigie-map-aircraft');
    if (!canvas || !canvas.width) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let at = 3; at < data.length; at += 4) found += data[at] > 0;
    return found;
}"""  # of the canvas, that are not clear
HTML = """<!doctype html><html lang="en"><title>A map</title><body style="margin: 0"><style>%s</style>
<main id="place" style="width: 100%%; font-family: sans-serif"></main>
<script type="module">
import draw from "/component.mjs";
window.told = [];
window.cleanups = [];
window.update = (data, place = document.getElementById("place")) => {
    const setStateValue = (name, value) => window.told.push([name, value]);
    const cleanup = draw({ data, parentElement: place, setStateValue });
    window.cleanups.push(cleanup);
};
window.isReady = true;
</script></body></html>"""


@dataclass
class Files:
    """What the page is given; a test may keep files from it."""

    missing: set[str] = field(default_factory=set)
    waiting: dict[str, list[Route]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, route: Route) -> None:
        name = route.request.url.removeprefix(ADDRESS).split("?")[0]
        self.asked.append(name)
        if name in self.missing:
            route.abort()
        elif name in self.waiting:
            self.waiting[name].append(route)
        else:
            self.give(route, name)

    def give(self, route: Route, name: str) -> None:
        if name == "/":
            body = HTML % (live_map.FOLDER / "radar.css").read_text()
            route.fulfill(body=body, content_type="text/html")
        elif name == "/component.mjs":
            route.fulfill(body=live_map.script(), content_type="text/javascript")
        elif name.startswith("/radar/"):
            route.fulfill(path=live_map.FOLDER / Path(name).name, content_type="text/javascript")
        elif name.startswith("/app/static/"):
            route.fulfill(path=STATIC / Path(name).name)
        else:
            route.fulfill(status=204)

    def hold(self, name: str) -> None:
        self.waiting[name] = []

    def release(self, name: str) -> None:
        for route in self.waiting.pop(name):
            self.give(route, name)


LAND = "/app/static/land.json"
LIBRARY = f"/app/static/{live_map.LIBRARY}"


@contextmanager
def a_page(files: Files | None = None, *, width: int = 900, dark: bool = False) -> Iterator[Seen]:
    """A page that waits for updates."""
    with chromium(width, 700, dark=dark) as seen:
        seen.page.route("**/*", (files or Files()).answer)
        seen.page.goto(f"{ADDRESS}/")
        seen.page.wait_for_function("() => window.isReady")
        yield seen


def a_snapshot(
    *aircraft: dict[str, Any],
    at: datetime | None = None,
    chosen: str | None = None,
    trails: list[dict[str, Any]] | None = None,
    dark: bool = False,
) -> dict[str, Any]:
    """What the server says of these aircraft, each as `a_position` makes it; what is not said of time is now."""
    now = at or datetime.now(UTC)
    columns = [*a_position()]
    rows = pd.DataFrame([{"event_timestamp": now, **each} for each in aircraft], columns=columns)
    behind = pd.DataFrame(trails or [], columns=["icao24", "longitude", "latitude"])
    rows["event_timestamp"] = pd.to_datetime(rows["event_timestamp"], utc=True)
    sight = Sight(rows, behind, chosen)
    said = live_map.snapshot(sight, now, zone="Europe/Paris", dark=dark, page=f"{ADDRESS}/")
    told: dict[str, Any] = json.loads(json.dumps(said))
    return told | {"key": "map", "height": 500}


def an_aircraft(number: int = 0, *, ago: float = 0, **changes: Any) -> dict[str, Any]:
    """One of many that are told apart: each is at another place."""
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    place = {"latitude": 44 + number % 50 / 8, "longitude": -3 + number // 50 % 100 / 8}
    name = {"icao24": f"{number:06x}", "callsign": f"VIG{number}"}
    return a_position(event_timestamp=moment, **{**name, **place, **changes})


def update(page: Page, snapshot: Any) -> None:
    page.evaluate("snapshot => window.update(snapshot)", snapshot)


def ask(page: Page, what: str) -> Any:
    """What the map says of itself."""
    return page.evaluate(f"() => {RADAR}.{what}")
