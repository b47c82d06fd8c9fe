"""The live map in a real browser, updated at every awkward moment: it draws, and nothing is thrown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.runs import until
from tests.servers.browser import Seen
from tests.servers.map_page import (
    DRAWN,
    GROUND,
    LAND,
    LIBRARY,
    POINTS,
    RADAR,
    Files,
    a_page,
    a_snapshot,
    an_aircraft,
    ask,
    update,
)
from tests.servers.test_dashboard import faults
from vigie.flights import live_map

LOSE = """() => { const canvas = document.querySelector('.maplibregl-canvas');
    window.lost = (canvas.getContext('webgl2') || canvas.getContext('webgl')).getExtension('WEBGL_lose_context');
    window.lost.loseContext(); }"""
NO_WEBGL = """() => { window.own = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
        return kind.startsWith('webgl') ? null : window.own.call(this, kind, ...more); }; }"""
LIMIT_MS = 100.0  # for 5,000 aircraft; the best of ten, for others use the same cores


def drawn(page: Page) -> None:
    """Wait until aircraft are on the canvas."""
    page.wait_for_function(DRAWN)
    page.wait_for_function(f"() => ({POINTS})() > 50")


def is_well(seen: Seen) -> bool:
    """Nothing was thrown, nothing complained of, and nothing asked of another host."""
    assert seen.complaints == []
    assert seen.hosts <= {"127.0.0.1"}
    return True


def test_aircraft_are_drawn_before_the_land_is_there() -> None:
    files = Files()
    files.hold(LIBRARY)
    with a_page(files) as seen:
        update(seen.page, a_snapshot(an_aircraft(1), an_aircraft(2)))
        drawn(seen.page)
        assert not ask(seen.page, "isGroundDrawn()")

        files.release(LIBRARY)

        seen.page.wait_for_function(GROUND)
        drawn(seen.page)
        assert is_well(seen)


def test_updates_while_the_style_is_loaded_are_drawn() -> None:
    files = Files()
    files.hold(LAND)
    with a_page(files) as seen:
        update(seen.page, a_snapshot(an_aircraft(1)))
        seen.page.wait_for_function("() => document.querySelector('.maplibregl-canvas')")
        for number in range(20):
            update(seen.page, a_snapshot(*map(an_aircraft, range(number + 1)), dark=number % 2 == 0))
        drawn(seen.page)
        assert ask(seen.page, "count()") == 20

        files.release(LAND)

        seen.page.wait_for_function(GROUND)
        assert is_well(seen)


def test_the_newest_of_updates_in_one_tick_is_drawn_and_none_ends_it() -> None:
    with a_page() as seen:
        snapshots = [a_snapshot(*map(an_aircraft, range(count))) for count in (1, 7, 3)]

        seen.page.evaluate("all => { all.forEach(each => window.update(each)); window.cleanups[0](); }", snapshots)

        drawn(seen.page)
        seen.page.wait_for_function(GROUND)
        assert ask(seen.page, "count()") == 3
        assert seen.page.locator(".vigie-map").count() == 1
        assert is_well(seen)


def test_a_map_that_is_taken_away_and_made_again_keeps_its_camera() -> None:
    with a_page() as seen:
        update(seen.page, a_snapshot(an_aircraft(1), an_aircraft(2)))
        seen.page.wait_for_function(GROUND)
        zoomed = ask(seen.page, "zoom()") + 1
        seen.page.get_by_role("button", name="Zoom in").click()
        seen.page.wait_for_function(f"zoom => Math.abs({RADAR}.zoom() - zoom) < 0.01", arg=zoomed)

        seen.page.evaluate(
            """() => { const old = document.getElementById('place'), place = document.createElement('main');
            old.replaceWith(place); place.id = 'place'; window.cleanups.forEach(each => each());
            }"""
        )
        update(seen.page, a_snapshot(an_aircraft(1)))

        seen.page.wait_for_function(GROUND)
        drawn(seen.page)
        assert ask(seen.page, "zoom()") == pytest.approx(zoomed, abs=0.02)
        assert is_well(seen)


def test_a_map_that_is_taken_away_in_the_middle_of_a_zoom_is_made_again_where_it_was() -> None:
    with a_page() as seen:
        update(seen.page, a_snapshot(an_aircraft(1)))
        seen.page.wait_for_function(GROUND)
        before = ask(seen.page, "camera()")

        seen.page.evaluate(
            f"""async () => {{ const old = document.getElementById('place'), place = document.createElement('main');
            const radar = {RADAR}, began = radar.zoom(), frame = () => new Promise(requestAnimationFrame);
            document.querySelector('[aria-label="Zoom in"]').click();
            while (radar.zoom() === began) await frame();
            old.replaceWith(place); place.id = 'place';
            while (radar.isMoving()) await frame();
            window.cleanups.forEach(each => each()); }}"""
        )
        update(seen.page, a_snapshot(an_aircraft(1)))

        seen.page.wait_for_function(GROUND)
        drawn(seen.page)
        after = ask(seen.page, "camera()")
        assert before["zoom"] < after["zoom"] <= before["zoom"] + 1
        assert (after["lon"], after["lat"]) == pytest.approx((before["lon"], before["lat"]), abs=0.01)
        assert is_well(seen)


def test_an_update_of_a_place_that_is_not_in_the_page_throws_nothing() -> None:
    with a_page() as seen:
        seen.page.evaluate(
            "data => { const away = document.createElement('div');"
            " window.update(data, away); window.update(data, away); "
            " window.cleanups.forEach(each => each()); window.update(data, null) }",
            a_snapshot(an_aircraft(1)),
        )
        update(seen.page, a_snapshot(an_aircraft(1)))

        drawn(seen.page)
        assert is_well(seen)


def test_an_empty_snapshot_clears_the_map_and_the_next_fills_it() -> None:
    with a_page() as seen:
        update(seen.page, a_snapshot())
        update(seen.page, a_snapshot(an_aircraft(1)))
        drawn(seen.page)

        update(seen.page, a_snapshot())
        seen.page.wait_for_function(f"() => ({POINTS})() === 0")

        update(seen.page, a_snapshot(an_aircraft(1)))
        drawn(seen.page)
        assert is_well(seen)


def malformed() -> dict[str, Any]:
    """Snapshots that are not whole, by what is wrong with them."""
    whole = a_snapshot(an_aircraft(1), an_aircraft(2))
    columns = whole["aircraft"]
    return {
        "nothing": None,
        "text": "not a snapshot",
        "no columns": {key: value for key, value in whole.items() if key != "aircraft"},
        "a short column": whole | {"aircraft": columns | {"altitude": "AAAA"}},
        "no base64": whole | {"aircraft": columns | {"lon": "?" * 9}},
        "a column is null": whole | {"aircraft": columns | {"heading": None}},
        "trails do not add up": whole | {"trails": whole["trails"] | {"lon": "AAA="}},
        "no instant": whole | {"at": None, "newest": None},
        "an empty look": whole | {"look": {}, "aircraft": {}},
        "no look": {key: value for key, value in whole.items() if key != "look"} | {"aircraft": {}},
    }


def test_what_cannot_be_read_leaves_what_was_drawn() -> None:
    with a_page() as seen:
        for snapshot in malformed().values():
            update(seen.page, snapshot)
        update(seen.page, a_snapshot(*map(an_aircraft, range(5))))
        drawn(seen.page)

        for snapshot in malformed().values():
            update(seen.page, snapshot)

        assert ask(seen.page, "count()") == 5
        drawn(seen.page)
        update(seen.page, a_snapshot(*map(an_aircraft, range(6))))
        assert ask(seen.page, "count()") == 6
        assert is_well(seen)


def test_a_first_snapshot_that_is_damaged_is_a_sentence_until_the_next() -> None:
    with a_page() as seen:
        update(seen.page, {"aircraft": {}})
        expect(seen.page.get_by_text("The map could not be drawn. Trying again.")).to_be_visible()

        update(seen.page, a_snapshot(an_aircraft(1)))

        drawn(seen.page)
        expect(seen.page.get_by_text("The map could not be drawn")).to_have_count(0)
        assert is_well(seen)


def test_five_thousand_aircraft_are_cheap_to_take_and_to_draw() -> None:
    fleet = [an_aircraft(number, ago=number % 10) for number in range(5_000)]
    behind = [{**each, "longitude": each["longitude"] - step / 50} for each in fleet for step in range(9)]
    snapshot = a_snapshot(*fleet, trails=behind)
    with a_page() as seen:
        update(seen.page, snapshot)
        drawn(seen.page)

        taken, frame = seen.page.evaluate(
            """data => {
                const best = does => Math.min(...Array.from({ length: 10 }, () => {
                    const began = performance.now(); does(); return performance.now() - began; }));
                return [best(() => window.update(data)), best(() => document.querySelector('.vigie-map').live.draw())];
            }""",
            snapshot,
        )

        print(f"5,000 aircraft: an update takes {taken:.1f} ms, a frame {frame:.1f} ms")  # noqa: T201
        assert taken < LIMIT_MS
        assert frame < LIMIT_MS
        assert is_well(seen)


def test_a_map_without_webgl_shows_aircraft_and_comes_when_it_can() -> None:
    with a_page() as seen:
        seen.page.evaluate(NO_WEBGL)
        update(seen.page, a_snapshot(an_aircraft(1), an_aircraft(2)))
        expect(seen.page.get_by_text("this browser has no WebGL to spare")).to_be_visible()
        drawn(seen.page)
        before = ask(seen.page, "zoom()")
        seen.page.mouse.move(450, 250)
        seen.page.mouse.wheel(0, -300)
        assert ask(seen.page, "zoom()") == pytest.approx(before + 1)

        seen.page.evaluate("() => { HTMLCanvasElement.prototype.getContext = window.own }")

        seen.page.wait_for_function(GROUND)
        expect(seen.page.get_by_text("this browser has no WebGL to spare")).to_be_hidden()
        assert ask(seen.page, "zoom()") == pytest.approx(before + 1, abs=0.01)
        assert is_well(seen)


@pytest.mark.parametrize("name", [LIBRARY, LAND])
def test_a_file_that_could_not_be_loaded_is_asked_for_again(name: str) -> None:
    files = Files(missing={name})
    with a_page(files) as seen:
        update(seen.page, a_snapshot(an_aircraft(1)))
        expect(seen.page.get_by_text("a file of the map could not be loaded")).to_be_visible()
        drawn(seen.page)

        files.missing.clear()

        seen.page.wait_for_function(GROUND)
        expect(seen.page.get_by_text("a file of the map could not be loaded")).to_be_hidden()
        seen.complaints = [said for said in seen.complaints if "Failed to load resource" not in said]
        assert is_well(seen)


@pytest.mark.parametrize("is_given_back", [True, False], ids=["given back", "gone for good"])
def test_a_lost_webgl_context_comes_back_by_itself(is_given_back: bool) -> None:
    with a_page() as seen:
        update(seen.page, a_snapshot(an_aircraft(1), an_aircraft(2)))
        seen.page.wait_for_function(GROUND)
        until(lambda: colour_at(seen.page, 450, 200) == live_map.LIGHT["land"])

        seen.page.evaluate(LOSE)
        update(seen.page, a_snapshot(an_aircraft(1), an_aircraft(2), an_aircraft(3)))
        drawn(seen.page)
        if is_given_back:
            seen.page.evaluate("() => new Promise(done => setTimeout(() => { window.lost.restoreContext(); done() }))")

        seen.page.wait_for_function(GROUND)
        until(lambda: colour_at(seen.page, 450, 200) == live_map.LIGHT["land"])
        drawn(seen.page)
        assert ask(seen.page, "count()") == 3
        assert is_well(seen)


def colour_at(page: Page, x: int, y: int) -> str:
    """What a person sees there."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        red, green, blue = picture.convert("RGB").tobytes()[3 * (y * picture.width + x) :][:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_an_arrow_is_where_maplibre_would_put_it() -> None:
    with a_page() as seen:
        old = datetime(2025, 6, 1, tzinfo=UTC)  # stale: nothing moves
        one = an_aircraft(7, latitude=47.25, longitude=-1.5) | {"event_timestamp": old}
        update(seen.page, a_snapshot(one))
        seen.page.wait_for_function(GROUND)
        for _ in range(3):
            seen.page.get_by_role("button", name="Zoom in").click()
            seen.page.wait_for_function(f"() => !{RADAR}.isMoving()")

        mine = ask(seen.page, "pixel('000007')")
        theirs = seen.page.evaluate(
            """() => { const map = document.querySelector('.vigie-map').live.ground.map;
            const at = map.project([-1.5, 47.25]);
            const box = map.getCanvas().getBoundingClientRect(); return [box.x + at.x, box.y + at.y] }"""
        )
        assert mine == pytest.approx(theirs, abs=0.5)


