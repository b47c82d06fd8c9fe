"""The page of flights: what flies now, where, and what cannot be true of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from vigie.dashboard.chart import by_minute, chart
from vigie.dashboard.look import RED, Tile, heat, literal, tiles
from vigie.dashboard.reading import Slice
from vigie.dashboard.states import age, awaited, closed_until, live
from vigie.dashboard.view import View
from vigie.flights.classes_page import taken_for
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.flights.live_map import PHASE_COLOURS, Sight, live_map, snapshot

if TYPE_CHECKING:
    from pandas import DataFrame

RUN, DEMO = "vigie run flights", "vigie demo flights"
EVERY_S = 2.0
PHASES_EVERY_S = 5.0
GOLD_EVERY_S = 10.0
CRITICAL = 0.1  # of a country's reports in a window
COUNTRIES = 10
MAP = "flights-map"
ALOFT = "Of the last minute's reports in the air, without those that are an anomaly."
ANOMALY = (
    f"Reports with an altitude outside {ALTITUDES_M[0]:,} to {ALTITUDES_M[1]:,} m or a speed outside {SPEEDS_KMH[0]:,} "
    f"to {SPEEDS_KMH[1]:,} km/h, of the last minute's reports."
)

POSITIONS = Slice(
    "silver/flights_ml",
    (
        "icao24", "event_timestamp", "callsign", "origin_country", "latitude", "longitude", "altitude_meters",
        "velocity_kmh", "vertical_rate_ms", "heading_deg", "on_ground", "flight_phase", "aircraft_class",
    ),
    by="event_timestamp",
    last=timedelta(minutes=10),
)  # fmt: skip
PHASES = Slice(
    "gold/streaming_aggregations/flight_phase_counts",
    ("window_start", "window_end", "flight_phase", "flight_count"),
    by="window_end",
    last=timedelta(hours=2),
)
ANOMALIES = Slice(
    "gold/streaming_aggregations/anomaly_alerts",
    (
        "window_start", "window_end", "origin_country", "total_observations", "altitude_anomalies",
        "velocity_anomalies", "anomaly_rate",
    ),
    by="window_end",
    last=timedelta(hours=24),
)  # fmt: skip

IMPOSSIBLE = (
    f"(altitude_meters NOT BETWEEN {ALTITUDES_M[0]} AND {ALTITUDES_M[1]}"
    f" OR velocity_kmh NOT BETWEEN {SPEEDS_KMH[0]} AND {SPEEDS_KMH[1]})"
)
# When nine of ten aircraft were last heard: a clock that is ahead, of one of them, is not the time of the others.
NEWEST = """(SELECT quantile_disc(last, 0.9) AS newest FROM (
    SELECT max(event_timestamp) AS last FROM positions GROUP BY icao24))"""
TWO_MINUTES = f"""
    SELECT event_timestamp > newest - INTERVAL 1 MINUTE AS is_last, newest, count(DISTINCT icao24) AS aircraft,
        avg(altitude_meters) FILTER (NOT on_ground AND NOT coalesce({IMPOSSIBLE}, false)) AS altitude_m,
        avg(velocity_kmh) FILTER (NOT on_ground AND NOT coalesce({IMPOSSIBLE}, false)) AS speed_kmh,
        100.0 * count(*) FILTER ({IMPOSSIBLE}) / count(*) AS anomalies_pct
    FROM positions, {NEWEST}
    WHERE event_timestamp > newest - INTERVAL 2 MINUTES
    GROUP BY ALL ORDER BY is_last DESC
"""
# A table that another program wrote may hold what Vigie keeps out of it.
ON_EARTH = "icao24 IS NOT NULL AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180"
NOW = f"""
    SELECT * FROM positions
    WHERE {ON_EARTH} AND event_timestamp > {NEWEST} - INTERVAL 1 MINUTE
    QUALIFY row_number() OVER (PARTITION BY icao24 ORDER BY event_timestamp DESC) = 1
    ORDER BY icao24
"""
TRAILS = f"""
    SELECT icao24, latitude, longitude FROM positions
    WHERE {ON_EARTH} AND event_timestamp > {NEWEST} - INTERVAL 90 SECONDS
    ORDER BY icao24, event_timestamp
"""
TRACK = f"""
    SELECT event_timestamp, callsign, longitude, latitude, altitude_meters, coalesce(on_ground, false) AS on_ground
    FROM positions WHERE {ON_EARTH} AND icao24 = ? ORDER BY ALL
