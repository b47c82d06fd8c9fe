"""The page of alerts: what is open, by severity; one of them, why it was raised, and what is to be said of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from vigie.commands import Command, acknowledged, given, in_force, silenced_until
from vigie.dashboard.chart import chart, open_by_rule
from vigie.dashboard.declared import called, declared, making, named
from vigie.dashboard.look import BLUE, GREY, RED, Tile, literal, tiles
from vigie.dashboard.reading import Slice
from vigie.dashboard.states import awaited, live
from vigie.explaining import OPENED_HERE, Explanation, explain
from vigie.graph import SEVERITIES, Graph
from vigie.listing import Listing
from vigie.oneline import on_one_line
from vigie.pipeline import SHIPPED
from vigie.watchbook import Watchbook

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.dashboard.view import View

EVERY_S, SELDOM_S = 2.0, 10.0
CLOSED_SHOWN = 200
COLUMNS = ("alert_id", "rule", "key", "severity", "opened_at", "closed_at", "message", "suppressed_by")
WORST_FIRST = tuple(reversed(SEVERITIES))
OPEN, ALL = "Open", "All"
WATCHED = "sensors"  # a pipeline that raises alerts, for who has none
EVERY_RULE = "every rule"
SPANS = {
    "15 minutes": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "4 hours": timedelta(hours=4),
    "1 day": timedelta(days=1),
}

NEWEST = f"""
SELECT * FROM alerts WHERE closed_at IS NULL
UNION ALL SELECT * FROM (
    SELECT * FROM alerts WHERE closed_at IS NOT NULL ORDER BY opened_at DESC, alert_id DESC LIMIT {CLOSED_SHOWN}
)
ORDER BY closed_at IS NOT NULL, list_position({list(WORST_FIRST)}, severity), opened_at DESC, alert_id
"""


def page(view: View) -> None:
    names = view.pipelines_with(slice_of)
    if not names:
        first = named(view.pipeline) or WATCHED
        graph = declared(view, first)
        if graph is not None and not graph.watches:
            st.info(f"{literal(first)} watches nothing, so it raises no alerts. One that does is {WATCHED}.")
            first = WATCHED
        awaited(view, first, making(view, first), *(slice_of(name).table for name in (first, *SHIPPED)))
        return
    name = names[0]
    if len(names) > 1:
        own = named(view.pipeline)
        name = st.segmented_control("Pipeline", names, default=own if own in names else name, required=True)
    now(view, name)
    by_rule(view, name)
    listed(view, name)
    one(view, name)
    silences(view, name)


def slice_of(pipeline: str) -> Slice:
    return Slice(f"_vigie/{pipeline}/alerts", COLUMNS)


def found(view: View, pipeline: str) -> DataFrame:
    """The open alerts, the worst first, and then the newest of the closed ones, with what was said of each."""
    alerts = view.ask(NEWEST, alerts=slice_of(pipeline))
    commands, now = given(view.lake, pipeline), view.now()
    known = dict(acknowledged(commands))
    silenced = [
        silenced_until(commands, rule, key, now) for rule, key in zip(alerts["rule"], alerts["key"], strict=True)
    ]
    acks = [known.get(alert_id) for alert_id in alerts["alert_id"]]
    return alerts.assign(
        acknowledged_at=pd.Series([ack and ack.at for ack in acks], dtype="datetime64[us, UTC]"),
        note=pd.Series([ack and ack.note for ack in acks], dtype="object"),
        silenced_until=pd.Series(silenced, dtype="datetime64[us, UTC]"),
    )


def _raised(alerts: DataFrame) -> DataFrame:
    """Those that are open, without what maintenance keeps back."""
    return alerts[alerts["closed_at"].isna() & alerts["suppressed_by"].isna()]


@live(EVERY_S, "vigie run {}")
def now(view: View, pipeline: str) -> None:
    alerts = _raised(found(view, pipeline))
    counts = alerts["severity"].value_counts()
    known = int(alerts["acknowledged_at"].notna().sum())
    tiles(
        [
            *(Tile(f"Open, {severity}", int(counts.get(severity, 0))) for severity in WORST_FIRST),
            Tile("Acknowledged", known, about="Of the open alerts: those that somebody knows of."),
        ]
    )


@live(EVERY_S, "vigie run {}")
def by_rule(view: View, pipeline: str) -> None:
    st.header("Open, by rule")
    alerts = _raised(found(view, pipeline))
    if alerts.empty:
        st.success("No alert is open.")
        return
    counts = alerts.groupby(["severity", "rule"]).size().reset_index(name="alerts")
    open_by_rule(counts, f"alerts-rules-{pipeline}")


@live(EVERY_S, "vigie run {}")
def listed(view: View, pipeline: str) -> None:
    st.header("Alerts")
    shown = st.segmented_control("Show", [OPEN, ALL], default=OPEN, required=True, key=f"alerts-shown-{pipeline}")
    alerts = found(view, pipeline)
    if alerts.empty:
        st.info("No alert has been raised yet.")
        return
    if shown == OPEN:
        alerts = alerts[alerts["closed_at"].isna()]
    if alerts.empty:
        st.success(f"No alert is open. {ALL} has those that are closed.")
        return
    zone = view.zone.key
    states = [_state(view, row) for row in alerts.to_dict("records")]
    text, instant = st.column_config.TextColumn, st.column_config.DatetimeColumn
    st.dataframe(
        alerts.assign(
            opened_at=view.local(alerts["opened_at"]), closed_at=view.local(alerts["closed_at"]), state=states
        ),
        hide_index=True,
        width="stretch",
        column_order=(
            "severity",
            "rule",
            "key",
            "opened_at",
            *(["closed_at"] if shown == ALL else []),
            "state",
            "message",
        ),
        column_config={
            "severity": "Severity",
            "rule": "Rule",
            "key": "Key",
            "opened_at": instant(f"Opened ({zone})", format="YYYY-MM-DD HH:mm:ss"),
            "closed_at": instant(f"Closed ({zone})", format="YYYY-MM-DD HH:mm:ss"),
            "state": "State",
            "message": text("What was seen", width="large"),
        },
    )
    if shown == ALL:
        everything = view.typed(f"vigie alerts {called(view, pipeline)}")
        st.caption(f"Of the closed ones the newest {CLOSED_SHOWN}. All: `{everything}`")


def _state(view: View, alert: dict[str, Any]) -> str:
    said = ["open" if pd.isna(alert["closed_at"]) else "closed"]
    if not pd.isna(alert["acknowledged_at"]):
        said.append("acknowledged" + (f" ({on_one_line(alert['note'])})" if alert["note"] else ""))
    if not pd.isna(alert["silenced_until"]):
        said.append(f"silent until {view.clock(alert['silenced_until'], '%Y-%m-%d %H:%M')}")
    if alert["suppressed_by"]:
        said.append(f"kept back by {on_one_line(alert['suppressed_by'])}")
    return ", ".join(said)


@live(SELDOM_S, "vigie run {}")
def one(view: View, pipeline: str) -> None:
    """One alert: who knows of it, who is to be told, and why it was raised."""
    alerts = {row["alert_id"]: row for row in found(view, pipeline).to_dict("records")}
    if not alerts:
        return
    st.header("One alert")
    chosen = st.selectbox(
        "Alert",
        alerts,
        key=f"alerts-one-{pipeline}",
        format_func=lambda alert_id: f"{on_one_line(alerts[alert_id]['message'])} ({alert_id[:6]})",
    )
    alert = alerts[chosen]
    st.text(f"{alert['severity']}, {_state(view, alert)}")
    if view.allow_actions:
        left, right = st.columns(2)
        with left:
            _acknowledging(view, pipeline, alert)
        with right:
            _silencing(view, pipeline, alert)
    else:
        _commands(view, pipeline, alert)
    _explaining(view, pipeline, chosen)


def _commands(view: View, pipeline: str, alert: dict[str, Any]) -> None:
    """What is typed to do what this page may not."""
    own = f"vigie alerts {called(view, pipeline)}"
    rule, key = (shlex.quote(str(alert[name])) for name in ("rule", "key"))
    st.caption("This page only shows. `vigie dashboard --allow-actions` lets whoever opens it act; or type:")
    typed = f"{own} ack {alert['alert_id']}", f"{own} silence --rule {rule} --key {key} --for 1h"
    st.code("\n".join(map(view.typed, typed)), language=None, wrap_lines=True)


def _acknowledging(view: View, pipeline: str, alert: dict[str, Any]) -> None:
    if not pd.isna(alert["acknowledged_at"]):
        st.info(f"Acknowledged {view.clock(alert['acknowledged_at'], '%Y-%m-%d %H:%M:%S')} {view.zone.key}.")
        return
    with st.form(f"alerts-ack-{alert['alert_id']}", clear_on_submit=True):
        note = st.text_input("Note", placeholder="the heating is being repaired")
        if st.form_submit_button("Acknowledge"):
            _say(pipeline, book(view, pipeline).acknowledge(alert["alert_id"], note or None))


def _silencing(view: View, pipeline: str, alert: dict[str, Any]) -> None:
    rule, key = alert["rule"], alert["key"]
    scopes = {
        f"{rule} at {on_one_line(key)}": (rule, key),
        f"{rule} at every key": (rule, None),
        f"{EVERY_RULE} at {on_one_line(key)}": (None, key),
    }
    with st.form(f"alerts-silence-{alert['alert_id']}"):
        scope = st.selectbox("Nobody is told of", scopes)
        span = st.selectbox("For", SPANS, index=1)
        note = st.text_input("Why", placeholder="a known fault")
        if st.form_submit_button("Silence"):
            _say(pipeline, book(view, pipeline).silence(*scopes[scope], SPANS[span], note or None))


def _explaining(view: View, pipeline: str, alert_id: str) -> None:
    held = _why(pipeline)
    if declared(view, pipeline) is None:
        st.info(f"Why it was raised, for one of your own pipelines: `vigie alerts path/to/file.py explain {alert_id}`")
    elif st.button("Why was it raised?", icon=":material/help:"):
        st.session_state[held] = explain(book(view, pipeline), alert_id)
    explanation: Explanation | None = st.session_state.get(held)
    if explanation is not None and explanation.alert["alert_id"] == alert_id:
        _draw(view, explanation)


def _why(pipeline: str) -> str:
    """Where the explanation that a viewer asked for is kept."""
    return f"alerts-why-{pipeline}"


def _draw(view: View, explanation: Explanation) -> None:
    """What `vigie alerts explain` tells, and a picture of it."""
    time, *_ = explanation.columns
    judged = [row for row in explanation.readings if row["value"] is not None]
    if len(judged) > 1:
        chart(_pictured(view, judged, time), "alerts-why", 260)
    lines: list[str] = []
    for part in (*explanation.told(), None):
        if isinstance(part, str):
            lines.append(part)
            continue
        if lines:
            st.code("\n".join(lines).strip(), language=None, wrap_lines=True)
            lines = []
        if isinstance(part, Listing):
            st.dataframe(pd.DataFrame(list(part.rows), columns=list(part.columns)), hide_index=True, width="stretch")
    st.caption("Times in this explanation are UTC.")


def _pictured(view: View, judged: Sequence[dict[str, Any]], time: str) -> go.Figure:
    """The value of each reading as the rule judged it, against its limit."""
    times = [_on_the_clock(view, row[time]) for row in judged]
    values, limits = [row["value"] for row in judged], [row["threshold"] for row in judged]
    opening = [at for at, row in enumerate(judged) if str(row["verdict"]).startswith(OPENED_HERE)]
    drawn = go.Figure(go.Scatter(x=times, y=values, name="Value", mode="lines+markers", line={"color": BLUE}))
    dashed = {"color": GREY, "dash": "dash"}
    drawn.add_trace(go.Scatter(x=times, y=limits, name="Limit", mode="lines", line=dashed))
    mark = {"color": RED, "size": 12, "symbol": "diamond"}
    x, y = [times[at] for at in opening], [values[at] for at in opening]
    drawn.add_trace(go.Scatter(x=x, y=y, name="Opens the alert", mode="markers", marker=mark))
    drawn.update_layout(xaxis_title=f"Time ({view.zone.key})", yaxis_title="Value that is judged", showlegend=True)
    return drawn


def _on_the_clock(view: View, instant: datetime) -> datetime:
    return instant.astimezone(view.zone).replace(tzinfo=None)


@live(SELDOM_S, "vigie run {}")
def silences(view: View, pipeline: str) -> None:
    held = in_force(given(view.lake, pipeline), view.now())
    if not held:
        return
    st.header("Silences")
    for silence in _widest(held):
        left, right = st.columns([4, 1])
        assert silence.until is not None
        why = f" ({on_one_line(silence.note)})" if silence.note else ""
        left.text(f"{silence.scope}, until {view.clock(silence.until, '%Y-%m-%d %H:%M')} {view.zone.key}{why}")
        which = f"alerts-unsilence-{pipeline}-{silence.rule!r}-{silence.key!r}"
        if view.allow_actions and right.button("End", key=which, help=f"End the silence of {literal(silence.scope)}"):
            _say(pipeline, book(view, pipeline).unsilence(silence.rule, silence.key, None))


def _widest(held: Iterable[Command]) -> list[Command]:
    """Of each rule and key the silence that lasts longest."""
    by_end = sorted((silence for silence in held if silence.until is not None), key=lambda each: str(each.until))
    return list({(silence.rule, silence.key): silence for silence in by_end}.values())


def _say(pipeline: str, command: Command) -> None:
    """Tell what was done, and draw the page anew with it; an explanation was of before."""
    st.session_state.pop(_why(pipeline), None)
    st.toast(literal(str(command)))
    st.rerun()


def book(view: View, pipeline: str) -> Watchbook:
    """The alerts as the command line meets them; of a pipeline that cannot be found here, by its tables alone."""
    graph = declared(view, pipeline)
    return Watchbook(graph or Graph(pipeline), called(view, pipeline), view.lake, view.now())