def place_of(page: Page, icao24: str) -> list[float]:
    found: list[float] = ask(page, "aircraft()")[icao24]
    return found


def test_an_aircraft_moves_on_between_reports_along_its_track() -> None:
    with a_page() as seen:
        east = an_aircraft(1, ago=5, heading_deg=90.0, velocity_kmh=900.0, latitude=46.0, longitude=2.0)
        unknown = an_aircraft(2, ago=5, heading_deg=None, latitude=45.0, longitude=2.0)
        update(seen.page, a_snapshot(east, unknown))
        drawn(seen.page)
        lon, lat = place_of(seen.page, "000001")
        assert lon > 2.0 + 0.014  # five seconds at 250 m/s

        seen.page.wait_for_function(f"lon => {RADAR}.aircraft()['000001'][0] > lon + 0.004", arg=lon)

        assert place_of(seen.page, "000001")[1] == pytest.approx(46.0, abs=1e-4)
        assert place_of(seen.page, "000002") == pytest.approx([2.0, 45.0], abs=1e-5)
        assert ask(seen.page, "reports()")["000001"] == pytest.approx([2.0, 46.0], abs=1e-5)


def test_stale_data_is_drawn_exactly_where_it_was_reported() -> None:
    with a_page() as seen:
        update(seen.page, a_snapshot(an_aircraft(1, ago=61, latitude=46.0, longitude=2.0)))
        drawn(seen.page)

        assert place_of(seen.page, "000001") == pytest.approx([2.0, 46.0], abs=1e-9)


