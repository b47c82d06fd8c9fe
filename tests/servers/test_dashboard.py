"""The dashboard in a real browser, beside a real run: what it shows is what the lake holds, and nothing leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.runs import until
from tests.servers.browser import chromium
from tests.servers.map_page import DRAWN, RADAR, ask
from tests.servers.watching import LOOKS, VIGIE, Demo, a_dashboard, a_demo, busy_cores, watched, went_to
from tests.tier import by_night
from vigie.lake import Lake
from vigie.sql import query

FULL_PAGE_S = 5.0
FIRST_PAINT_S = 2.0
TRIES = 20
WATCHED_S = 8.0
POSITIONS = f"() => document.querySelector('.vigie-map')?.radar ? {RADAR}.reports() : {{}}"
SHOWN = f"() => ({DRAWN})() && {RADAR}.isGroundDrawn()"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with a_demo(tmp_path_factory.mktemp("dashboard")) as demo:
        yield demo


@pytest.fixture(scope="module")
def standing(demo: Demo) -> Iterator[tuple[Lake, str]]:
    """The lake that the demo left, and a dashboard over it: nothing moves any more."""
    demo.end()
    with a_dashboard(demo.lake, 8599) as address:
        yield demo.lake, address


def tile(page: Page, label: str) -> str:
    """The figure under a label."""
    shown = page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")
    expect(shown).to_be_visible()
    return shown.inner_text()


def test_aircraft_move_on_the_map_while_the_demo_runs(demo: Demo) -> None:
    with chromium() as seen:
        went_to(seen.page, demo.address)
        seen.page.wait_for_function(SHOWN, timeout=60_000)
        moved(seen.page)  # and all that a page does as it opens is over
        zoomed = zoomed_in(seen.page)

        moved(seen.page)

        assert ask(seen.page, "zoom()") == pytest.approx(zoomed), "where a person looks is theirs"
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
    before = ask(page, "zoom()")
    page.locator(".vigie-map").hover()
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"before => {RADAR}.zoom() > before + 0.5", arg=before)
    page.wait_for_function(f"() => !{RADAR}.isMoving()")
    return float(ask(page, "zoom()"))


def test_aircraft_move_on_a_busy_machine_in_each_look(demo: Demo) -> None:
    with busy_cores():
        looks = [watched(demo.address, name, WATCHED_S) for name in by_night([*LOOKS], few=["390 pixels"])]

    assert [look for look in looks if not look.is_good()] == []


def test_it_listens_on_this_machine_alone(standing: tuple[Lake, str]) -> None:
    _, address = standing

    def heard_at() -> set[str]:
        listening = [at.laddr for at in psutil.net_connections("tcp") if at.status == "LISTEN" and at.laddr]
        return {ip for ip, port in listening if port == urlsplit(address).port}

    until(heard_at)

    assert heard_at() == {"127.0.0.1"}


def test_the_figures_are_those_of_the_lake(standing: tuple[Lake, str]) -> None:
    lake, address = standing
    # When nine of ten aircraft were last heard, of those that were in the last ten minutes.
    newest = """(SELECT quantile_disc(heard, 0.9) FROM (SELECT max(event_timestamp) AS heard FROM silver.flights_ml
        GROUP BY icao24 HAVING heard > (SELECT max(event_timestamp) FROM silver.flights_ml) - INTERVAL 10 MINUTES))"""
    last = f"""SELECT count(DISTINCT icao24), count(*) FROM silver.flights_ml
        WHERE event_timestamp > {newest} - INTERVAL 1 MINUTE"""
    wrong = last.replace(
        "WHERE", "WHERE (altitude_meters NOT BETWEEN -100 AND 12000 OR velocity_kmh NOT BETWEEN 0 AND 1000) AND"
    )
    aloft = f"""SELECT avg(altitude_meters), avg(velocity_kmh) FROM silver.flights_ml
        WHERE event_timestamp > {newest} - INTERVAL 1 MINUTE
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
        seen.page.wait_for_function(SHOWN, timeout=60_000)
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
        seen.page.wait_for_function(SHOWN, timeout=60_000)
        places: dict[str, list[float]] = seen.page.evaluate(POSITIONS)
        alone = max(places, key=lambda one: nearest(places, one))
        x, y = ask(seen.page, f"pixel('{alone}')")

        seen.page.mouse.move(x, y)
        expect(seen.page.get_by_role("tooltip")).to_contain_text("km/h")
        seen.page.mouse.click(x, y)

        card = seen.page.get_by_role("region", name="The chosen aircraft")
        [(country, heard)] = query(
            lake,
            f"""SELECT any_value(origin_country), max(event_timestamp)::TIMESTAMP FROM silver.flights_ml
            WHERE icao24 = '{alone}'""",
        ).rows
        at = heard.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris"))
        said = card.inner_text().replace("\n", " ")
        assert f"ICAO address {alone}" in said
        assert f"Country {country}" in said
        assert f"Heard {at:%H:%M:%S} Europe/Paris" in said
        expect(seen.page.get_by_text(re.compile("^Altitude of .* in the last ten minutes"))).to_be_visible()
        seen.page.get_by_role("button", name="Close", exact=True).click()
        expect(seen.page.get_by_text(re.compile("^Altitude of "))).to_have_count(0)
        assert seen.complaints == []


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
        expect(seen.page.get_by_role("link", name="Health")).to_be_visible()
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
        for _ in range(TRIES):  # other tests run beside it
            painted, full = loaded(seen.page, address)
            if painted < FIRST_PAINT_S and full < FULL_PAGE_S:
                break

    assert painted < FIRST_PAINT_S
    assert full < FULL_PAGE_S


def loaded(page: Page, address: str) -> tuple[float, float]:
    """Seconds until something is painted, and until all of it is."""
    began = time.monotonic()
    page.goto(address)
    page.get_by_test_id("stApp").wait_for()
    painted = time.monotonic() - began
    tile(page, "Active flights")
    page.wait_for_function(SHOWN, timeout=60_000)
    return painted, time.monotonic() - began


def test_a_lake_that_appears_later_is_shown_without_a_reload(tmp_path: Path) -> None:
    from tests.dashboard.lakes import a_lake

    command = [*VIGIE, "dashboard", "--lake", str(tmp_path / "lake"), "--port", "8598"]
    with (
        subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process,
        chromium(390, 844) as seen,
    ):
        went_to(seen.page, "http://127.0.0.1:8598")
        expect(seen.page.get_by_text("Nothing to see yet")).to_be_visible()

        a_lake(tmp_path / "lake", aircraft=5)

        assert tile(seen.page, "Active flights") == "5"
        os.killpg(process.pid, signal.SIGTERM)
