"""The page of sensors: buildings and floors at a glance, what is wrong by type, and the history of one sensor."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import streamlit as st

from vigie.dashboard.chart import chart, open_by_rule
from vigie.dashboard.look import BLUE, PURPLE, RED, TEAL, Tile, literal, tiles
from vigie.dashboard.states import age, awaited, closed_until, live
from vigie.lake import Lake
from vigie.sensors import figures, history
from vigie.sensors.figures import ALERTS, BEYOND, CLOSED, HOURS, READINGS, WINDOWS, Latency

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.dashboard.view import View

RUN, DEMO = "vigie run sensors", "vigie demo sensors"
EVERY_S, SELDOM_S = 2.0, 10.0
BUILDING, SENSOR, MEASURE = "sensors-building", "sensors-one", "sensors-measure"
TYPE_COLOURS = {"HIGH_TEMP": RED, "LOW_TEMP": BLUE, "HIGH_HUMIDITY": TEAL}
MEASURES = {
    "Temperature": ("temperature_c", "°C"),
    "Humidity": ("humidity_pct", "%"),
    "Pressure": ("pressure_hpa", "hPa"),
}
UNKNOWN = "not known"
BACKLOG = "catching up with a backlog"
AN_HOUR = timedelta(hours=1)
BAR_MS = 240_000  # of a window of 5 min; a bar that stands alone would be given a width of its own


def page(view: View) -> None:
    if awaited(view, "sensors", DEMO, READINGS.table):
        return
    now(view)
    buildings(view)
    floors(view)
    left, right = st.columns(2)
    with left:
        by_rule(view)
    with right:
        by_type(view)
    one(view)


@live(EVERY_S, RUN)
def now(view: View) -> None:
    """What comes in and how quickly, what is wrong, and how it is all in all."""
    age(view, "sensors", figures.newest(view), RUN)
    places = figures.buildings(view)
    heard = int(places["sensors"].sum() - places["silent"].sum())
    a_second, change = _pace(view)
    late = _latency(str(view.lake.root))
    alerts = int(figures.open_alerts(view)["alerts"].sum()) if view.has(ALERTS.table) else 0
    tiles(
        [
            Tile("Readings", a_second, "a second", change, 1, "Made in the last minute of data."),
            Tile("Latency to silver", late.p50_s, "s", None, 1, _about(late), note=BACKLOG if late.is_backlog else ""),
            Tile("Open alerts", alerts, about="Without those that maintenance keeps back."),
        ],
        "in a minute",
    )
    tiles(
        [
            Tile("Sensors heard", heard, about="In the last 10 minutes of data."),
            Tile("Sensors in alert", int(places["in_alert"].sum()), about="With an alert that is open."),
            Tile("Mean temperature", _mean(places), "°C", None, 1, "Of the newest reading of each sensor heard."),
        ]
    )


def _pace(view: View) -> tuple[float | None, float | None]:
    """Readings a second, and how that has changed in a minute."""
    found = figures.pace(view).to_dict("records")
    if not found:
        return None, None
    [pace] = found
    before = pace["a_second_before"]
    return pace["a_second"], pace["a_second"] - before if before else None


@st.cache_data(ttl=SELDOM_S, show_spinner=False)
def _latency(root: str) -> Latency:
    return figures.latency(Lake.at(root))


def _about(late: Latency) -> str:
    said = "From a reading's own time to its commit in silver"
    if late.p95_s is None:
        return f"{said}."
    waited = " Some had waited for the run to read them." if late.is_backlog else ""
    return (
        f"{said}: the median of the newest {late.readings:,} readings. 95 % took {late.p95_s:,.1f} s or less.{waited}"
    )


def _mean(places: DataFrame) -> float | None:
    """The mean over all sensors that are heard."""
    known = places.dropna(subset="mean_c")
    heard = known["sensors"] - known["silent"]
    return float((known["mean_c"] * heard).sum() / heard.sum()) if heard.sum() else None


@live(EVERY_S, RUN)
def buildings(view: View) -> None:
    st.header("Buildings")
    _overview(figures.buildings(view), "building", "Building")


@live(EVERY_S, RUN)
def floors(view: View) -> None:
    st.header("Floors of a building")
    known = list(figures.buildings(view)["building"].fillna(UNKNOWN))
    if not known:
        st.info("No sensor has sent a reading yet.")
        return
    st.session_state.setdefault(BUILDING, known[0])  # where most is wrong
    st.selectbox("Building", sorted(known), key=BUILDING)
    _overview(figures.floors(view, _building()), "floor", "Floor")


def _building() -> str | None:
    chosen = str(st.session_state[BUILDING])
    return None if chosen == UNKNOWN else chosen


def _overview(found: DataFrame, place: str, called: str) -> None:
    names = found[place].astype("Int64").astype("string") if place == "floor" else found[place]
    number, line = st.column_config.NumberColumn, st.column_config.LineChartColumn
    st.dataframe(
        found.assign(**{place: names.fillna(UNKNOWN)}, means_c=found["means_c"].map(_known)),
        hide_index=True,
        width="stretch",
        column_config={
            place: called,
            "sensors": number("Sensors", format="localized"),
            "in_alert": number("In alert", format="localized", help="With an alert that is open."),
            "silent": number("Silent", format="localized", help="Not heard for 10 minutes."),
            "mean_c": number("Mean (°C)", format="%.1f", help="Of the newest temperature of each sensor heard."),
            "means_c": line("Last 30 min (°C)", help="The mean temperature, minute by minute.", width="medium"),
        },
    )


def _known(means: list[float | None]) -> list[float]:
    """The minutes that have a mean: a list with gaps is shown as text, and not as a line."""
    return [mean for mean in means if mean is not None and math.isfinite(mean)]


@live(EVERY_S, RUN)
def by_rule(view: View) -> None:
    st.header("Open alerts by rule")
    if not view.has(ALERTS.table):
        st.info(f"No alert has been looked for yet. They come with the run: `{view.typed(RUN)}`")
        return
    found = figures.open_alerts(view)
    if found.empty:
        st.success("No alert is open.")
        return
    open_by_rule(found, "sensors-rules")


@live(SELDOM_S, RUN)
def by_type(view: View) -> None:
    st.header("Readings beyond a limit")
    closed = figures.closed_until(view) if view.has(CLOSED.table) else None
    if closed is None:
        st.info("No window has closed yet: five minutes close ten minutes after they are over.")
        return
    found = figures.beyond_limits(view) if view.has(BEYOND.table) else None
    if found is None or found.empty:
        st.success("None: no closed window of the last 24 h has any.")
    else:
        drawn = go.Figure()
        for kind, rows in found.groupby("alert_type"):
            colour = {"color": TYPE_COLOURS.get(str(kind), PURPLE)}
            starts = view.local(rows["window_start"])
            drawn.add_trace(go.Bar(x=starts, y=rows["alerts"], name=str(kind), marker=colour, width=BAR_MS))
        end = closed.astimezone(view.zone).replace(tzinfo=None)
        begin = min(view.local(found["window_start"]).min(), end - AN_HOUR)  # a window alone would fill it all
        drawn.update_layout(
            xaxis_title=f"Window of 5 min ({view.zone.key})", yaxis_title="Readings", barmode="stack", showlegend=True
        )
        drawn.update_xaxes(range=[begin, end])
        chart(drawn, "sensors-types")
    closed_until(view, closed)


@live(EVERY_S, RUN)
def one(view: View) -> None:
    """The history of one sensor, chosen among those of the building."""
    st.header("One sensor")
    if BUILDING not in st.session_state:
        st.info("No building is known yet.")
        return
    known = figures.sensors(view, _building())
    left, right = st.columns(2)
    sensor = left.selectbox(
        f"Sensor in building {literal(st.session_state[BUILDING])}",
        known["sensor_id"],
        key=SENSOR,
        help="Those in alert come first.",
    )
    label = right.segmented_control("Measure", MEASURES, default=next(iter(MEASURES)), required=True, key=MEASURE)
    _history(view, str(sensor), str(label))


def _history(view: View, sensor: str, label: str) -> None:
    newest = figures.newest(view)
    if newest is None:
        return
    since, (measure, unit) = newest - HOURS, MEASURES[label]
    drawn = go.Figure()
    closed = None
    if measure == "temperature_c" and view.has(WINDOWS.table):
        windows = figures.windows_of(view, sensor)
        closed = None if windows.empty else windows["window_end"].max()
        history.windows(view, drawn, windows)
    history.readings(view, drawn, figures.readings_of(view, sensor), measure)
    alerts = figures.alerts_of(view, sensor, since) if view.has(ALERTS.table) else None
    if alerts is not None and not alerts.empty:
        history.alerts(view, drawn, alerts, since, newest)
    drawn.update_layout(xaxis_title=f"Time ({view.zone.key})", yaxis_title=f"{label} ({unit})", showlegend=True)
    chart(drawn, f"sensors-history-{measure}", 400)
    st.caption("Readings of the last 30 min; windows and alerts of the last 6 h.")
    if closed is not None:
        closed_until(view, closed)
    if alerts is not None and not alerts.empty:
        _listed(view, alerts)


def _listed(view: View, alerts: DataFrame) -> None:
    last_first = alerts.sort_values("opened_at", ascending=False)
    opened, closed = view.local(last_first["opened_at"]), view.local(last_first["closed_at"])
    text, instant = st.column_config.TextColumn, st.column_config.DatetimeColumn
    st.dataframe(
        last_first.assign(opened_at=opened, closed_at=closed),
        hide_index=True,
        width="stretch",
        column_order=("rule", "severity", "opened_at", "closed_at", "message", "suppressed_by"),
        column_config={
            "rule": "Rule",
            "severity": "Severity",
            "opened_at": instant(f"Opened ({view.zone.key})", format="YYYY-MM-DD HH:mm:ss"),
            "closed_at": instant(f"Closed ({view.zone.key})", format="YYYY-MM-DD HH:mm:ss"),
            "message": text("What was seen", width="large"),
            "suppressed_by": "Kept back by",
        },
    )