def test_a_viewer_whose_clock_is_wrong_sees_the_same() -> None:
    with a_page() as seen:
        wrong = datetime.now(UTC) + timedelta(days=400)
        one = an_aircraft(1, latitude=46.0, longitude=2.0, heading_deg=0.0, velocity_kmh=900.0)
        update(seen.page, a_snapshot(one | {"event_timestamp": wrong - timedelta(seconds=10)}, at=wrong))
        drawn(seen.page)

        assert place_of(seen.page, "000001")[1] == pytest.approx(46.0 + 10 * 250 / 111_320, abs=0.01)


def test_motion_is_reduced_for_those_who_ask_for_it() -> None:
    with a_page() as seen:
        seen.page.emulate_media(reduced_motion="reduce")
        one = an_aircraft(1, ago=5, heading_deg=90.0, velocity_kmh=900.0)
        update(seen.page, a_snapshot(one, an_aircraft(2)))
        drawn(seen.page)
        before, frames = place_of(seen.page, "000001"), ask(seen.page, "frames()")

        seen.page.wait_for_timeout(1_500)

        assert place_of(seen.page, "000001") == before
        assert ask(seen.page, "frames()") <= frames + 1


def test_an_aircraft_is_found_by_keyboard_told_and_let_go() -> None:
    with a_page() as seen:
        update(seen.page, a_snapshot(*map(an_aircraft, range(30))))
        drawn(seen.page)

        seen.page.get_by_label("Find an aircraft").focus()
        seen.page.keyboard.type("vig1")
        seen.page.keyboard.press("ArrowDown")
        seen.page.keyboard.press("ArrowDown")
        seen.page.keyboard.press("Enter")

        card = seen.page.get_by_role("region", name="The chosen aircraft")
        expect(card.get_by_role("heading")).to_have_text("VIG11")
        assert seen.page.evaluate("() => window.told") == [["chosen", "00000b"]]
        seen.page.keyboard.press("Escape")
        expect(card).to_be_hidden()
        assert seen.page.evaluate("() => window.told.at(-1)") == ["chosen", None]
        assert is_well(seen)


