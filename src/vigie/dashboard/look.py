"""One look for all pages: colours that stand on light and on dark, charts, tiles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from pandas import DataFrame

# Told apart by those who see few colours, and 3 : 1 or more against both backgrounds.
BLUE, ORANGE, GREEN, PURPLE, RED, GREY, TEAL = (
    "#3b82c4", "#d97706", "#0f9d72", "#a06cc0", "#d9484a", "#7d8794", "#0e93a5",
)  # fmt: skip
SERIES = (BLUE, ORANGE, GREEN, PURPLE, TEAL, RED, GREY)
SEVERITY_COLOURS = {"critical": RED, "warning": ORANGE, "info": BLUE, "normal": GREY}
OUTCOME_COLOURS = {"accepted": GREEN, "quarantined": RED, "duplicate": PURPLE, "late": ORANGE}
INK, INK_DARK = "#0a1119", "#e8eef4"
STRAY = 0.1  # of what is usual: with less than that in a minute, the feed was not there yet
HEAT = ("#fff4e0", "#f5b041", "#c0392b")
HEAT_DARK = ("#1d2430", "#b9770e", "#ff6b5a")


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure with its unit, and how it has changed; `about` says what it counts."""

    label: str
    value: float | None
    unit: str = ""
    change: float | None = None
    digits: int = 0
    about: str = ""
    good: str = "off"  # which way is good: "normal" up, "inverse" down, "off" neither
    note: str = ""  # said below the figure, where there is no change


def is_dark() -> bool:
    """Whether this viewer's browser shows light on dark."""
    return bool(st.context.theme.type == "dark")


def literal(text: str) -> str:
    """Text that came from the data, so that Markdown shows it letter by letter: an image in it would be fetched."""
    return re.sub(r"([\\`*_\[\]<>#~|$!:&])", r"\\\1", text)


def tiles(shown: Sequence[Tile], against: str = "") -> None:
    """Tiles in a row, below one another on a phone; `against` says what changes are measured against."""
    for column, tile in zip(st.columns(len(shown)), shown, strict=True):
        unit = f" {tile.unit}" if tile.unit else ""
        change = None if tile.change is None else round(tile.change, tile.digits)
        changed = " pts" if tile.unit == "%" else unit  # of 4 %, 2 % more would be 4.08 %
        said = f"{change:+,.{tile.digits}f}{changed}" if change else "no change"
        column.metric(
            tile.label,
            "–" if tile.value is None else f"{tile.value:,.{tile.digits}f}{unit}",
            (tile.note or None) if change is None else f"{said} {against}".rstrip(),
            delta_color=tile.good if change else "off",  # type: ignore[arg-type]
            delta_arrow="auto" if change else "off",
            help=tile.about or None,
            border=True,
        )


def each_minute(counts: DataFrame) -> DataFrame:
    """Counts by the minute they are indexed by, with those in which nothing was: a line across would draw some."""
    import pandas as pd

    return counts.reindex(pd.date_range(counts.index.min(), counts.index.max(), freq="1min"), fill_value=0)


def whole_minutes(counts: DataFrame) -> DataFrame:
    """Counts by the minute, from the first whole one on.

    A feed begins within a minute, so that one is left out. So are those before it, which have only the odd late row.
    """
    every = each_minute(counts)
    totals = every.sum(axis=1)
    began = (totals >= STRAY * totals[totals > 0].median()).idxmax()
    return every[every.index > began]


def heat(dark: bool) -> list[tuple[float, str]]:
    """From nothing to much."""
    low, middle, high = HEAT_DARK if dark else HEAT
    return [(0.0, low), (0.5, middle), (1.0, high)]
