"""The history of one sensor as a picture: its readings, the windows that are closed, and its alerts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from vigie.dashboard.look import BLUE, GREY, ORANGE, SEVERITY_COLOURS

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.dashboard.view import View

BAND = "rgba(217,119,6,0.18)"


def readings(view: View, drawn: go.Figure, found: DataFrame, measure: str) -> None:
    times, values = view.local(found["event_timestamp"]), found[measure]
    line, points = {"color": BLUE, "width": 1.5}, {"size": 3}
    drawn.add_trace(go.Scatter(x=times, y=values, name="Readings", mode="lines+markers", line=line, marker=points))


def windows(view: View, drawn: go.Figure, found: DataFrame) -> None:
    """The mean temperature of each window as a step, within its lowest and highest value."""
    bounds = zip(view.local(found["window_start"]), view.local(found["window_end"]), strict=True)
    times = [instant for pair in bounds for instant in pair]
    twice = found.loc[found.index.repeat(2)]
    edge = {"mode": "lines", "line": {"width": 0, "color": ORANGE}, "hoverinfo": "skip"}
    filled = {"fill": "tonexty", "fillcolor": BAND, "name": "Lowest to highest in 5 min"}
    drawn.add_trace(go.Scatter(x=times, y=twice["max_c"], showlegend=False, **edge))
    drawn.add_trace(go.Scatter(x=times, y=twice["min_c"], **edge, **filled))
    line = {"color": ORANGE, "width": 2}
    drawn.add_trace(go.Scatter(x=times, y=twice["mean_c"], mode="lines", line=line, name="Mean of 5 min"))


def alerts(view: View, drawn: go.Figure, found: DataFrame, since: datetime, until: datetime) -> None:
    """Each alert as a span in the colour of its severity, and a mark above where it opened that says what was seen."""
    opened = found["opened_at"].clip(lower=since)
    starts, ends = view.local(opened), view.local(found["closed_at"].fillna(until).clip(lower=opened))
    colours = found["severity"].map(SEVERITY_COLOURS).fillna(GREY)
    for start, end, colour in zip(starts, ends, colours, strict=True):
        edge = {"width": 1, "color": colour}
        drawn.add_vrect(x0=start, x1=end, fillcolor=colour, opacity=0.08, layer="below", line=edge)
    for severity, rows in found.groupby("severity"):
        mark = {"symbol": "triangle-down", "size": 11, "color": SEVERITY_COLOURS.get(str(severity), GREY)}
        marks = go.Scatter(
            x=starts[rows.index],
            y=[1.0] * len(rows),
            yaxis="y2",
            mode="markers",
            marker=mark,
            name=f"Alert: {severity}",
            text=rows["message"],
            hovertemplate="%{text}<extra></extra>",
        )
        drawn.add_trace(marks)
    drawn.update_layout(yaxis2={"overlaying": "y", "range": [0, 1.03], "visible": False, "fixedrange": True})
