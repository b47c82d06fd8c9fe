"""The live view in a terminal: the feed, the tables with their lag, the ledger, and the newest windows."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vigie.graph import Gold, Graph, Node, Silver
from vigie.lake import Lake, is_table, opened
from vigie.listing import text_of

if TYPE_CHECKING:
    from vigie.engine.ledger import Entry
    from vigie.feed import Progress

PARTS = ("read", "accepted", "quarantined", "duplicate", "late")
WINDOWS = 5


@dataclass(slots=True)
class Screen:
    """What is known of a running pipeline, as lines and as a picture."""

    graph: Graph
    lake: Lake
    _progress: Progress | None = None
    _sums: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: dict.fromkeys(PARTS, 0)))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.graph.name

    def fed(self, progress: Progress) -> None:
        self._progress = progress

    def entry(self, entry: Entry) -> None:
        with self._lock:
            sums = self._sums[entry.table]
            for part in PARTS:
                sums[part] += getattr(entry, part) or 0

    def line(self) -> str:
        """All of it in one line, for a log."""
        fed = f"fed {self._progress.sent:,} ({self._progress.rate:,.0f}/s)" if self._progress else "feed starts"
        tables = ", ".join(f"{node.table} {self._glance(node)[0]:,}" for node in self.graph.nodes())
        return f"{fed}; rows: {tables}; {self._balance().plain}"

    def drawn(self) -> RenderableType:
        """All of it as a picture."""
        tables = Table(box=None, pad_edge=False, header_style="dim")
        for column, side in (
            ("table", "left"),
            ("rows", "right"),
            ("newest event", "right"),
            ("lag", "right"),
        ):
            tables.add_column(column, justify=side)  # type: ignore[arg-type]
        glances = {node.table: self._glance(node) for node in self.graph.nodes()}
        for table, (rows, newest) in glances.items():
            lag = f"{max(0.0, datetime.now(UTC).timestamp() - newest.timestamp()):,.0f} s" if newest else ""
            at = newest.strftime("%H:%M:%S UTC") if newest else ""
            tables.add_row(table, f"{rows:,}", at, lag)
        parts: list[RenderableType] = [
            self._header(),
            Text(),
            tables,
            Text(),
            self._ledger(),
            self._balance(),
        ]
        for gold in self.graph.gold:
            newest_windows = _newest_windows(self.lake, gold, glances[gold.table][1])
            if newest_windows is not None:
                parts += [Text(), Text(f"{gold.table}: newest windows", style="bold"), newest_windows]
        title = f"vigie · {self.name} · {time.monotonic() - self._began:,.0f} s · Ctrl-C ends it"
        return Panel(Group(*parts), title=title, title_align="left", border_style="blue")

    def _glance(self, node: Node) -> tuple[int, datetime | None]:
        """How many rows a table has, and its newest instant, from its log alone."""
        path = self.lake.path(node.table)
        if not is_table(path):
            return 0, None
        files = opened(path).get_add_actions(flatten=True)
        rows = sum(files.column("num_records").to_pylist())
        name = f"max.{_time_column(self.graph, node)}"
        if name not in files.schema.names:
            return rows, None
        newest = max((at for at in files.column(name).to_pylist() if at is not None), default=None)
        return rows, newest if newest is None or newest.tzinfo else newest.replace(tzinfo=UTC)

    def _header(self) -> Text:
        if self._progress is None:
            return Text("The feed starts ...", style="dim")
        said = self._progress
        return Text.assemble(
            ("feed  ", "bold"),
            f"{said.sent:,} messages, {said.rate:,.0f} a second, {said.lag:,.1f} s behind, to {said.outlet}",
        )

    def _ledger(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("ledger")
        for part in PARTS:
            table.add_column(part, justify="right")
        with self._lock:
            for name, sums in self._sums.items():
                if not name.startswith("gold/"):
                    table.add_row(name, *(f"{sums[part]:,}" for part in PARTS))
        return table

    def _balance(self) -> Text:
        """Whether every row that was read is accounted for, from the sums as they stand."""
        with self._lock:
            owed = [
                name
                for name, sums in self._sums.items()
                if not name.startswith("gold/") and sums["read"] != sum(sums[part] for part in PARTS[1:])
            ]
            known = bool(self._sums)
        if not known:
            return Text("Spark starts; the first batch is slow ...", style="dim")
        if owed:
            return Text(f"NOT every row is accounted for: {', '.join(owed)}", style="bold red")
        return Text("every row read is accounted for", style="green")


def _time_column(graph: Graph, node: Node) -> str:
    if isinstance(node, Silver):
        return str(node.event_time)
    if isinstance(node, Gold):
        return str(graph.silver_of(node).event_time) if node.looks_back else "window_end"
    return "received_at"


def _newest_windows(lake: Lake, gold: Gold, newest: datetime | None) -> Table | None:
    if gold.looks_back is not None or newest is None:
        return None
    from pyarrow import compute as pc

    windows = opened(lake.path(gold.table)).to_pyarrow_dataset()
    rows = windows.to_table(filter=pc.field("window_end") == newest)
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for column in rows.column_names[:6]:
        shown.add_column(column)
    for row in rows.slice(0, WINDOWS).to_pylist():
        shown.add_row(*(text_of(row[column]) for column in rows.column_names[:6]))
    return shown
