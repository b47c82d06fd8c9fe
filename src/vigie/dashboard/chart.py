"""Charts: Plotly's, in the colours of the page, that stay where they are while what they show changes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly
import plotly.graph_objects as go
import streamlit as st
from streamlit.components.v1 import declare_component
from streamlit.components.v2 import component

from vigie.dashboard.look import INK, INK_DARK, SERIES, SEVERITY_COLOURS, is_dark, whole_minutes

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.dashboard.view import View

PAPER, PAPER_DARK = "#ffffff", "#19222c"
LINES, LINES_DARK, CLEAR = "#d5dce4", "#2f3b47", "rgba(0,0,0,0)"
WORDS = ("name", "text", "labels", "x", "y", "customdata")  # what a trace is told of the data
FEWEST_MINUTES = 2  # an area of one is not seen
TICKS = 5  # beside the one at 0
CONFIG = {"displaylogo": False, "displayModeBar": False}

# Streamlit's own chart is made anew when its figure changes, and a person's zoom is gone: decision 0022.
_drawn = component("vigie_chart", js=Path(__file__).with_name("chart.js").read_text(), isolate_styles=False)
_served = declare_component("plotly", path=str(Path(plotly.__file__).with_name("package_data")))
PLOTLY = f"/component/{_served.name}/plotly.min.js"


def chart(figure: go.Figure, key: str, height: int = 320) -> None:
    """A chart as wide as its place. At each refresh it takes the new figure and stays, and so do zoom and legend."""
    drawn = dressed(figure, key, height, is_dark()).to_json(validate=False)
    told = {"figure": drawn, "height": height, "config": CONFIG, "plotly": PLOTLY}
    _drawn(data=told, key=key)


def dressed(figure: go.Figure, key: str, height: int, dark: bool) -> go.Figure:
    """The figure as all charts look; what a person has done to it is kept for as long as `key` is the same."""
    _spelled_out(figure)
    if any(trace.type == "heatmap" or (trace.type == "bar" and trace.orientation == "h") for trace in figure.data):
        figure.update_yaxes(type="category")  # a name that looks like a day would make it an axis of days
    ink, lines = (INK_DARK, LINES_DARK) if dark else (INK, LINES)
    axis = {"gridcolor": lines, "zerolinecolor": lines, "linecolor": lines, "automargin": True}
    template = {
        "font": {"family": "'Source Sans', sans-serif", "size": 13, "color": ink},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "xaxis": {**axis, "showgrid": False},
        "yaxis": axis,
        "hoverlabel": {"bgcolor": PAPER_DARK if dark else PAPER, "bordercolor": lines, "font": {"color": ink}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": ""},
        "colorway": SERIES,
    }
    figure.update_layout(
        template={"layout": template},
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        uirevision=key,
    )
    return figure


def _spelled_out(figure: go.Figure) -> None:
    """Show words that came from the data letter by letter: Plotly makes links and more of what looks like HTML."""
    spell = np.frompyfunc(lambda said: said.replace("<", "&lt;") if isinstance(said, str) else said, 1, 1)
    for trace in figure.data:
        for part in WORDS:
            said = getattr(trace, part, None)
            if isinstance(said, str):
                trace[part] = spell(said)
            elif isinstance(said, list | tuple) or (isinstance(said, np.ndarray) and said.dtype.kind in "OU"):
                trace[part] = spell(np.asarray(said, dtype=object))


def by_minute(view: View, counts: DataFrame, colours: Mapping[str, str], label: str, key: str) -> None:
    """Counts by the minute as areas upon one another, in the order of `colours`, from the first whole minute on."""
    whole = whole_minutes(counts)
    if len(whole) < FEWEST_MINUTES:
        st.info("The chart begins once two whole minutes are there.")
        return
    times = view.local(whole.index.to_series())
    drawn = go.Figure()
    for name, colour in colours.items():
        if name in whole:
            line = {"width": 0.5, "color": colour}
            drawn.add_trace(go.Scatter(x=times, y=whole[name], name=name, mode="lines", stackgroup="one", line=line))
    drawn.update_layout(xaxis_title=f"Minute ({view.zone.key})", yaxis_title=label, hovermode="x unified")
    chart(drawn, key)


def open_by_rule(counts: DataFrame, key: str) -> None:
    """Bars of the alerts that are open: `counts` has `severity`, `rule` and `alerts`."""
    drawn = go.Figure()
    for severity, colour in SEVERITY_COLOURS.items():
        if (rows := counts[counts["severity"] == severity]).empty:
            continue
        count, marker = rows["alerts"], {"color": colour}
        drawn.add_trace(go.Bar(x=count, y=rows["rule"], name=severity, orientation="h", marker=marker, text=count))
    most = int(counts.groupby("rule")["alerts"].sum().max())
    drawn.update_layout(
        xaxis={"title": "Open alerts", "dtick": round_step(most), "tickformat": ",d"},
        yaxis={"categoryorder": "total ascending"},
        barmode="stack",
        showlegend=True,
    )
    chart(drawn, key, 120 + 30 * counts["rule"].nunique())


def round_step(most: int) -> int:
    """From one tick of an axis of counts to the next: 1, 2 or 5, or ten, a hundred, ... times that."""
    step, factors = 1, itertools.cycle((2, 2.5, 2))
    while most > TICKS * step:
        step = int(step * next(factors))
    return step
