"""The states in which a page or a part of it can be: empty, loading, live, stale, broken."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import datetime
from typing import ParamSpec

import streamlit as st

from vigie.dashboard.look import literal
from vigie.dashboard.reading import NotYet
from vigie.dashboard.view import View
from vigie.errors import VigieError
from vigie.writer import FIRST_ROWS_AFTER_S, first_rows

STALE_AFTER_S = 30.0
LOOK_EVERY_S = 2.0
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))

log = logging.getLogger(__name__)
P = ParamSpec("P")


def live(every_s: float, made_by: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """A part of a page that draws itself again every so many seconds, in whatever state the lake is.

    `made_by` is the command that makes the tables it shows; `{}` in it is the part's second argument. A part takes the
    View as its first argument, and what it draws is replaced as a whole.
    """

    def decorate(part: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(part)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            loading = st.empty()  # always there, or else all that follows would be made anew at the second drawing
            shown = f"{part.__module__}.{part.__qualname__}"
            if shown not in st.session_state:
                loading.caption("Reading the lake ...")
                st.session_state[shown] = True
            try:
                part(*args, **kwargs)
            except NotYet as problem:
                view, *others = args
                assert isinstance(view, View)
                run = view.typed(made_by.format(*others))
                st.info(f"{_sentence(problem.what)} It comes with the run: `{run}`", icon=":material/hourglass_empty:")
            except VigieError as problem:
                broken(problem)
            except Exception:
                log.exception("%s could not be drawn", part.__qualname__)
                st.error("This part could not be drawn. The output of `vigie dashboard` says why.")
            loading.empty()

        return st.fragment(drawn, run_every=every_s)

    return decorate


def broken(problem: VigieError) -> None:
    """What is wrong, where, and what to do."""
    where = f" ({literal(problem.where)})" if problem.where else ""
    st.error(f"{literal(_sentence(problem.what)[:-1])}{where}. {literal(problem.do)}", icon=":material/error:")


def awaited(view: View, pipeline: str, made_by: str, *tables: str) -> bool:
    """Whether a page must wait until one of these tables has rows; says so, by the first, and looks again."""
    if any(map(view.has_rows, tables)):
        return False
    _empty(view, pipeline, made_by, *tables)
    return True


@st.fragment(run_every=LOOK_EVERY_S)
def _empty(view: View, pipeline: str, made_by: str, *tables: str) -> None:
    if any(map(view.has_rows, tables)):
        st.rerun()
    running_s = view.running_s(pipeline)
    with st.container(border=True):
        if running_s is None:
            st.header("Nothing to see yet")
            st.markdown(f"The lake `{view.lake}` has no rows in `{tables[0]}`. Bring some, in another terminal:")
            st.code(view.typed(made_by), language="sh")
        else:
            st.header("The run is starting")
            st.progress(min(running_s / FIRST_ROWS_AFTER_S, 0.99), f"{first_rows(running_s).capitalize()}.")
            st.markdown("Spark starts, plans and compiles before that.")
        st.caption("This page looks again every two seconds and goes on by itself.")


def age(view: View, pipeline: str, newest: datetime | None, restarted_by: str, what: str = "data") -> None:
    """How old the newest data is, or the newest of `what` else: quiet while it is live or a run goes on, a warning once
    nothing makes it newer."""
    if newest is None:
        st.caption("No data yet.")
        return
    seconds = max(0.0, (view.now() - newest).total_seconds())
    said = f"Last {what} {ago(seconds)} ago ({view.clock(newest, '%Y-%m-%d %H:%M:%S')} {view.zone.key})"
    running_s = view.running_s(pipeline)
    if seconds <= STALE_AFTER_S:
        st.caption(f"{said}.")
    elif running_s is not None:
        st.caption(f"{said}. The run goes on: it is behind, or its feed sends nothing.")
    else:
        st.warning(
            f"{said}. If the feed or the run has stopped: `{view.typed(restarted_by)}`", icon=":material/schedule:"
        )


def closed_until(view: View, end: datetime | None) -> None:
    """Up to when the windows of a chart are closed: what came later is not in it."""
    if end is not None:
        st.caption(f"Windows closed up to {view.clock(end, '%Y-%m-%d %H:%M')} {view.zone.key}.")


def ago(seconds: float) -> str:
    """A span of time as it is said: `42 s`, `7 min`, `3 h`, `2 d`."""
    unit, length = unit_of(seconds)
    return f"{seconds / length:,.0f} {unit}"


def unit_of(seconds: float) -> tuple[str, int]:
    """The unit in which a span of time is said, and how many seconds it has."""
    return next(((unit, length) for unit, length in UNITS if seconds >= 2 * length), ("s", 1))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