@pytest.mark.parametrize(("width", "dark"), [(900, False), (900, True), (390, True)])
def test_axe_finds_no_serious_fault_in_the_map_and_its_panels(width: int, dark: bool) -> None:
    with a_page(width=width, dark=dark) as seen:
        update(seen.page, a_snapshot(*map(an_aircraft, range(30)), chosen="000003", dark=dark))
        drawn(seen.page)
        seen.page.wait_for_function(GROUND)
        assert faults(seen.page) == []

        seen.page.get_by_role("button", name="Close", exact=True).click()
        seen.page.get_by_role("radio", name="Altitude").check()
        seen.page.get_by_label("Find an aircraft").fill("vig")
        expect(seen.page.get_by_role("option")).to_have_count(8)
        assert faults(seen.page) == []
        assert is_well(seen)


def test_what_is_not_known_of_an_aircraft_is_called_unknown() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("altitude_meters", "velocity_kmh", "vertical_rate_ms", "heading_deg", "callsign", "aircraft_class")
    )
    with a_page() as seen:
        update(seen.page, a_snapshot(an_aircraft(1, **nothing), an_aircraft(2), chosen="000001"))
        drawn(seen.page)

        card = seen.page.get_by_role("region", name="The chosen aircraft")
        said = card.inner_text().replace("\n", " ")
        for word in ("Altitude unknown", "Speed unknown", "Vertical rate unknown", "Heading unknown", "Class unknown"):
            assert word in said
        assert "no callsign" in said


