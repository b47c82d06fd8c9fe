"""The live map on the dashboard's own page: when what it stands on fails."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.dashboard.lakes import a_lake
from tests.servers.browser import chromium
from tests.servers.map_page import DRAWN, GROUND, POINTS, RADAR, ask
from tests.servers.watching import FAULTS, a_dashboard, went_to
from vigie.flights.live_map import LIBRARY

AIRCRAFT = 40
DELAYED = """(() => {
    const later = handler => event => setTimeout(() => handler.call(event.target, event), 10_000);
    const listen = WebSocket.prototype.addEventListener;
    WebSocket.prototype.addEventListener = function (kind, handler, ...more) {
        return listen.call(this, kind, kind === 'message' ? later(handler) : handler, ...more);
    };
    const { set, ...rest } = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
    Object.defineProperty(WebSocket.prototype, 'onmessage', {
        ...rest, set(handler) { set.call(this, handler && later(handler)); },
    });
})()"""
LOSE = """() => { const canvas = document.querySelector('.maplibregl-canvas');
    (canvas.getContext('webgl2') || canvas.getContext('webgl')).getExtension('WEBGL_lose_context').loseContext(); }"""
WELL = """() => { const canvas = document.querySelector('.maplibregl-canvas');
    const context = canvas && (canvas.getContext('webgl2') || canvas.getContext('webgl'));
    return Boolean(context) && !context.isContextLost(); }"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard over a lake that is new, and stands still."""
    lake = a_lake(tmp_path_factory.mktemp("still") / "lake", until=datetime.now(UTC), aircraft=AIRCRAFT)
    with a_dashboard(lake, 8596) as address:
        yield address


def is_whole(page: Page) -> None:
    """Wait until land and all aircraft are drawn; no fault is on the page."""
    page.wait_for_function(GROUND, timeout=60_000)
    page.wait_for_function(WELL, timeout=60_000)
    page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_function(f"() => ({POINTS})() > 50")
    assert ask(page, "count()") == AIRCRAFT
    assert page.evaluate(FAULTS) == []


def test_a_map_whose_context_is_lost_again_and_again_comes_back(address: str) -> None:
    with chromium() as seen:
        went_to(seen.page, address)
        is_whole(seen.page)
        for _ in range(3):
            seen.page.evaluate(LOSE)
            seen.page.wait_for_function(f"() => ({POINTS})() > 50")
            is_whole(seen.page)

        assert seen.complaints == []


def test_a_map_whose_graphics_process_is_killed_comes_back(address: str) -> None:
    with chromium() as seen:
        went_to(seen.page, address)
        is_whole(seen.page)
        browser = seen.page.context.browser
        assert browser is not None
        session = browser.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        [graphics] = [each["id"] for each in processes if each["type"] == "GPU"]
        seen.page.evaluate(
            """() => document.querySelector('.maplibregl-canvas')
                .addEventListener('webglcontextlost', () => { window.wasLost = true })"""
        )

        os.kill(graphics, signal.SIGKILL)

        seen.page.wait_for_function("() => window.wasLost")
        is_whole(seen.page)
        assert seen.complaints == []


def test_a_page_whose_process_was_killed_is_whole_when_it_is_loaded_again(address: str) -> None:
    with chromium() as seen:
        went_to(seen.page, address)
        is_whole(seen.page)
        with suppress(Error):
            seen.page.goto("chrome://crash")

        page = seen.page.context.new_page()
        page.goto(address)

        is_whole(page)


def test_data_that_comes_ten_seconds_late_is_drawn(address: str) -> None:
    with chromium() as seen:
        seen.page.add_init_script(DELAYED)
        went_to(seen.page, address)

        is_whole(seen.page)

        assert seen.complaints == []


def test_a_script_that_fails_at_first_is_asked_for_again(address: str) -> None:
    failed: list[str] = []

    def answer(route: Route) -> None:
        if len(failed) < 2:
            failed.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    with chromium() as seen:
        seen.page.route(f"**/{LIBRARY}", answer)
        went_to(seen.page, address)
        seen.page.wait_for_function(DRAWN, timeout=60_000)

        is_whole(seen.page)

        assert len(failed) == 2
        assert [said for said in seen.complaints if "Failed to load resource" not in said] == []


def test_a_page_that_is_left_and_come_back_to_shows_the_same_place(address: str) -> None:
    with chromium() as seen:
        went_to(seen.page, address)
        is_whole(seen.page)
        zoom = ask(seen.page, "zoom()")
        seen.page.get_by_role("button", name="Zoom in").click()
        seen.page.wait_for_function(f"zoom => {RADAR}.zoom() > zoom + 0.9", arg=zoom)
        seen.page.wait_for_function(f"() => !{RADAR}.isMoving()")
        seen.page.get_by_label("Find an aircraft").fill("000001")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_function(f"() => !{RADAR}.isMoving()")
        zoom = ask(seen.page, "zoom()")
        card = seen.page.get_by_role("region", name="The chosen aircraft")
        expect(card).to_be_visible()
        for _ in range(3):
            seen.page.get_by_role("link", name="Health").click()
            expect(seen.page.locator(".vigie-map")).to_have_count(0)
            seen.page.get_by_role("link", name="Flights").click()
            is_whole(seen.page)

        assert ask(seen.page, "zoom()") == pytest.approx(zoom, abs=0.05)
        expect(card).to_be_visible()
        expect(seen.page.get_by_text(re.compile("^Altitude of .* in the last ten minutes"))).to_be_visible()
        assert seen.complaints == []
