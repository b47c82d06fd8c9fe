"""Flights in a browser: KPIs, a live map, phases, anomalies by country and hour.

    streamlit run dashboard/app.py

The lake is ./lake, or what VIGIE_LAKE names. It is the page of `vigie dashboard flights`, read-only and on this machine
alone; the page itself is src/vigie/flights/page.py.
"""

from __future__ import annotations

import streamlit as st

from vigie.dashboard.serving import APP, page_of

app = st.App(APP, **page_of("flights"))  # `streamlit run` looks for a line like this, and serves what it names

if __name__ == "__main__":
    app.run()
