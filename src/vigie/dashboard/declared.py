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


def unread(typed: str | None) -> RequestError | None:
    """Why a person's own file cannot be read as it is now; pages go on with it as it was."""
    if typed is None or typed in SHIPPED:
        return None
    return _as_it_is(typed)[1]


def _own(path: str) -> Pipeline:
    """As the file declares it, or did when it could be read last."""
    found, problem = _as_it_is(path)
    if found is not None:
        _read_last()[path] = found
    elif path not in _read_last():
        assert problem is not None
        raise problem
    return _read_last()[path]


def _as_it_is(path: str) -> tuple[Pipeline | None, RequestError | None]:
    file = Path(path)
    return _loaded(path, file.stat().st_mtime_ns if file.is_file() else 0)


@st.cache_resource(show_spinner=False, max_entries=4)
def _loaded(path: str, changed_ns: int) -> tuple[Pipeline | None, RequestError | None]:  # noqa: ARG001
    """A file is run once, and again when it has changed: what it does as it is imported is not for every drawing."""
    try:
        return load(path), None
    except RequestError as problem:
        return None, problem


@st.cache_resource(show_spinner=False)
def _read_last() -> dict[str, Pipeline]:
    """The pipelines of files that could be read, each as it was then."""
    return {}
