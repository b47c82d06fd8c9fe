"""What the pipeline of a page declares, where it can be found: one that ships, or the file that was typed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from vigie.dashboard.view import View
from vigie.errors import RequestError
from vigie.graph import Graph
from vigie.pipeline import SHIPPED, Pipeline, load


def declared(view: View, pipeline: str) -> Graph | None:
    """None of a pipeline that has tables in the lake, and no file that is known here."""
    if pipeline in SHIPPED:
        return load(pipeline).graph()
    if view.pipeline is not None and named(view.pipeline) == pipeline:
        return _own(view.pipeline).graph()
    return None


def called(view: View, pipeline: str) -> str:
    """What the command line knows it by: its file, for one of a person's own."""
    own = pipeline not in SHIPPED and view.pipeline is not None and named(view.pipeline) == pipeline
    return str(view.pipeline) if own else pipeline


def making(view: View, pipeline: str) -> str:
    """What fills its tables: a demo of one that ships, a run of a person's own."""
    return f"vigie demo {pipeline}" if pipeline in SHIPPED else f"vigie run {called(view, pipeline)}"


def named(typed: str | None) -> str | None:
    """The name of the pipeline that was typed; none when it cannot be found."""
    if typed is None or typed in SHIPPED:
        return typed
    try:
        return _own(typed).name
    except RequestError:
        return None


def _own(path: str) -> Pipeline:
    file = Path(path)
    return _loaded(path, file.stat().st_mtime_ns if file.is_file() else 0)


@st.cache_resource(show_spinner=False, max_entries=4)
def _loaded(path: str, changed_ns: int) -> Pipeline:  # noqa: ARG001  (what it is remembered by)
    """A file is run once, and again when it has changed: what it does as it is imported is not for every drawing."""
    return load(path)
