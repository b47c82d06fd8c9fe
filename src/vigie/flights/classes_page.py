"""The part of the page of flights that shows what a model takes the aircraft for."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from vigie.dashboard.chart import by_minute
from vigie.dashboard.reading import Slice
from vigie.dashboard.states import closed_until, live
from vigie.dashboard.view import View
from vigie.models import UNSURE, Models

EVERY_S = 10.0
RUN = "vigie run flights"
# Told apart by people who see no red or no green, and not the colours of the phases beside them.
COLOURS = {"Heavy": "#3b6fb6", "Light": "#e0a030", "Other": "#8a5fa8", UNSURE: "#9aa0a6"}
CLASSES = Slice(
    "gold/heavy_per_minute",
    ("window_start", "window_end", "predicted_class", "flight_count", "avg_probability", "model"),
    by="window_end",
    last=timedelta(hours=2),
)


@live(EVERY_S, RUN)
def taken_for(view: View) -> None:
    st.header("What the aircraft are taken for")
    in_use = Models(view.lake, "flights").in_use
    if in_use is None:
        st.info(f"No model has been trained yet. Train one on this lake: `{view.typed('vigie train flights')}`")
        return
    counted = view.ask("SELECT * FROM classes ORDER BY window_start, predicted_class", classes=CLASSES)
    if counted.empty:
        st.info(f"Model {in_use} is in use; the first minute closes two to three minutes after it began to predict.")
        return
    by_class = counted.pivot_table(index="window_start", columns="predicted_class", values="flight_count", fill_value=0)
    by_minute(view, by_class, COLOURS, "Aircraft a minute, in the air", "flights-classes")
    last = counted[counted["window_end"] == counted["window_end"].max()]
    st.caption(
        f"By model {int(last['model'].max())}, from how they fly. '{UNSURE}' is where no class is likely enough; an "
        "aircraft that is taken for two classes within a minute counts in both."
    )
    closed_until(view, counted["window_end"].max())
