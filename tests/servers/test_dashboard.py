"""The dashboard in a real browser, beside a real run: what it shows is what the lake holds, and nothing leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.runs import until
from tests.servers.browser import chromium
from vigie.lake import Lake, query

VIGIE = [sys.executable, "-c", "from vigie.cli import main; main()"]
FULL_PAGE_S = 5.0
FIRST_PAINT_S = 2.0
TRIES = 6
MAP = "[...document.querySelectorAll('.vigie-chart')].find(each => each._fullLayout && each._fullLayout.map)"
POSITIONS = f"""() => {{
    const map = {MAP};
    if (!map) return {{}};
    const found = {{}};
    for (const trace of map._fullData.filter(each => each.marker && String(each.marker.symbol).startsWith('vigie_')))
        for (let at = 0; at < trace.lat.length; at++) found[trace.customdata[at][0]] = [trace.lon[at], trace.lat[at]];
    return found;
}}"""
PIXEL = f"""place => {{
    const map = {MAP}._fullLayout.map._subplot.map, box = map.getCanvas().getBoundingClientRect();
    const at = map.project(place);
    return [box.x + at.x, box.y + at.y];
}}"""
ZOOM = f"() => {MAP}._fullLayout.map._subplot.map.getZoom()"
DRAWN = f"() => {{ const map = {MAP}; return map && map._fullLayout.map._subplot.map.loaded() }}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, str, Callable[[], None]]]:
    """A demo that runs: its lake, the dashboard's address, and what ends it."""
    lake = Lake(tmp_path_factory.mktemp("dashboard") / "lake")
    command = [*VIGIE, "demo", "flights", "--lake", str(lake)]
    said = lake.root.with_name("said.txt")
    fifth = lake.silver("flights_ml") / "_delta_log" / "00000000000000000004.json"
    with said.open("w") as stderr, subprocess.Popen(command, stderr=stderr, start_new_session=True) as process:

        def end() -> None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait()

        def has_five_batches() -> bool:
            assert process.poll() is None, said.read_text()
            return fifth.exists()

        try:
            until(has_five_batches)
            yield lake, re.findall(r"dashboard is at (http://\S+)", said.read_text())[0], end
        finally:
            end()


@pytest.fixture(scope="module")
def standing(demo: tuple[Lake, str, Callable[[], None]]) -> Iterator[tuple[Lake, str]]:
    """The lake that the demo left, and a dashboard over it: nothing moves any more."""
    lake, _, end = demo
    end()
    command = [*VIGIE, "dashboard", "flights", "--lake", str(lake), "--port", "8599"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        address = re.findall(r"http://[\w.:]+", process.stderr.readline())[0]
        yield lake, address
        os.killpg(process.pid, signal.SIGTERM)


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


def tile(page: Page, label: str) -> str:
    """The figure under a label."""
    shown = page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")
    expect(shown).to_be_visible(timeout=20_000)
    return shown.inner_text()


def test_aircraft_move_on_the_map_while_the_demo_runs(demo: tuple[Lake, str, Callable[[], None]]) -> None:
    _, address, _ = demo
    with chromium() as seen:
        went_to(seen.page, f"{address}")
        seen.page.wait_for_function(DRAWN, timeout=60_000)
        moved(seen.page)  # and all that a page does as it opens is over
        zoomed = zoomed_in(seen.page)

        moved(seen.page)

        assert seen.page.evaluate(ZOOM) == pytest.approx(zoomed), "where a person looks is theirs"
        assert seen.hosts == {"127.0.0.1"}
        assert seen.complaints == []


def moved(page: Page) -> None:
    """Wait until there are aircraft, and some are elsewhere."""
    before = page.wait_for_function(
        f"() => {{ const now = ({POSITIONS})(); return Object.keys(now).length > 100 && now }}", timeout=30_000
    ).json_value()
    page.wait_for_function(
        f"before => {{ const now = ({POSITIONS})(); return Object.keys(now).some(each => before[each] && "
        "(before[each][0] != now[each][0] || before[each][1] != now[each][1])) }",
        arg=before,
        timeout=30_000,
    )


def zoomed_in(page: Page) -> float:
    """Turn the wheel over the map; how near it is then."""
    before = page.evaluate(ZOOM)
    page.mouse.move(*page.evaluate(PIXEL, [2.4, 46.6]))
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"before => ({ZOOM})() > before + 0.5", arg=before)
    page.wait_for_function(f"() => !{MAP}._fullLayout.map._subplot.map.isMoving()")
    return float(page.evaluate(ZOOM))


def test_it_listens_on_this_machine_alone(standing: tuple[Lake, str]) -> None:
    _, address = standing

    def heard_at() -> set[str]:
        listening = [at.laddr for at in psutil.net_connections("tcp") if at.status == "LISTEN" and at.laddr]
        return {ip for ip, port in listening if port == urlsplit(address).port}

    until(heard_at)

    assert heard_at() == {"127.0.0.1"}


