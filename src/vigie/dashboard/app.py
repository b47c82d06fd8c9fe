"""The shell: what the pages have in common, and what stands beside each of them. Streamlit runs it as a script."""

from __future__ import annotations

import argparse
import functools
import importlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from vigie.dashboard.declared import named, unread
from vigie.dashboard.look import is_dark
from vigie.dashboard.pages import PAGES, Page
from vigie.dashboard.states import broken
from vigie.dashboard.view import View
from vigie.errors import VigieError
from vigie.lake import Lake

# What is drawn anew every two seconds neither fades meanwhile nor needs a figure that runs in the corner.
STEADY = """
[data-stale="true"] { opacity: 1 !important; transition: none !important; }
[data-testid="stStatusWidget"] { display: none; }
"""
# The tools of a table are always there where nothing hovers: they have a line of their own. A table that goes on to the
# right fades there until it is moved to its end.
TABLES = """
@media (hover: none) { [data-testid="stDataFrame"] { margin-top: 1.75rem; } }
[data-testid="stDataFrame"] { timeline-scope: --across; }
[data-testid="stDataFrame"] .dvn-scroller { scroll-timeline: --across x; }
[data-testid="stDataFrame"] div:has(> .dvn-scroller) { animation: more-across linear; animation-timeline: --across; }
@keyframes more-across { 0%, 98% { mask-image: linear-gradient(to left, transparent, black 3rem); } }
"""
ROOT, OPENED = "", "opened"  # the address of the first page; where the address that is open is kept
ICON = Path(__file__).with_name("static") / "icon.png"  # an icon by name would be fetched from a public server


def show(lake: Lake, pipeline: str | None = None, *, allow_actions: bool = False) -> None:
    """One run of the script: the page that a viewer is on."""
    st.set_page_config(page_title="Vigie", layout="wide", page_icon=str(ICON))
    st.html(f"<style>{STEADY}{TABLES}</style>")
    view = View(lake, pipeline, _zone(), is_dark(), allow_actions)
    chosen = _chosen(view)
    st.sidebar.caption(f"Lake: `{lake}`")
    if problem := unread(pipeline):
        with st.sidebar:
            broken(problem)
            if named(pipeline) is not None:
                st.caption("Pages go on with the file as it was.")
    chosen.run()


def _chosen(view: View) -> st.Page:
    """The page that a viewer is on. The menu has those of which the lake holds something, and the one that is open."""
    held = [page for page in PAGES if not page.pipeline or _is_held(view, page)]
    first = _first(view.pipeline, held)
    opened = st.session_state.setdefault(OPENED, ROOT)

    def is_in_menu(page: Page, address: str) -> bool:
        if page is first:  # at the root, and at its own address all the same
            return bool(address == (opened if opened == page.address else ROOT))
        return page in held or address == opened

    def listed(page: Page, address: str) -> st.Page:
        visibility: Literal["visible", "hidden"] = "visible" if is_in_menu(page, address) else "hidden"
        how: dict[str, Any] = {"default": True} if address == ROOT else {"url_path": address}
        return st.Page(_drawing(page, view), title=page.title, icon=page.icon, visibility=visibility, **how)

    roots = {first: (ROOT, first.address)}
    chosen = st.navigation([listed(page, at) for page in PAGES for at in roots.get(page, (page.address,))])
    if chosen.url_path != opened:
        st.session_state[OPENED] = chosen.url_path
        if chosen.visibility == "hidden":
            st.rerun()  # with it in the menu
    return chosen


def _is_held(view: View, page: Page) -> bool:
    return page.pipeline in view.lake.pipelines() or any(map(view.has, page.tables))


def _first(pipeline: str | None, held: Sequence[Page]) -> Page:
    """The page of what was typed; of a person's own pipeline the last one, which is of every pipeline."""
    if pipeline is not None:
        return next((page for page in PAGES if page.pipeline == pipeline), PAGES[-1])
    return next((page for page in held if page.pipeline), PAGES[0])


def _drawing(page: Page, view: View) -> Callable[[], None]:
    def drawn() -> None:
        st.title(page.title)
        try:
            # Imported when it is looked at, so that the first page is there sooner.
            importlib.import_module(page.module).page(view)
        except VigieError as problem:
            broken(problem)
        except Exception:
            logging.getLogger(__name__).exception("the page %s could not be drawn", page.title)
            st.error("This page could not be drawn. The output of `vigie dashboard` says why.")

    return drawn


def _zone() -> ZoneInfo:
    """The clock that a viewer chose; the browser's own unless said. Another one is kept in the address."""
    known = _zones()
    own = st.context.timezone
    names = list(dict.fromkeys([*([own] if own in known else []), "UTC", *known]))
    asked = st.query_params.get("tz", names[0])
    index = names.index(asked) if asked in names else 0
    chosen = st.sidebar.selectbox("Time zone", names, index=index, key="zone")
    if chosen != asked:
        st.query_params["tz"] = chosen
    return ZoneInfo(chosen)


@functools.cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones() - {"localtime"}))  # this machine's, whatever that is


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lake", default="./lake")
    parser.add_argument("--pipeline")
    parser.add_argument("--allow-actions", action="store_true")
    asked = parser.parse_args()
    show(Lake.at(asked.lake), asked.pipeline, allow_actions=asked.allow_actions)


if __name__ == "__main__":
    main()
