"""The live map: what the browser is told of aircraft, and the component that draws them over land that ships here."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from streamlit.components.v2 import component

from vigie.dashboard.look import BLUE, GREEN, GREY, INK, INK_DARK, ORANGE, PURPLE
from vigie.flights.limits import SPEEDS_KMH

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

PHASE_COLOURS = {"GROUND": GREY, "TAKEOFF": ORANGE, "CLIMB": GREEN, "CRUISE": BLUE, "DESCENT": PURPLE}
ALTITUDE_COLOURS = (
    "#c2573a", "#c97a1a", "#b0902a", "#7f9a35", "#3f9c5b", "#14988c", "#2b8db4", "#4a7fc9", "#6f71cf", "#8f65c6",
    "#a85bb3", "#b85597",
)  # fmt: skip
HIGHEST_M = 12_000
LIGHT = {
    "sea": "#d9e6f0", "land": "#f7f6f1", "border": "#b4bfc9", "paper": "#ffffff", "ink": INK, "quiet": "#4d5a67",
    "line": "#cfd8e0", "accent": "#1b639f", "halo": "rgba(27,99,159,0.18)", "edge": "#ffffff",
}  # fmt: skip
DARK = {
    "sea": "#0b1117", "land": "#1c2630", "border": "#3d4c5a", "paper": "#19222c", "ink": INK_DARK, "quiet": "#a9b6c3",
    "line": "#33414e", "accent": "#6db3ea", "halo": "rgba(109,179,234,0.22)", "edge": "#0b1117",
}  # fmt: skip
LIBRARY = "maplibre-gl-5.24.1.js"  # by tools/map_library.py
FRANCE = (-5.2, 41.2, 9.8, 51.3)  # degrees: west, south, east, north
DEGREES = 1e-5  # the unit of a position: a metre
TRAIL_DEGREES = 5e-5  # the unit of a trail, from where its aircraft is: 16 bits reach a degree and a half

FOLDER = Path(__file__).with_name("radar")
MODULES = (
    "mercator", "motion", "snapshot", "dom", "words", "retry", "sight", "pace", "arrows", "aircraft_layer", "ground",
    "gestures", "card", "search", "colours", "layout", "radar", "component",
)  # fmt: skip
IMPORT = re.compile(r"^import [^;]+;\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def script() -> str:
    """All modules as one, each after those that it imports.

    It goes along with the data: nothing is left that could be there later than what it draws, or not at all.
    """
    modules = (FOLDER.joinpath(f"{name}.js").read_text() for name in MODULES)
    return "".join(EXPORT.sub("", IMPORT.sub("", module)) for module in modules)


_drawn = component("vigie_map", js=script(), css=(FOLDER / "radar.css").read_text(), isolate_styles=False)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person sees of aircraft: the newest report of each, trails, and the way of the one that was chosen."""

    aircraft: DataFrame
    trails: DataFrame
    chosen: str | None = None
    track: DataFrame | None = None


def live_map(snapshot: dict[str, Any], key: str, height: int | str = 560) -> str | None:
    """The map, as wide as its place; which aircraft a person chose on it.

    It stays as long as `key` is the same, and so do the camera, the choice and the colours: each snapshot is a whole.
    """
    chosen: str | None = _drawn(
        data={**snapshot, "key": key, "height": height}, key=key, default={"chosen": None}, on_chosen_change=_nothing
    ).chosen
    return chosen


def _nothing() -> None: ...


def snapshot(sight: Sight, at: datetime, *, zone: str, dark: bool, page: str | None) -> dict[str, Any]:
    """All that the map is told, at a moment of this server's clock; `page` is the address of the page that shows it."""
    aircraft, newest = sight.aircraft, _newest(sight.aircraft["event_timestamp"])
    return {
        "at": at.timestamp(),
        "newest": None if pd.isna(newest) else newest.timestamp(),
        "zone": zone,
        "bounds": FRANCE,
        "fastest_kmh": SPEEDS_KMH[1],
        "chosen": sight.chosen,
        "look": look(dark),
        "files": files(page),
        "aircraft": {
            "icao24": aircraft["icao24"].tolist(),
            "callsign": aircraft["callsign"].astype(object).where(aircraft["callsign"].notna(), None).tolist(),
            "country": _words(aircraft["origin_country"]),
            "phase": _words(aircraft["flight_phase"]),
            "class": _words(aircraft["aircraft_class"]),
            "lon": _degrees(aircraft["longitude"]),
            "lat": _degrees(aircraft["latitude"]),
            "altitude": _figures(aircraft["altitude_meters"]),
            "speed": _figures(aircraft["velocity_kmh"]),
            "climb": _figures(aircraft["vertical_rate_ms"]),
            "heading": _figures(aircraft["heading_deg"]),
            "heard": _figures((newest - aircraft["event_timestamp"]).dt.total_seconds().clip(lower=0)),
        },
        "trails": _trails(aircraft, sight.trails),
        "track": _track(sight),
    }


def _newest(heard: Series) -> Any:
    """When nine of ten aircraft were last heard: one whose clock is ahead would make all others old."""
    return pd.NaT if heard.empty else heard.sort_values().iloc[math.ceil(0.9 * len(heard)) - 1]


def look(dark: bool) -> dict[str, Any]:
    """Every colour of the map."""
    return {
        **(DARK if dark else LIGHT),
        "is_dark": dark,
        "phases": PHASE_COLOURS,
        "unknown": GREY,
        "altitudes": {"colours": ALTITUDE_COLOURS, "highest_m": HIGHEST_M},
    }


def files(page: str | None) -> dict[str, str]:
    """What the browser fetches once, on the server that gave the page."""
    parts = urlsplit(page or "")
    static = f"{parts.scheme}://{parts.netloc}/app/static" if parts.netloc else "/app/static"
    return {"script": f"{static}/{LIBRARY}", "land": f"{static}/land.json"}


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _degrees(values: Series) -> str:
    return _text(np.rint(values.to_numpy(np.float64) / DEGREES).astype("<i4"))


def _figures(values: Series) -> str:
    return _text(values.to_numpy("<f4", na_value=np.nan))


def _words(values: Series) -> dict[str, Any]:
    """A column of few words: which they are, and the number of each row's; the last stands for what is not known."""
    codes, names = pd.factorize(values)
    return {"names": [*names, None], "codes": _text(np.where(codes < 0, len(names), codes).astype("<u2"))}


def _trails(aircraft: DataFrame, trails: DataFrame) -> dict[str, str]:
    """The points of each aircraft's trail, in the order of the aircraft, as steps from where it is now."""
    owners = pd.Index(aircraft["icao24"]).get_indexer(trails["icao24"])
    lon, lat = (
        np.rint((trails[name].to_numpy() - aircraft[name].to_numpy()[owners]) / TRAIL_DEGREES)
        if len(aircraft)
        else np.empty(0)
        for name in ("longitude", "latitude")
    )
    most = np.iinfo("<i2").max
    kept = (owners >= 0) & (np.abs(lon) <= most) & (np.abs(lat) <= most)
    order = np.argsort(owners[kept], kind="stable")
    lengths = np.bincount(owners[kept], minlength=len(aircraft))
    return {
        "lengths": _text(lengths.astype("<u2")),
        "lon": _text(lon[kept][order].astype("<i2")),
        "lat": _text(lat[kept][order].astype("<i2")),
    }


def _track(sight: Sight) -> dict[str, str] | None:
    if sight.chosen is None or sight.track is None:
        return None
    lon, lat = _degrees(sight.track["longitude"]), _degrees(sight.track["latitude"])
    return {"icao24": sight.chosen, "lon": lon, "lat": lat}