def test_the_figures_are_those_of_the_lake(standing: tuple[Lake, str]) -> None:
    lake, address = standing
    last = """SELECT count(DISTINCT icao24), count(*) FROM silver.flights_ml
        WHERE event_timestamp > (SELECT max(event_timestamp) FROM silver.flights_ml) - INTERVAL 1 MINUTE"""
    wrong = last.replace(
        "WHERE", "WHERE (altitude_meters NOT BETWEEN -100 AND 12000 OR velocity_kmh NOT BETWEEN 0 AND 1000) AND"
    )
    aloft = """SELECT avg(altitude_meters), avg(velocity_kmh) FROM silver.flights_ml
        WHERE event_timestamp > (SELECT max(event_timestamp) FROM silver.flights_ml) - INTERVAL 1 MINUTE
        AND NOT on_ground AND coalesce(altitude_meters BETWEEN -100 AND 12000, true)
        AND coalesce(velocity_kmh BETWEEN 0 AND 1000, true)"""
    [(aircraft, reports)] = query(lake, last).rows
    [(_, anomalies)] = query(lake, wrong).rows
    [(altitude, speed)] = query(lake, aloft).rows
    [(read,)] = query(lake, 'SELECT sum("read") FROM vigie.flights_ledger WHERE "table" = \'silver/flights_ml\'').rows

    with chromium() as seen:
        went_to(seen.page, address)

        assert tile(seen.page, "Active flights") == f"{aircraft:,}"
        assert tile(seen.page, "Mean altitude") == f"{altitude:,.0f} m"
        assert tile(seen.page, "Mean speed") == f"{speed:,.0f} km/h"
        assert tile(seen.page, "Anomaly rate") == f"{100 * anomalies / reports:.2f} %"
        seen.page.wait_for_function(DRAWN, timeout=60_000)
        assert len(seen.page.evaluate(POSITIONS)) == aircraft
        seen.page.get_by_role("link", name="Health").click()
        assert tile(seen.page, "Rows read") == f"{read:,}"
        assert tile(seen.page, "Rows not accounted for") == "0"
        assert seen.hosts == {"127.0.0.1"}
        assert seen.complaints == []


def test_a_click_on_an_aircraft_tells_all_about_it(standing: tuple[Lake, str]) -> None:
    lake, address = standing
    with chromium() as seen:
        went_to(seen.page, address)
        seen.page.wait_for_function(DRAWN, timeout=60_000)
        places: dict[str, list[float]] = seen.page.evaluate(POSITIONS)
        alone = max(places, key=lambda one: nearest(places, one))
        x, y = seen.page.evaluate(PIXEL, places[alone])

        seen.page.mouse.move(x, y)
        expect(seen.page.locator(".hoverlayer .hovertext")).to_be_visible()
        seen.page.mouse.click(x, y)

        expect(seen.page.get_by_text("Vertical rate")).to_be_visible()
        [(country,)] = query(
            lake, f"SELECT any_value(origin_country) FROM silver.flights_ml WHERE icao24 = '{alone}'"
        ).rows
        expect(seen.page.get_by_text(f"Country {country}")).to_be_visible()


def nearest(places: dict[str, list[float]], one: str) -> float:
    """How far the nearest other aircraft is, in degrees; those at the edge of the map are left out."""
    lon, lat = places[one]
    if not (-2 < lon < 6 and 44 < lat < 49):
        return 0.0
    return min((abs(x - lon) + abs(y - lat) for each, (x, y) in places.items() if each != one), default=0.0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(standing: tuple[Lake, str], dark: bool) -> None:
    _, address = standing
    with chromium(dark=dark) as seen:
        went_to(seen.page, address)
        tile(seen.page, "Active flights")
        assert faults(seen.page) == []
        seen.page.get_by_role("link", name="Health").click()
        tile(seen.page, "Rows read")
        assert faults(seen.page) == []


def faults(page: Page) -> list[Any]:
    """What axe finds on a page that keeps a person from reading or using it, and still finds when all has faded in."""
    for _ in range(TRIES):
        if not (found := faults_now(page)):
            break
    return found


def faults_now(page: Page) -> list[Any]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (fault["id"], [(node["target"], node["failureSummary"]) for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


def test_the_pages_can_be_reached_by_keyboard_alone(standing: tuple[Lake, str]) -> None:
    _, address = standing
    with chromium() as seen:
        went_to(seen.page, address)
        expect(seen.page.get_by_role("link", name="Health")).to_be_visible(timeout=20_000)
        for _ in range(20):
            seen.page.keyboard.press("Tab")
            if seen.page.evaluate("() => document.activeElement.matches('a[href$=\"/health\"]')"):
                break

        seen.page.keyboard.press("Enter")

        assert tile(seen.page, "Rows read")


def test_it_is_there_quickly_on_a_warm_server(standing: tuple[Lake, str]) -> None:
    _, address = standing
    with chromium() as seen:
        went_to(seen.page, address)
        tile(seen.page, "Active flights")
        loads = [loaded(seen.page, address) for _ in range(TRIES)]  # other tests run beside it

    assert min(painted for painted, _ in loads) < FIRST_PAINT_S
    assert min(full for _, full in loads) < FULL_PAGE_S


def loaded(page: Page, address: str) -> tuple[float, float]:
    """Seconds until something is painted, and until all of it is."""
    began = time.monotonic()
    page.goto(address)
    page.get_by_test_id("stApp").wait_for()
    painted = time.monotonic() - began
    tile(page, "Active flights")
    page.wait_for_function(DRAWN, timeout=60_000)
    return painted, time.monotonic() - began


def test_a_lake_that_appears_later_is_shown_without_a_reload(tmp_path: Path) -> None:
    from tests.dashboard.lakes import a_lake

    command = [*VIGIE, "dashboard", "--lake", str(tmp_path / "lake"), "--port", "8598"]
    with (
        subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process,
        chromium(390, 844) as seen,
    ):
        went_to(seen.page, "http://127.0.0.1:8598")
        expect(seen.page.get_by_text("Nothing to see yet")).to_be_visible(timeout=20_000)

        a_lake(tmp_path / "lake", aircraft=5)

        assert tile(seen.page, "Active flights") == "5"
        os.killpg(process.pid, signal.SIGTERM)
