"""The live map: land and borders that ship with Vigie, aircraft as headed arrows, their trails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import plotly.graph_objects as go

from vigie.dashboard.look import BLUE, GREEN, GREY, ORANGE, PURPLE

if TYPE_CHECKING:
    from pandas import DataFrame

PHASE_COLOURS = {"GROUND": GREY, "TAKEOFF": ORANGE, "CLIMB": GREEN, "CRUISE": BLUE, "DESCENT": PURPLE}
SEA, LAND, BORDER = ("#dfe9f2", "#f8f7f2", "#b9c3cc")
SEA_DARK, LAND_DARK, BORDER_DARK = ("#0b1117", "#1c2630", "#3d4c5a")
MIDDLE = (46.6, 2.4)  # of France
ZOOM = 4.4
ARROW_AS_DRAWN = 10  # tenths


def map_style(dark: bool, page: str | None) -> dict[str, Any]:
    """A style of MapLibre whose every source is on the server that gave the page; `page` is its address.

    Land is a file that the browser fetches once: within the style it would be sent with every refresh.
    """
    sea, land, border = (SEA_DARK, LAND_DARK, BORDER_DARK) if dark else (SEA, LAND, BORDER)
    parts = urlsplit(page or "")
    static = f"{parts.scheme}://{parts.netloc}/app/static" if parts.netloc else "/app/static"
    return {
        "version": 8,
        "sprite": f"{static}/arrows",
        "sources": {"land": {"type": "geojson", "data": f"{static}/land.json", "attribution": "Natural Earth"}},
        "layers": [
            {"id": "sea", "type": "background", "paint": {"background-color": sea}},
            {"id": "land", "type": "fill", "source": "land", "paint": {"fill-color": land}},
            {"id": "border", "type": "line", "source": "land", "paint": {"line-color": border, "line-width": 0.8}},
        ],
    }


def arrow(phase: str) -> str:
    """The icon of a phase: with an underscore, for of other names Plotly would ask a public server."""
    return f"vigie_{phase.lower()}"


def figure(aircraft: DataFrame, trails: DataFrame, chosen: str | None, style: dict[str, Any]) -> go.Figure:
    """The map: an arrow for each aircraft, in the colour of its phase; `customdata` is its icao24."""
    lat, lon = _lines(trails)
    shown = go.Figure(
        go.Scattermap(
            lat=lat,
            lon=lon,
            mode="lines",
            line={"width": 1, "color": GREY},
            opacity=0.55,
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for phase, colour in PHASE_COLOURS.items():
        own = aircraft[aircraft["flight_phase"] == phase]
        shown.add_trace(
            go.Scattermap(
                lat=own["latitude"].to_numpy(),
                lon=own["longitude"].to_numpy(),
                mode="markers",
                marker={
                    "symbol": arrow(phase),
                    "size": ARROW_AS_DRAWN,
                    "angle": own["heading_deg"].fillna(0.0).to_numpy(),
                    "allowoverlap": True,
                    "color": colour,
                },
                name=phase.capitalize(),
                customdata=own[["icao24", "callsign", "altitude_meters", "velocity_kmh"]].to_numpy(),
                hovertemplate="%{customdata[1]}<br>%{customdata[2]:,.0f} m, %{customdata[3]:,.0f} km/h<extra></extra>",
            )
        )
    ring = aircraft[aircraft["icao24"] == chosen]
    shown.add_trace(
        go.Scattermap(
            lat=ring["latitude"].to_numpy(),
            lon=ring["longitude"].to_numpy(),
            mode="markers",
            marker={"size": 22, "color": ORANGE, "opacity": 0.35},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    shown.update_layout(map={"style": style, "center": {"lat": MIDDLE[0], "lon": MIDDLE[1]}, "zoom": ZOOM})
    return shown


def _lines(trails: DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Latitudes and longitudes, to half a metre, in the order of aircraft and time; a gap between two aircraft."""
    keys = trails["icao24"].to_numpy()
    gaps = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    lat, lon = (np.insert(trails[name].to_numpy(np.float32), gaps, np.nan) for name in ("latitude", "longitude"))
    return lat, lon
