"""Sensors in a browser: buildings and floors, open alerts, readings beyond a limit, the history of one.

    streamlit run dashboard/dashboard.py

The lake is ./lake, or what VIGIE_LAKE names. It is the page of `vigie dashboard sensors`, read-only and on this machine
alone; the page itself is src/vigie/sensors/page.py.
"""

from __future__ import annotations

import streamlit as st

from vigie.dashboard.serving import APP, page_of

app = st.App(APP, **page_of("sensors"))  # `streamlit run` looks for a line like this, and serves what it names

if __name__ == "__main__":
    app.run()