"""
# Windows of five minutes begin each minute: every fifth is taken, so that a report is counted once.
EACH_ONCE = "minute(window_start) % 5 = 0"
REPORTS = "CAST(round(anomaly_rate * total_observations) AS BIGINT)"


def page(view: View) -> None:
    if awaited(view, "flights", DEMO, POSITIONS.table):
        return
    now(view)
    where(view)
    for pair in ((phases, phases_over_time), (countries, hours)):
        for column, part in zip(st.columns(2), pair, strict=True):
            with column:
                part(view)
    taken_for(view)
    critical(view)


@live(EVERY_S, RUN)
def now(view: View) -> None:
    last, before = [*last_minute(view), {}, {}][:2]
    age(view, "flights", last.get("newest"), RUN)

    def tile(label: str, column: str, unit: str, about: str, **more: Any) -> Tile:
        value, was = _number(last.get(column)), _number(before.get(column))
        change = None if value is None or was is None else value - was
        return Tile(label, value, unit, change, about=about, **more)

    tiles(
        [
            tile("Active flights", "aircraft", "", "Aircraft heard in the last minute of data."),
            tile("Mean altitude", "altitude_m", "m", ALOFT),
            tile("Mean speed", "speed_kmh", "km/h", ALOFT),
            tile("Anomaly rate", "anomalies_pct", "%", ANOMALY, digits=2, good="inverse"),
        ],
        "in a minute",
    )


def last_minute(view: View) -> list[dict[str, Any]]:
    """The last minute of data, and the one before it where there is one."""
    found: list[dict[str, Any]] = view.ask(TWO_MINUTES, positions=POSITIONS).to_dict("records")
    return found


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


@live(EVERY_S, RUN)
def where(view: View) -> None:
    st.header("Where they are")
    shown = sight(view, st.session_state.get(MAP, {}).get("chosen"))
    told = snapshot(shown, view.now(), zone=view.zone.key, dark=view.dark, page=st.context.url)
    live_map(told, MAP)
    st.caption(
        f"{len(shown.aircraft):,} aircraft heard in the last minute of data, with 90 s of trail. "
        "Click one, or find it by its callsign, for all about it."
    )
    if shown.chosen is not None:
        altitudes(view, shown)


def sight(view: View, chosen: str | None) -> Sight:
    """What the map shows, with the last ten minutes of the aircraft that was chosen."""
    return Sight(
        view.ask(NOW, positions=POSITIONS),
        view.ask(TRAILS, positions=POSITIONS),
        chosen,
        None if chosen is None else view.ask(TRACK, chosen, positions=POSITIONS),
    )


def altitudes(view: View, shown: Sight) -> None:
    """How high the chosen aircraft was in its last ten minutes."""
    track, icao24 = shown.track, shown.chosen
    assert track is not None
    if track.empty:
        st.caption(f"Nothing was heard of {literal(str(icao24))} in the last ten minutes.")
        return
    callsign = track["callsign"].dropna()
    name = literal(callsign.iloc[-1] if len(callsign) else str(icao24))
    known, is_landed = track["altitude_meters"].notna(), track["on_ground"].iloc[-1]
    if not known.any():
        ground = "is on the ground, and " if is_landed else ""
        st.caption(f"{name} {ground}reported no altitude in the last ten minutes.")
        return
    st.markdown(f"**Altitude of {name} in the last ten minutes**")
    times = view.local(track["event_timestamp"])
    drawn = go.Figure(go.Scatter(x=times, y=track["altitude_meters"], mode="lines+markers", marker={"size": 4}))
    drawn.update_layout(xaxis_title=f"Time ({view.zone.key})")
    drawn.update_yaxes(title="Altitude (m)", rangemode="tozero", tickformat=",d")
    chart(drawn, "flights-one", 200)
    if is_landed and not known.iloc[-1]:
        st.caption(f"{name} is on the ground now, and reports no altitude there.")


@live(PHASES_EVERY_S, RUN)
def phases(view: View) -> None:
    st.header("Phases of flight")
    counts = view.ask(NOW, positions=POSITIONS)["flight_phase"].value_counts()
    names = [phase for phase in PHASE_COLOURS if phase in counts]
    labels, values = [name.capitalize() for name in names], [int(counts[name]) for name in names]
    colours = [PHASE_COLOURS[name] for name in names]
    shares = go.Figure(
        go.Pie(labels=labels, values=values, marker={"colors": colours}, hole=0.5, sort=False, automargin=True)
    )
    shares.update_layout(showlegend=False)
    bars = go.Figure(go.Bar(x=values, y=labels, orientation="h", marker={"color": colours}, text=values))
    bars.update_layout(xaxis_title="Aircraft", yaxis={"autorange": "reversed"}, showlegend=False)
    left, right = st.columns(2)
    with left:
        chart(shares, "flights-shares")
    with right:
        chart(bars, "flights-bars")
    st.caption("Aircraft heard in the last minute of data, by their newest report.")


@live(GOLD_EVERY_S, RUN)
def phases_over_time(view: View) -> None:
    st.header("Phases over time")
    counted = view.ask("SELECT window_start, window_end, flight_phase, flight_count FROM phases", phases=PHASES)
    if counted.empty:
        st.info("No window has closed yet: a one-minute window closes two minutes after it ends.")
        return
    by_phase = counted.pivot_table(index="window_start", columns="flight_phase", values="flight_count", fill_value=0)
    colours = {phase.capitalize(): colour for phase, colour in PHASE_COLOURS.items()}
    by_minute(view, by_phase.rename(columns=str.capitalize), colours, "Aircraft a minute", "flights-area")
    st.caption("An aircraft that changes its phase within a minute counts in both.")
    closed_until(view, counted["window_end"].max())


@live(GOLD_EVERY_S, RUN)
def countries(view: View) -> None:
    st.header("Countries with most anomalies")
    found = most_anomalies(view)
    if found.empty:
        _none_yet(view)
        return
    drawn = go.Figure(
        go.Bar(
            x=found["anomalies"],
            y=found["origin_country"],
            orientation="h",
            marker={"color": RED},
            text=found["anomalies"],
        )
    )
    drawn.update_layout(xaxis_title="Reports with an anomaly, 24 h", yaxis={"autorange": "reversed"})
    chart(drawn, "flights-countries", 360)
    closed_until(view, _closed(view, EACH_ONCE))


def most_anomalies(view: View) -> DataFrame:
    """The countries with the most reports that cannot be true, of a day."""
    return view.ask(
        f"""SELECT origin_country, CAST(sum({REPORTS}) AS BIGINT) AS anomalies FROM windows WHERE {EACH_ONCE}
        GROUP BY ALL HAVING anomalies > 0 ORDER BY anomalies DESC, origin_country LIMIT {COUNTRIES}""",
        windows=ANOMALIES,
    )


@live(GOLD_EVERY_S, RUN)
def hours(view: View) -> None:
    st.header("Anomalies by country and hour")
    found = by_hour(view)
    if found.empty:
        _none_yet(view)
        return
    grid = found.pivot_table(index="origin_country", columns="hour", values="anomalies", fill_value=0)
    grid = grid.loc[grid.sum(axis=1).sort_values(ascending=False).index]
    drawn = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x=[f"{hour:%d %b %H:00}" for hour in grid.columns],
            y=grid.index,
            colorscale=heat(view.dark),
            colorbar={"title": "Reports"},
            hovertemplate="%{y}, %{x}: %{z:,} reports<extra></extra>",
        )
    )
    drawn.update_layout(xaxis_title=f"Hour ({view.zone.key})", xaxis_type="category", yaxis={"autorange": "reversed"})
    chart(drawn, "flights-hours", 360)
    closed_until(view, _closed(view, EACH_ONCE))


def by_hour(view: View) -> DataFrame:
    """Reports that cannot be true, by country and hour on the viewer's clock; the worst countries of a day."""
    return view.ask(
        f"""WITH anomalies AS (
            SELECT origin_country, date_trunc('hour', window_start AT TIME ZONE ?) AS hour, {REPORTS} AS anomalies
            FROM windows WHERE {EACH_ONCE}
        ), worst AS (
            SELECT origin_country FROM anomalies GROUP BY ALL HAVING sum(anomalies) > 0
            ORDER BY sum(anomalies) DESC, origin_country LIMIT {COUNTRIES}
        )
        SELECT origin_country, hour, CAST(sum(anomalies) AS BIGINT) AS anomalies
        FROM anomalies SEMI JOIN worst USING (origin_country) GROUP BY ALL ORDER BY ALL""",
        view.zone.key,
        windows=ANOMALIES,
    )


