"""A graph as a picture: text for the terminal, Mermaid for documents, SVG for a browser."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from xml.sax.saxutils import escape

from vigie.graph import SEVERITIES, AlertDelivery, Gold, Graph, Node, Silver, Source, Watch, name_of

COLUMN, ROW, WIDTH, HEIGHT = 340, 64, 300, 44
COLOURS = {"bronze": "#b08d57", "silver": "#8a97a6", "gold": "#d4a017", "alerts": "#b5483a", "out": "#4c78a8"}


def draw(graph: Graph, form: str) -> str:
    """The graph as `text`, `mermaid` or `svg`."""
    return {"text": _text, "mermaid": _mermaid, "svg": _svg}[form](graph)


def grain(node: Node) -> str:
    """What one row of the node is, in its author's words."""
    if isinstance(node, Source):
        return "messages as they came"
    return (inspect.getdoc(node.function) or "").partition("\n")[0]


def _text(graph: Graph) -> str:
    lines = [graph.name]
    for source in graph.sources:
        lines += _branch(graph, source, "")
    return "\n".join(lines)


def _branch(graph: Graph, node: Node, indent: str) -> Iterator[str]:
    said = grain(node)
    yield f"{indent}└─ {node.table}" + (f"  {said}" if said else "")
    for detail in _details(node):
        yield f"{indent}      {detail}"
    for delivery in graph.deliveries:
        if graph.find(delivery.table) is node:
            yield f"{indent}   └─ to {type(delivery.to).__name__}"
    for watch in graph.watches:
        if graph.find(watch.reads) is node:
            yield f"{indent}   └─ {_alerts(watch)}"
            yield from (f"{indent}         {rule.name}  {rule.severity}: {rule.detector}" for rule in watch.rules)
            if watch.quiet:
                yield f"{indent}         marked, and not raised, during {name_of(watch.quiet.reads)}"
            yield from (f"{indent}      └─ to {_told(each)}" for each in watch.deliveries)
    for table in graph.reading(node):
        yield from _branch(graph, table, indent + "   ")


def _told(delivery: AlertDelivery) -> str:
    name = type(delivery.to).__name__
    return name if delivery.at_least == SEVERITIES[0] else f"{name}, from {delivery.at_least} on"


def _details(node: Node) -> Iterator[str]:
    if isinstance(node, Silver):
        if node.unique:
            yield f"one row for each ({', '.join(node.unique)}), at most {node.late_by} late by {node.event_time}"
        for rule in node.expect:
            yield f"expects: {rule}"
    elif isinstance(node, Gold):
        if node.latest_by:
            yield f"keeps the last row of each {', '.join(node.latest_by)}"
            return
        span = f", looks back {node.looks_back}" if node.looks_back else ""
        if node.last:
            span += f" at the last {node.last.rows} of each {', '.join(node.last.key)}"
        yield f"waits {node.late_by} for late rows{span}"
        for wanted in node.beside:
            yield f"beside {name_of(wanted)}"


def _mermaid(graph: Graph) -> str:
    names = {node.table: f"n{at}" for at, node in enumerate(graph.nodes())}
    lines = ["flowchart LR"]
    lines += [f'    {names[node.table]}["{node.table}"]' for node in graph.nodes()]
    outside = dict.fromkeys(end for _, end in _edges(graph) if end not in names)
    for at, end in enumerate(outside):
        names[end] = f"d{at}"
        lines.append(f'    d{at}(["{end}"])')
    lines += [f"    {names[start]} --> {names[end]}" for start, end in _edges(graph)]
    return "\n".join(lines)


def _edges(graph: Graph) -> Iterator[tuple[str, str]]:
    for node in graph.nodes():
        for table in graph.reading(node):
            yield node.table, table.table
        for gold in graph.gold:
            if any(silver is node for silver in graph.beside(gold)):
                yield node.table, gold.table
    for delivery in graph.deliveries:
        node_or_none = graph.find(delivery.table)
        if node_or_none is not None:
            yield node_or_none.table, type(delivery.to).__name__
    for watch in graph.watches:
        node_or_none = graph.find(watch.reads)
        if node_or_none is not None:
            yield node_or_none.table, _alerts(watch)
            for told in watch.deliveries:
                yield _alerts(watch), type(told.to).__name__


def _alerts(watch: Watch) -> str:
    return f"alerts by {watch.key}"


def _svg(graph: Graph) -> str:
    columns: dict[str, list[str]] = {"bronze": [], "silver": [], "gold": [], "alerts": [], "out": []}
    for node in graph.nodes():
        columns[node.table.partition("/")[0]].append(node.table)
    columns["alerts"] = list(dict.fromkeys(map(_alerts, graph.watches)))
    for _, end in _edges(graph):
        if "/" not in end and end not in [*columns["out"], *columns["alerts"]]:
            columns["out"].append(end)
    used = [(layer, names) for layer, names in columns.items() if names]
    places = {
        name: (20 + at * COLUMN, 20 + row * ROW) for at, (_, names) in enumerate(used) for row, name in enumerate(names)
    }
    width = 40 + (len(used) - 1) * COLUMN + WIDTH
    height = 40 + (max(len(names) for _, names in used) - 1) * ROW + HEIGHT
    boxes = [_box(name, *places[name], COLOURS[layer]) for layer, names in used for name in names]
    lines = [_arrow(*places[start], *places[end]) for start, end in _edges(graph)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(graph.name)}</title>",
            *lines,
            *boxes,
            "</svg>",
        ]
    )


def _box(name: str, x: int, y: int, colour: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff" '
        f'stroke="{colour}" stroke-width="2"/>'
        f'<text x="{x + WIDTH // 2}" y="{y + 27}" text-anchor="middle" fill="#1f2933">{escape(name)}</text>'
    )


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    middle = (x1 + x2) // 2
    return (
        f'<path d="M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" stroke="#9aa5b1"/>'
        f'<path d="M{x2 - 7} {y2 - 4} L{x2} {y2} L{x2 - 7} {y2 + 4}" fill="none" stroke="#9aa5b1"/>'
    )
