"""What a table's log says of it, without reading a row: how many rows it has, and how new they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from vigie.graph import Gold, Graph, Node, Silver, Source
from vigie.lake import Lake, is_table, opened, reading


@dataclass(frozen=True, slots=True)
class Glance:
    """How many rows a table has, and its newest instant: the end of a window, or the time of an event."""

    rows: int
    newest: datetime | None

    def lag_s(self, now: datetime) -> float | None:
        """How long ago that was, in seconds; a clock that is ahead makes nothing newer than now."""
        return None if self.newest is None else max(0.0, round((now - self.newest).total_seconds(), 3))


def glance(lake: Lake, graph: Graph, node: Node) -> Glance:
    """A table as its log has it, though it be none yet."""
    path = lake.path(node.table)
    if not is_table(path):
        return Glance(0, None)
    files = opened(path).get_add_actions(flatten=True)
    rows = sum(files.column("num_records").to_pylist())
    names = (f"max.{column}" for column in ("window_end", _time_column(graph, node)))
    name = next((name for name in names if name in files.schema.names), None)
    if name is None:
        return Glance(rows, None)
    newest = max((at for at in files.column(name).to_pylist() if at is not None), default=None)
    return Glance(rows, newest if newest is None or newest.tzinfo else newest.replace(tzinfo=UTC))


def is_context(graph: Graph, node: Node) -> bool:
    """Whether a table only says more of what others bring: nobody expects it to be new."""
    source = node if isinstance(node, Source) else graph.source_of(node) if isinstance(node, Silver) else None
    return source is not None and source.context


def open_alerts(lake: Lake, graph: Graph) -> Counter[tuple[str, str]]:
    """How many alerts are open, by rule and severity."""
    path = lake.alerts(graph.name)
    if not is_table(path):
        return Counter()
    from pyarrow import compute as pc

    open_ones = pc.field("closed_at").is_null()
    with reading(path):
        still = opened(path).to_pyarrow_dataset().to_table(columns=["rule", "severity"], filter=open_ones)
    return Counter(zip(still.column("rule").to_pylist(), still.column("severity").to_pylist(), strict=True))


def _time_column(graph: Graph, node: Node) -> str:
    if isinstance(node, Silver):
        return str(node.event_time)
    if isinstance(node, Gold):
        return str(graph.silver_of(node).event_time)
    return "received_at"