@live(GOLD_EVERY_S, RUN)
def critical(view: View) -> None:
    st.header("Critical: more than one report in ten is impossible")
    found = critical_windows(view)
    if found.empty:
        _none_yet(view)
        return
    found["window_start"], found["window_end"] = view.local(found["window_start"]), view.local(found["window_end"])
    zone = view.zone.key
    st.dataframe(
        found,
        hide_index=True,
        width="stretch",
        column_config={
            "window_start": st.column_config.DatetimeColumn(f"From ({zone})", format="YYYY-MM-DD HH:mm"),
            "window_end": st.column_config.DatetimeColumn(f"Until ({zone})", format="HH:mm"),
            "origin_country": "Country",
            "anomaly_rate": st.column_config.NumberColumn("Anomaly rate", format="percent"),
            "total_observations": st.column_config.NumberColumn("Reports", format="localized"),
            "altitude_anomalies": st.column_config.NumberColumn("Impossible altitudes", format="localized"),
            "velocity_anomalies": st.column_config.NumberColumn("Impossible speeds", format="localized"),
        },
    )
    closed_until(view, _closed(view))


def critical_windows(view: View) -> DataFrame:
    """The newest windows of a country in which too many reports cannot be true."""
    return view.ask(
        f"""SELECT window_start, window_end, origin_country, anomaly_rate, total_observations, altitude_anomalies,
        velocity_anomalies FROM windows WHERE anomaly_rate > {CRITICAL}
        ORDER BY window_end DESC, anomaly_rate DESC, origin_country LIMIT 100""",
        windows=ANOMALIES,
    )


def _closed(view: View, which: str = "true") -> datetime | None:
    [end] = view.ask(f"SELECT max(window_end) AS closed FROM windows WHERE {which}", windows=ANOMALIES)["closed"]
    return None if pd.isna(end) else end.to_pydatetime()


def _none_yet(view: View) -> None:
    closed = _closed(view)
    if closed is None:
        st.info("No window has closed yet: a five-minute window closes six minutes after it ends.")
    else:
        st.success("None: no closed window of the last 24 h has any.")
        closed_until(view, closed)
