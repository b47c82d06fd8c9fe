"""The live view in a terminal: the feed, the tables with their lag, the ledger, what is wrong, the newest windows."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vigie.graph import SEVERITIES, Gold, Graph, Node
from vigie.lake import Lake, opened
from vigie.listing import text_of
from vigie.monitoring.glance import glance, is_context, open_alerts
from vigie.writer import first_rows

if TYPE_CHECKING:
    from vigie.alerts import Event
    from vigie.core.ledger import Entry
    from vigie.feed import Progress

PARTS = ("read", "accepted", "quarantined", "duplicate", "late")
WINDOWS = EVENTS = 5
COLUMNS = 6  # of a table of windows
FRAME = 2  # lines
STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the picture, and how many lines it takes."""

    picture: RenderableType
    lines: int


@dataclass(slots=True)
class Screen:
    """What is known of a running pipeline, as lines and as a picture."""

    graph: Graph
    lake: Lake
    _progress: Progress | None = None
    _sums: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: dict.fromkeys(PARTS, 0)))
    _events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.graph.name

    def fed(self, progress: Progress) -> None:
        self._progress = progress

    def batch(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            for entry in entries:
                sums = self._sums[entry.table]
                for part in PARTS:
                    sums[part] += getattr(entry, part) or 0

    def alert(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def line(self) -> str:
        """All of it in one line, for a log."""
        fed = f"fed {self._progress.sent:,} ({self._progress.rate:,.0f}/s)" if self._progress else "feed starts"
        counts = {node.table: glance(self.lake, self.graph, node).rows for node in self.graph.nodes()}
        tables = "rows: " + ", ".join(f"{table} {rows:,}" for table, rows in counts.items())
        alerts = self._open().plain if self.graph.watches else ""
        said = [fed, tables if any(counts.values()) else "", alerts, self._balance().plain]
        return "; ".join(part for part in said if part)

    def drawn(self, height: int | None = None, *, is_ending: bool = False) -> RenderableType:
        """All of it as a picture. Of a terminal with so few lines, what fits: windows go first, then context."""
        room = (height or 1_000) - FRAME
        nodes = list(self.graph.nodes())
        parts = self._parts(nodes)
        if _lines(parts) > room:
            parts = self._parts([node for node in nodes if not is_context(self.graph, node)])
        for gold in self.graph.gold:
            if _lines(parts) + 1 + WINDOWS + FRAME > room:
                break
            parts += _newest_windows(self.lake, gold, glance(self.lake, self.graph, gold).newest)
        spaced = [piece for part in parts for piece in (Text(), part.picture)][1:]
        pictures = spaced if _lines(parts) <= room else [part.picture for part in parts]
        ends = "it ends: what was read is finished first" if is_ending else "Ctrl-C ends it"
        title = f"vigie · {self.name} · {time.monotonic() - self._began:,.0f} s · {ends}"
        return Panel(Group(*pictures), title=title, title_align="left", border_style="blue")

    def _parts(self, nodes: Sequence[Node]) -> list[Part]:
        parts = [Part(self._header(), 1), self._tables(nodes), self._ledger({node.table for node in nodes})]
        return [*parts, self._alerts()] if self.graph.watches else parts

    def _tables(self, nodes: Sequence[Node]) -> Part:
        tables = Table(box=None, pad_edge=False, header_style="dim")
        tables.add_column("table", no_wrap=True)
        for column in ("rows", "newest event", "lag"):
            tables.add_column(column, justify="right", no_wrap=True)
        for node in nodes:
            seen = glance(self.lake, self.graph, node)
            lag, newest = seen.lag_s(datetime.now(UTC)), seen.newest
            newest_at = newest.strftime("%H:%M:%S UTC") if newest else ""
            tables.add_row(node.table, f"{seen.rows:,}", newest_at, "" if lag is None else f"{lag:,.0f} s")
        return Part(tables, 1 + len(nodes))

    def _header(self) -> Text:
        if self._progress is None:
            return Text("The feed starts ...", style="dim")
        said = self._progress
        return Text.assemble(
            ("feed  ", "bold"),
            f"{said.sent:,} messages, {said.rate:,.0f} a second, {said.lag:,.1f} s behind, to {said.outlet}",
            no_wrap=True,
            overflow="ellipsis",
        )

    def _ledger(self, wanted: set[str]) -> Part:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("ledger", no_wrap=True)
        for part in PARTS:
            table.add_column(part, justify="right", no_wrap=True)
        with self._lock:
            for name, sums in self._sums.items():
                if not name.startswith("gold/") and name in wanted:
                    table.add_row(name, *(f"{sums[part]:,}" for part in PARTS))
        return Part(Group(table, self._balance()), table.row_count + 2)

    def _alerts(self) -> Part:
        """How many alerts are open, and what opened and closed last."""
        with self._lock:
            newest = list(self._events)[::-1]
        lines = [_told(event) for event in newest]
        return Part(Group(self._open(), *lines), 1 + len(lines))

    def _open(self) -> Text:
        """How many alerts are open, by severity, the worst first."""
        counts: Counter[str] = Counter()
        for (_, severity), count in open_alerts(self.lake, self.graph).items():
            counts[severity] += count
        said = Text.assemble(("alerts  ", "bold"), f"{counts.total():,} open")
        for severity in reversed(SEVERITIES):
            if counts[severity]:
                said.append(f", {counts[severity]:,} {severity}", STYLES[severity])
        return said

    def _balance(self) -> Text:
        """Whether every row that was read is accounted for, from the sums as they stand."""
        with self._lock:
            owed = [
                name
                for name, sums in self._sums.items()
                if not name.startswith("gold/") and sums["read"] != sum(sums[part] for part in PARTS[1:])
            ]
            known = any(not name.startswith("gold/") for name in self._sums)
        if not known:
            began_s = time.monotonic() - self._began
            return Text(f"starting: {first_rows(began_s)}", style="dim")
        if owed:
            return Text(f"NOT every row is accounted for: {', '.join(owed)}", style="bold red")
        return Text("every row read is accounted for", style="green")


def _lines(parts: Sequence[Part]) -> int:
    """How many lines they take, with one between each."""
    return sum(part.lines for part in parts) + len(parts) - 1


def _told(event: Event) -> Text:
    style = STYLES[event.alert.severity] if event.event == "opened" else "dim"
    said = (event.alert.message, style)
    return Text.assemble(f"{event.at:%H:%M:%S} {event.event} ", said, no_wrap=True, overflow="ellipsis")


def _newest_windows(lake: Lake, gold: Gold, newest: datetime | None) -> list[Part]:
    if gold.latest_by or newest is None:
        return []
    from pyarrow import compute as pc

    windows = opened(lake.path(gold.table)).to_pyarrow_dataset()
    if "window_end" not in windows.schema.names:
        return []
    names = [name for name in windows.schema.names if name != "window_start"][:COLUMNS]
    rows = windows.to_table(columns=names, filter=pc.field("window_end") == newest).slice(0, WINDOWS)
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        shown.add_column(name, no_wrap=True)
    for row in rows.to_pylist():
        at = row.pop("window_end")
        shown.add_row(f"{at:%H:%M:%S}", *map(text_of, row.values()))
    title = Text(f"{gold.table}: newest windows", style="bold")
    return [Part(Group(title, shown), 2 + rows.num_rows)]
