"""The page of activity: what users do and what is changed in the wikis, from MongoDB where it is named, else silver."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import streamlit as st

from vigie.activity import figures
from vigie.activity.figures import BY_DEVICE, BY_WIKI, CHANGES, EVENTS, Accepted, Question
from vigie.dashboard.chart import by_minute, chart
from vigie.dashboard.look import BLUE, GREY, SERIES, Tile, tiles
from vigie.dashboard.states import age, awaited, closed_until, live
from vigie.errors import VigieError
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.dashboard.reading import Slice
    from vigie.dashboard.view import View

RUN, DEMO = "vigie run activity", "vigie demo activity"
EVERY_S, SELDOM_S = 2.0, 10.0
WHO_COLOURS = {"People": BLUE, "Bots": GREY}
LATELY = "In the last 30 min of data."


def page(view: View) -> None:
    address = _mongo()
    if address is None:
        if awaited(view, "activity", DEMO, EVENTS.table, CHANGES.table):
            return
    elif _trouble(address) is not None:
        away(view, address)
        return
    origin(view)
    users(view)
    left, right = st.columns(2)
    with left:
        actions(view)
    with right:
        pages(view)
    edits(view)
    wikis(view)
    st.header("The last day, in closed windows")
    left, right = st.columns(2)
    with left:
        by_device(view)
    with right:
        by_wiki(view)


def _mongo() -> str | None:
    """The address of MongoDB, where it is named."""
    secret = read_settings().mongo
    return None if secret is None else secret.get_secret_value()


def ask(view: View, question: Question) -> DataFrame:
    """The answer, from MongoDB when it is named; all viewers share it for a moment."""
    address = _mongo()
    if address is None:
        return figures.of_silver(view, question)
    if (problem := _trouble(address)) is not None:
        raise problem
    return _of_mongo(address, question).copy()


@st.cache_resource(show_spinner=False)
def _accepted(address: str) -> Accepted:
    return Accepted.at(address)


@st.cache_resource(ttl=EVERY_S, show_spinner=False)
def _trouble(address: str) -> VigieError | None:
    """What keeps MongoDB from answering: found out once, not by each part of the page in turn."""
    try:
        _accepted(address).check()
    except VigieError as problem:
        return problem
    return None


@st.cache_data(ttl=EVERY_S, show_spinner=False, hash_funcs={Question: id})
def _of_mongo(address: str, question: Question) -> DataFrame:
    return _accepted(address).ask(question)


@live(SELDOM_S, RUN)
def away(_view: View, address: str) -> None:
    """MongoDB does not answer; the page goes on when it does."""
    if (problem := _trouble(address)) is None:
        st.rerun()
    raise problem


@live(SELDOM_S, RUN)
def origin(view: View) -> None:
    """Where the live figures are read from."""
    address = _mongo()
    if address is None:
        st.caption(f"Live figures are read from the lake's silver tables ({view.lake}).")
    else:
        st.caption(f"Live figures are read from MongoDB, database {_accepted(address).name}.")


@live(EVERY_S, RUN)
def users(view: View) -> None:
    st.header("Users")
    _now(view, figures.USERS_NOW, ("Events", "events", "Users"))
    counted = ask(view, figures.EVENTS_BY_MINUTE)
    if not counted.empty:
        _people_and_bots(view, counted, "Events a minute", "activity-events")


@live(EVERY_S, RUN)
def edits(view: View) -> None:
    st.header("Wikis")
    _now(view, figures.EDITS_NOW, ("Edits", "edits", "Editors"))
    counted = ask(view, figures.EDITS_BY_MINUTE)
    if not counted.empty:
        _people_and_bots(view, counted, "Edits a minute", "activity-edits")


def _now(view: View, question: Question, named: tuple[str, str, str]) -> None:
    """The last minutes as tiles; how old the newest row is."""
    made, made_low, who = named
    found: list[dict[str, Any]] = ask(view, question).to_dict("records")
    if not found:
        st.info(f"No {made_low} have come in yet.")
        return
    [pulse] = found
    age(view, "activity", pulse["newest"].to_pydatetime(), RUN)
    share = 100 * pulse["bot_events"] / pulse["all_events"]
    change = pulse["events"] - pulse["before"]
    tiles(
        [
            Tile(f"{made} a minute", pulse["events"], "", change, about="In the last minute of data."),
            Tile(f"{who} in 5 min", pulse["users"], about="How many different ones, in the last 5 min of data."),
            Tile("Made by bots", share, f"% of {made_low}", None, 1, "In the last 5 min of data."),
        ],
        "in a minute",
    )


def _people_and_bots(view: View, counted: DataFrame, label: str, key: str) -> None:
    events = counted.set_index("minute")
    counts = events.assign(People=events["events"] - events["bot_events"], Bots=events["bot_events"])
    by_minute(view, counts[[*WHO_COLOURS]], WHO_COLOURS, label, key)
    st.caption("Whole minutes of the last 30 min of data.")


@live(EVERY_S, RUN)
def actions(view: View) -> None:
    st.subheader("Actions")
    found = ask(view, figures.ACTIONS)
    if found.empty:
        st.info("No event has come in yet.")
        return
    _bars(found, "action", "Events in 30 min", "activity-actions")


@live(EVERY_S, RUN)
def pages(view: View) -> None:
    st.subheader("Top pages")
    found = ask(view, figures.PAGES)
    if found.empty:
        st.info("No event has come in yet.")
        return
    number = st.column_config.NumberColumn
    most = int(found["events"].max())
    st.dataframe(
        found,
        hide_index=True,
        width="stretch",
        height="content",
        column_order=("page", "events", "users", "bot_events"),
        column_config={
            "page": "Page",
            "events": st.column_config.ProgressColumn("Events", format="localized", min_value=0, max_value=most),
            "users": number("Users", format="localized"),
            "bot_events": number("Events of bots", format="localized"),
        },
    )
    st.caption(LATELY)


@live(EVERY_S, RUN)
def wikis(view: View) -> None:
    found = ask(view, figures.WIKIS)
    if found.empty:
        return
    left, right = st.columns(2)
    with left:
        st.subheader("Edits by wiki")
        _bars(found.rename(columns={"edits": "events", "bot_edits": "bot_events"}), "wiki", "Edits in 30 min",
              "activity-wikis")  # fmt: skip
    number = st.column_config.NumberColumn
    with right:
        st.subheader("What they changed")
        st.dataframe(
            found,
            hide_index=True,
            width="stretch",
            height="content",
            column_order=("wiki", "edits", "users", "bytes_changed"),
            column_config={
                "wiki": "Wiki",
                "edits": number("Edits", format="localized"),
                "users": number("Editors", format="localized"),
                "bytes_changed": number("Change (bytes)", format="localized", help="Bytes after, less bytes before."),
            },
        )
        st.caption(LATELY)


def _bars(found: DataFrame, what: str, label: str, key: str) -> None:
    """A bar for each, the part of people and that of bots."""
    bots = found["bot_events"]
    drawn = go.Figure()
    for name, values, colour in (("People", found["events"] - bots, BLUE), ("Bots", bots, GREY)):
        drawn.add_trace(go.Bar(x=values, y=found[what], name=name, orientation="h", marker={"color": colour}))
    drawn.update_layout(xaxis_title=label, yaxis={"autorange": "reversed"}, barmode="stack")
    chart(drawn, key, 360)


@live(SELDOM_S, RUN)
def by_device(view: View) -> None:
    st.subheader("Events by device")
    _windows(view, BY_DEVICE, "device", "Events a minute")


@live(SELDOM_S, RUN)
def by_wiki(view: View) -> None:
    st.subheader("Edits by wiki")
    _windows(view, BY_WIKI, "wiki", "Edits a minute")


def _windows(view: View, gold: Slice, what: str, label: str) -> None:
    """A stacked area of windows that are closed."""
    found = figures.windows(view, gold, what)
    if found.empty:
        st.info("No window has closed yet: a minute closes ten minutes after it is over.")
        return
    grid = found.pivot_table(index="window_start", columns=what, values="events", fill_value=0)
    colours = dict(zip(grid.columns, itertools.cycle(SERIES), strict=False))
    by_minute(view, grid, colours, label, f"activity-windows-{what}")
    closed_until(view, found["window_end"].max())
