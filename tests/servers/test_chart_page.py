"""A chart in a browser, updated while it is still being drawn: the newest figure is drawn, and nothing is thrown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plotly
import plotly.graph_objects as go
from playwright.sync_api import Route, expect

from tests.servers.browser import Seen, chromium
from vigie.dashboard import chart

ADDRESS = "http://127.0.0.1:9"  # nothing listens there: every request is answered by the test
PLOTLY = Path(plotly.__file__).with_name("package_data") / "plotly.min.js"
SENTENCE = "The chart could not be drawn. Trying again."
HTML = """<!doctype html><title>A chart</title><main id="place" style="width: 600px"></main>
<script type="module">
import draw from "/chart.mjs";
window.cleanups = [];
window.update = (data, place = document.getElementById("place")) =>
    window.cleanups.push(draw({ data, parentElement: place, setTriggerValue() {} }));
window.isReady = true;
</script>"""
NEWEST = "value => document.querySelector('.vigie-chart')?._fullData?.[0]?.x[0] === value"


@contextmanager
def a_page(missing: set[str] | None = None) -> Iterator[Seen]:
    """A page that waits for figures; files that are missing cannot be loaded."""

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        if name in (missing or set()):
            route.abort()
        elif name == "/plotly.min.js":
            route.fulfill(path=PLOTLY)
        elif name == "/chart.mjs":
            route.fulfill(path=Path(chart.__file__).with_name("chart.js"), content_type="text/javascript")
        else:
            route.fulfill(body=HTML, content_type="text/html")

    with chromium(700, 600) as seen:
        seen.page.route("**/*", answer)
        seen.page.goto(f"{ADDRESS}/")
        seen.page.wait_for_function("() => window.isReady")
        yield seen


def a_figure(value: int, bars: int = 40) -> dict[str, Any]:
    """What Python sends for a chart whose first bar has this value."""
    drawn = go.Figure(go.Bar(x=[value, *range(1, bars)], y=[f"bar {bar}" for bar in range(bars)], orientation="h"))
    figure = chart.dressed(drawn, "one", 300, False).to_json()
    return {"figure": figure, "height": 300, "config": chart.CONFIG, "plotly": "/plotly.min.js"}


def test_the_newest_of_many_updates_at_once_is_drawn() -> None:
    figures = [a_figure(value) for value in range(1, 40)]
    with a_page() as seen:
        seen.page.evaluate(
            """async figures => { for (const [at, figure] of figures.entries()) {
                window.update(figure);
                window.cleanups[Math.max(0, at - 1)]();
                if (at % 3 === 0) await new Promise(done => setTimeout(done, at % 4 * 15));
            } }""",
            figures,
        )

        seen.page.wait_for_function(NEWEST, arg=39)
        assert seen.page.locator(".vigie-chart").count() == 1
        assert seen.complaints == []


def test_a_chart_that_is_taken_away_while_it_is_drawn_ends_quietly() -> None:
    with a_page() as seen:
        for value in range(1, 8):
            seen.page.evaluate(
                """figure => { const place = document.createElement('main');
                document.getElementById('place').replaceWith(place);
                place.id = 'place'; place.style.width = '600px';
                window.cleanups.forEach(each => each()); window.update(figure); }""",
                a_figure(value),
            )

        seen.page.wait_for_function(NEWEST, arg=7)
        assert seen.complaints == []


def test_a_hidden_chart_is_left_alone_until_it_is_seen() -> None:
    with a_page() as seen:
        seen.page.evaluate("() => { document.getElementById('place').style.display = 'none' }")
        for value in (1, 2, 3):
            seen.page.evaluate("figure => window.update(figure)", a_figure(value))
        assert seen.page.locator(".vigie-chart").count() == 0

        seen.page.evaluate("() => { document.getElementById('place').style.display = '' }")

        seen.page.wait_for_function(NEWEST, arg=3)
        assert seen.complaints == []


def test_a_drawing_that_fails_is_a_sentence_and_tried_again() -> None:
    with a_page() as seen:
        seen.page.evaluate("figure => window.update(figure)", a_figure(1))
        seen.page.wait_for_function(NEWEST, arg=1)
        seen.page.evaluate(
            """() => { const own = Plotly.react; let left = 2;
            Plotly.react = (...given) => left-- > 0 ? Promise.reject(new Error('not now')) : own(...given); }"""
        )

        seen.page.evaluate("figure => window.update(figure)", a_figure(2))

        expect(seen.page.get_by_text(SENTENCE)).to_be_visible()
        seen.page.wait_for_function(NEWEST, arg=2)
        expect(seen.page.get_by_text(SENTENCE)).to_have_count(0)
        assert seen.complaints == []


def test_a_script_that_fails_at_first_is_loaded_later() -> None:
    missing = {"/plotly.min.js"}
    with a_page(missing) as seen:
        seen.page.evaluate("figure => window.update(figure)", a_figure(1))
        expect(seen.page.get_by_text(SENTENCE)).to_be_visible()

        missing.clear()

        seen.page.wait_for_function(NEWEST, arg=1)
        assert [said for said in seen.complaints if "Failed to load resource" not in said] == []


def test_what_is_no_figure_throws_nothing() -> None:
    with a_page() as seen:
        for nothing in (None, {}, {"figure": "{", "height": 300, "plotly": "/plotly.min.js"}):
            seen.page.evaluate("figure => window.update(figure)", nothing)
        seen.page.evaluate("() => window.update({}, null)")

        seen.page.evaluate("figure => window.update(figure)", a_figure(5))

        seen.page.wait_for_function(NEWEST, arg=5)
        assert seen.complaints == []
