"""What a page is given: the lake to ask, the clock that a person chose, and whether it is dark."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import streamlit as st

from vigie.dashboard.reading import Shelf, Slice
from vigie.lake import Lake, is_table, opened
from vigie.writer import writer

if TYPE_CHECKING:
    from pandas import DataFrame, Series


@dataclass(frozen=True, slots=True)
class View:
    """One viewer's look at a lake. `pipeline` is what was typed behind `vigie dashboard`, if anything was; unless it
    was started with `--allow-actions`, a viewer changes nothing."""

    lake: Lake
    pipeline: str | None = None
    zone: ZoneInfo = ZoneInfo("UTC")
    dark: bool = False
    allow_actions: bool = False

    def ask(self, sql: str, *parameters: Any, **slices: Slice) -> DataFrame:
        """What DuckDB answers about slices of tables, named here: `view.ask("SELECT ... FROM rows", rows=READINGS)`.

        Answers are shared by all viewers until a table has grown, so SQL must not ask for the time.
        """
        return _shelf(str(self.lake.root)).ask(sql, slices, parameters)

    def has(self, table: str) -> bool:
        """Whether somebody has written the table yet."""
        return is_table(self.lake.path(table))

    def has_rows(self, table: str) -> bool:
        """Whether anything was ever written into the table."""
        path = self.lake.path(table)
        return is_table(path) and (path in _WRITTEN or _is_written(path))

    def running_s(self, pipeline: str) -> float | None:
        """For how many seconds a process has been writing the pipeline's tables; None when none does."""
        found = writer(self.lake, pipeline)
        return None if found is None else max(0.0, (self.now() - found.since).total_seconds())

    def pipelines_with(self, slice_of: Callable[[str], Slice]) -> list[str]:
        """The pipelines of which the lake has this table."""
        return [name for name in self.lake.pipelines() if self.has(slice_of(name).table)]

    def typed(self, words: str) -> str:
        """A command as it is typed for this lake."""
        return f"{words} --lake {shlex.quote(str(self.lake))}"

    def clock(self, instant: datetime, form: str = "%H:%M:%S") -> str:
        """An instant on the clock that the viewer chose."""
        return instant.astimezone(self.zone).strftime(form)

    def local(self, instants: Series) -> Series:
        """Instants for an axis or a table, on the clock that the viewer chose; its name belongs in the label."""
        return instants.dt.tz_convert(self.zone).dt.tz_localize(None)

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


_WRITTEN: set[Path] = set()  # tables that had rows when they were looked at: they are not looked at again


def _is_written(path: Path) -> bool:
    if opened(path).get_add_actions().num_rows:
        _WRITTEN.add(path)
    return path in _WRITTEN


@st.cache_resource(show_spinner=False)
def _shelf(root: str) -> Shelf:
    """One for all viewers of a lake."""
    return Shelf(Lake.at(root))
