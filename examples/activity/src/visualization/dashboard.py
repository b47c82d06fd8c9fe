"""Activity in a browser: users, pages and wikis, from MongoDB where VIGIE_MONGO names one, else from the lake.

    streamlit run src/visualization/dashboard.py

The lake is ./lake, or what VIGIE_LAKE names. It is the page of `vigie dashboard activity`, read-only and on this
machine alone; the page itself is src/vigie/activity/page.py.
"""

from __future__ import annotations

import streamlit as st

from vigie.dashboard.serving import APP, page_of

app = st.App(APP, **page_of("activity"))  # `streamlit run` looks for a line like this, and serves what it names

if __name__ == "__main__":
    app.run()
