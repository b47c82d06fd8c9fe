"""The other pages of the dashboard in a real browser, over a lake that stands still: sensors, activity and alerts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest
from playwright.sync_api import Page, expect

from tests.activity import test_page as activity
from tests.activity.days import kept
from tests.sensors import test_page as sensors
from tests.servers.browser import Seen, chromium
from tests.servers.test_dashboard import faults, tile
from tests.servers.watching import VIGIE, went_to
from vigie.commands import ACK, given
from vigie.lake import Lake
from vigie.sql import query

PAGES = ("Sensors", "Activity", "Alerts")
PHONE = 768  # pixels: narrower pages put the list of pages away
CHARTS = "[...document.querySelectorAll('.vigie-chart')]"
FIRST_TILE = {"Sensors": "Sensors heard", "Activity": "Events a minute", "Alerts": "Open, critical"}


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return sensors.readings()


@pytest.fixture(scope="module")
def standing(rows: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, str]]:
    """A lake of sensors and activity, and a dashboard over it."""
    lake = sensors.filled(tmp_path_factory.mktemp("pages") / "lake", rows)
    kept(lake, activity.EVENTS, activity.CHANGES)
    activity.closed_windows(lake)
    command = [*VIGIE, "dashboard", "--lake", str(lake), "--port", "8597", "--allow-actions"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        yield lake, re.findall(r"http://[\w.:]+", process.stderr.readline())[0]
        os.killpg(process.pid, signal.SIGTERM)


def turned_to(seen: Seen, address: str, name: str) -> Page:
    """A page by its link, once its first figure is there."""
    went_to(seen.page, address)
    expect(seen.page.get_by_role("heading", level=1)).to_be_visible()
    link = seen.page.get_by_role("link", name=name)
    size = seen.page.viewport_size
    assert size is not None
    if size["width"] < PHONE:
        seen.page.get_by_test_id("stExpandSidebarButton").click()
    link.click()
    if size["width"] < PHONE:
        seen.page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
        expect(link).not_to_be_in_viewport()
    tile(seen.page, FIRST_TILE[name])
    return seen.page


def test_the_figures_are_those_of_the_lake(standing: tuple[Lake, str], rows: pl.DataFrame) -> None:
    lake, address = standing
    still_open = query(
        lake,
        """SELECT severity, count(*) FROM vigie.sensors_alerts WHERE closed_at IS NULL AND suppressed_by IS NULL
        GROUP BY ALL""",
    ).rows
    last_minute = len(rows.filter(pl.col("event_timestamp") > sensors.NOON - sensors.MINUTE))

    with chromium() as seen:
        page = turned_to(seen, address, "Sensors")
        assert tile(page, "Readings") == f"{last_minute / 60:,.1f} a second"
        assert tile(page, "Sensors heard") == str(sensors.newest_of(rows)["heard"].sum())
        page = turned_to(seen, address, "Activity")
        for label, figure in activity.figures_of(activity.EXPECTED).items():
            assert tile(page, label) == figure
        page = turned_to(seen, address, "Alerts")
        assert still_open
        for severity, count in still_open:
            assert tile(page, f"Open, {severity}") == str(count)

        assert seen.hosts == {"127.0.0.1"}
        assert seen.complaints == []


@pytest.mark.parametrize("name", ["Flights", *PAGES, "Health"])
def test_a_page_opens_at_its_own_address_without_a_complaint(standing: tuple[Lake, str], name: str) -> None:
    _, address = standing
    with chromium() as seen:
        went_to(seen.page, address)
        seen.page.goto(f"{address}/{name.lower()}")
        expect(seen.page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
        assert seen.page.url == f"{address}/{name.lower()}"
    assert seen.complaints == []


def menu(page: Page) -> list[str]:
    """The pages in the menu, and which of them is the one that is open."""
    links = page.get_by_test_id("stSidebarNavLink").all()
    opened = [" (open)" if link.get_attribute("aria-current") == "page" else "" for link in links]
    names = [link.locator("[data-testid=stMarkdownContainer]").inner_text() for link in links]
    return [f"{name}{is_open}" for name, is_open in zip(names, opened, strict=True)]


def opens(page: Page, address: str, name: str) -> list[str]:
    """The menu of a page that was asked for by its address, once it is known which one that is."""
    page.goto(address)
    expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
    expect(page.locator("[data-testid=stSidebarNavLink][aria-current=page]")).to_have_text(re.compile(f"{name}$"))
    return menu(page)


def test_the_menu_has_what_the_lake_holds_and_the_page_that_is_open(standing: tuple[Lake, str]) -> None:
    _, address = standing
    with chromium() as seen:
        went_to(seen.page, address)

        assert opens(seen.page, address, "Sensors") == ["Sensors (open)", "Activity", "Alerts", "Health"]
        assert opens(seen.page, f"{address}/sensors", "Sensors") == ["Sensors (open)", "Activity", "Alerts", "Health"]
        assert opens(seen.page, f"{address}/health", "Health") == ["Sensors", "Activity", "Alerts", "Health (open)"]
        flights = opens(seen.page, f"{address}/flights", "Flights")
        assert flights == ["Flights (open)", "Sensors", "Activity", "Alerts", "Health"]
        assert seen.complaints == []


ABOVE = """tools => tools.map(each => {
    const above = each.closest('.stElementContainer').previousElementSibling;
    return each.getBoundingClientRect().top - above.getBoundingClientRect().bottom;
})"""


def test_on_a_phone_nothing_is_covered_or_runs_over_the_edge(standing: tuple[Lake, str]) -> None:
    _, address = standing
    with chromium(390, 4_000, touch=True) as seen:
        for name in PAGES:
            page = turned_to(seen, address, name)
            tools = page.get_by_test_id("stElementToolbar")
            expect(tools.first).to_be_attached()

            assert min(tools.evaluate_all(ABOVE)) >= 0, name
        measures = turned_to(seen, address, "Sensors").get_by_role("radiogroup", name="Measure")
        assert measures.evaluate("each => each.scrollWidth <= each.clientWidth")


@pytest.mark.parametrize("where", ["", "/flights"])
def test_until_its_scripts_are_here_a_page_says_that_it_opens(standing: tuple[Lake, str], where: str) -> None:
    _, address = standing
    with chromium() as seen:
        went_to(seen.page, address)
        opening = seen.page.get_by_text("The dashboard opens")
        expect(seen.page.get_by_role("heading", level=1)).to_be_visible()
        expect(opening).to_have_count(0)
        seen.page.route("**/*.js", lambda route: route.abort())
        seen.page.goto(f"{address}{where}")
        expect(opening).to_be_visible()


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)], ids=["light and wide", "dark and narrow"])
def test_axe_finds_no_serious_fault(standing: tuple[Lake, str], dark: bool, width: int) -> None:
    _, address = standing
    with chromium(width, dark=dark) as seen:
        for name in PAGES:
            page = turned_to(seen, address, name)

            assert faults(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing is cut off"


def test_an_alert_is_acknowledged_by_a_click(standing: tuple[Lake, str]) -> None:
    lake, address = standing
    with chromium() as seen:
        page = turned_to(seen, address, "Alerts")

        page.get_by_role("button", name="Acknowledge", exact=True).click()

        expect(page.get_by_text(re.compile(r"^Acknowledged \d{4}-"))).to_be_visible()
    assert [command.verb for command in given(lake, "sensors")] == [ACK]


def test_a_picture_of_each_page_is_kept(standing: tuple[Lake, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    _, address = standing
    folder = Path(os.environ.get("VIGIE_PICTURES") or tmp_path_factory.mktemp("pictures"))
    for dark, width, height in ((False, 1280, 2_400), (True, 390, 4_800)):
        with chromium(width, height, dark=dark) as seen:
            for name in PAGES:
                page = turned_to(seen, address, name)
                page.wait_for_function(f"() => {CHARTS}.length && {CHARTS}.every(each => each._fullLayout)")
                picture = folder / f"{name.lower()}-{'dark' if dark else 'light'}-{width}.png"
                page.screenshot(path=picture)
                assert picture.stat().st_size > 20_000


def test_a_name_that_is_not_the_machine_s_leads_nowhere(standing: tuple[Lake, str]) -> None:
    _, address = standing

    for path in ("/", "/sensors", "/_stcore/health", "/_stcore/host-config"):
        assert httpx.get(f"{address}{path}", headers={"host": "evil.example"}).status_code == 421
        assert httpx.get(f"{address}{path}").status_code == 200
