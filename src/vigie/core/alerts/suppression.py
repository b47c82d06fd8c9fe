"""Spans of time in which somebody knows why: alerts that open in them are marked, and not raised."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path

from vigie.graph import Quiet
from vigie.lake import opened


class QuietTimes:
    """The rows of a silver table of spans, as they were when it was last looked at."""

    def __init__(self, path: Path, quiet: Quiet) -> None:
        self.on = quiet.on
        self._path = path
        self._quiet = quiet
        self._version = -1
        self._spans: dict[str, list[tuple[datetime, datetime, str]]] = {}

    def look(self) -> None:
        """Read the spans again, if there are more."""
        table = opened(self._path)
        if table.version() == self._version:
            return
        quiet = self._quiet
        spans = defaultdict(list)
        columns = [quiet.on, quiet.starts, quiet.ends, quiet.what]
        for row in table.to_pyarrow_table(columns=columns).to_pylist():
            spans[str(row[quiet.on])].append((row[quiet.starts], row[quiet.ends], str(row[quiet.what])))
        self._spans, self._version = spans, table.version()

    def covering(self, where: str | None, at: datetime) -> str | None:
        """What is going on there at that time; none when nothing is. Of several, what ends last."""
        found = [(ends, what) for starts, ends, what in self._spans.get(where or "", ()) if starts <= at < ends]
        return max(found)[1] if found else None