def test_words_from_the_data_are_shown_letter_by_letter() -> None:
    image = "<img src=/x.png onerror=alert(1)>"
    with a_page() as seen:
        update(seen.page, a_snapshot(an_aircraft(1, callsign=image, origin_country=image), chosen="000001"))
        drawn(seen.page)
        seen.page.get_by_label("Find an aircraft").fill("<img")

        expect(seen.page.get_by_role("option")).to_contain_text(image)
        expect(seen.page.get_by_role("heading", name=image)).to_be_visible()
        assert seen.page.locator(".vigie-map img").count() == 0


def test_a_followed_aircraft_stays_in_the_middle_until_the_map_is_dragged() -> None:
    with a_page() as seen:
        one = an_aircraft(1, latitude=46.0, longitude=2.0, heading_deg=90.0, velocity_kmh=900.0)
        update(seen.page, a_snapshot(one, chosen="000001"))
        seen.page.wait_for_function(GROUND)

        seen.page.get_by_role("button", name="Follow").click()

        seen.page.wait_for_function(f"() => Math.abs({RADAR}.camera().lon - {RADAR}.aircraft()['000001'][0]) < 0.01")
        expect(seen.page.get_by_role("button", name="Following")).to_have_attribute("aria-pressed", "true")
        seen.page.mouse.move(300, 300)
        seen.page.mouse.down()
        seen.page.mouse.move(400, 350, steps=5)
        seen.page.mouse.up()
        expect(seen.page.get_by_role("button", name="Follow", exact=True)).to_have_attribute("aria-pressed", "false")
        assert is_well(seen)


ARITHMETIC = """async () => {
    const motion = await import('/radar/motion.js'), plane = await import('/radar/mercator.js');
    const pace = await import('/radar/pace.js');
    const size = { width: 800, height: 500 }, camera = { lon: 2.4, lat: 46.6, zoom: 6 };
    return {
        there: plane.unproject(camera, size, ...plane.project(camera, size, -1.5, 47.2)),
        middle: plane.project(camera, size, 2.4, 46.6),
        zoomed: plane.project(plane.zoomed(camera, size, 1, 100, 80), size, ...plane.unproject(camera, size, 100, 80)),
        north: motion.velocity(46, 360, 0, 1000),
        tooFast: motion.velocity(46, 1800, 0, 1000),
        unknown: motion.velocity(46, NaN, 90, 1000),
        ahead: [motion.ahead(100, 95, false), motion.ahead(200, 95, false), motion.ahead(100, 95, true)],
        left: [motion.leftOf(0), motion.leftOf(0.5), motion.leftOf(1), motion.leftOf(9)],
        hit: plane.nearest([10, 50], [10, 50], 2, 47, 52, 14),
        miss: plane.nearest([10, 50], [10, 50], 2, 200, 52, 14),
        paces: [[1000, 1, 0], [0, 1, 0], [1000, 60, 0], [1000, 1, 200]].map((each) => pace.interval(...each)),
    };
}"""


def test_the_arithmetic_of_the_map_is_what_it_should_be() -> None:
    with a_page() as seen:
        found = seen.page.evaluate(ARITHMETIC)

    assert found["there"] == pytest.approx([-1.5, 47.2])
    assert found["middle"] == pytest.approx([400, 250])
    assert found["zoomed"] == pytest.approx([100, 80])
    assert found["north"] == pytest.approx([0, 100 / 111_320])
    assert found["tooFast"] == found["unknown"] == [0, 0]
    assert found["ahead"] == [5, 30, 0]
    assert found["left"] == pytest.approx([1, 0.5, 0, 0])
    assert (found["hit"], found["miss"]) == (1, -1)
    assert found["paces"] == [33, 1_000, 300, 400]
