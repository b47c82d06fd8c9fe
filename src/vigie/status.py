"""`vigie status`: how a pipeline stands, once, every so often, or live in a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vigie.listing import Listing, text_of
from vigie.monitoring.outboxes import Waiting
from vigie.monitoring.standing import PARTS, Standing
from vigie.monitoring.unjudged import Unjudged

RULES = 5  # of quarantine that are shown
LIVE_S = 2.0
PLAIN_S = 30.0
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))
SPANS = ("lag", "ago", "for")

Look = Callable[[], Standing]
Section = tuple[str, Listing]


def live(look: Look, every_s: float, stop: threading.Event) -> None:
    """At a terminal, drawn again and again until `stop` is set."""
    first = look()
    with Live(drawn(first), console=Console(), auto_refresh=False) as view:
        view.refresh()
        while not stop.wait(every_s):
            view.update(drawn(look()), refresh=True)


def plain(look: Look, every_s: float, stop: threading.Event, put: Callable[[str | Listing], None]) -> None:
    """A report now, and one every so often until `stop` is set."""
    report(look(), put)
    while not stop.wait(every_s):
        put("")
        report(look(), put)


def report(standing: Standing, put: Callable[[str | Listing], None]) -> None:
    """All of it, a piece after the other."""
    put(f"{standing.pipeline} at {standing.at:%Y-%m-%d %H:%M:%S} UTC: {_in_words(standing)}")
    for title, listing in _sections(standing):
        put(title)
        put(listing)


def drawn(standing: Standing) -> RenderableType:
    """All of it as a picture; where a terminal has too few lines, what comes last is cut off."""
    pieces: list[RenderableType] = [Text(_in_words(standing), style=_style(standing))]
    for title, listing in _sections(standing):
        pieces += [Text(), Text(title, style="bold"), _picture(listing)]
    title = f"vigie · {standing.pipeline} · {standing.at:%H:%M:%S} UTC · Ctrl-C ends it"
    return Panel(Group(*pieces), title=title, title_align="left", border_style="blue")


def _picture(listing: Listing) -> Table:
    """The rows under their columns; where a terminal is narrow, what stands first gives way."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    rows = list(listing.rows)
    for number, column in enumerate(listing.columns):
        figures = any(isinstance(row[number], int) for row in rows) or column in SPANS
        table.add_column(column, justify="right" if figures else "left", no_wrap=number > 0, overflow="ellipsis")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else escape(text_of(value)) for value in row))
    return table


def _in_words(standing: Standing) -> str:
    """What a person asks first: is every row accounted for, is it still at work, is anything wrong."""
    if standing.last_at is None:
        return "no batch has been written down yet"
    owed = [table.table for table in standing.tables if table.unsettled]
    accounted = f"NOT every row is accounted for: {', '.join(owed)}" if owed else "every row read is accounted for"
    alerts = sum(each.open for each in standing.open_alerts)
    noun = "alert" if alerts == 1 else "alerts"
    ago = _span((standing.at - standing.last_at).total_seconds())
    told = "".join(f"; {said}" for said in _untold(standing))
    return f"{accounted}{told}; last batch {ago} ago; {alerts:,} {noun} open"


def _untold(standing: Standing) -> Iterator[str]:
    """What nobody was told of."""
    if standing.waiting:
        yield f"{standing.waiting:,} {'notification waits' if standing.waiting == 1 else 'notifications wait'}"
    if standing.dead_letters:
        yield f"{standing.dead_letters:,} {'is a dead letter' if standing.dead_letters == 1 else 'are dead letters'}"


def _style(standing: Standing) -> str:
    if not standing.every_row_is_accounted_for:
        return "bold red"
    return "yellow" if standing.open_alerts or standing.waiting or standing.dead_letters else "green"


def _sections(standing: Standing) -> Iterator[Section]:
    tables = [
        (_short(each.table), each.rows, _span(each.lag_s), *(getattr(each, part) for part in PARTS))
        for each in standing.tables
    ]
    yield "Tables", Listing(("table", "rows", "lag", *PARTS), tables)
    if standing.open_alerts:
        alerts = [(each.severity, each.rule, each.open) for each in standing.open_alerts]
        yield "Open alerts", Listing(("severity", "rule", "open"), alerts)
    if standing.unjudged:
        few = [(", ".join(each.rules), each.keys, each.of_keys, _needs(each)) for each in standing.unjudged]
        yield "Too few readings to judge", Listing(("rules", "keys", "of", "they need"), few)
    if told := [each for each in standing.notifications if each.waiting or each.dead_letters]:
        yield (
            "Notifications",
            Listing(("sink", "waiting", "for", "dead letters"), [_told(each, standing.at) for each in told]),
        )
    if standing.quarantine:
        broken = [(each.rule, each.rows) for each in standing.quarantine[:RULES]]
        more = len(standing.quarantine) - len(broken)
        title = f"Quarantine by rule, the first {RULES} of {len(standing.quarantine)}" if more else "Quarantine by rule"
        yield title, Listing(("rule", "rows"), broken)
    if standing.queries:
        queries = [
            (each.query, each.batch, each.at.replace(microsecond=0), _span((standing.at - each.at).total_seconds()))
            for each in standing.queries
        ]
        yield "Last batch of each query", Listing(("query", "batch", "at", "ago"), queries)


def _needs(each: Unjudged) -> str:
    return f"{each.readings} readings in {_span(each.over_s)}"


def _told(sink: Waiting, at: datetime) -> tuple[object, ...]:
    name = f"{sink.delivery} (off)" if sink.is_off else sink.delivery
    since = None if sink.since is None else (at - sink.since).total_seconds()
    return name, sink.waiting, _span(since), sink.dead_letters


def _short(table: str) -> str:
    """Its layer and its own name, without the folders between."""
    layer, _, name = table.partition("/")
    return f"{layer}/{name.rpartition('/')[2]}"


def _span(seconds: float | None) -> str:
    """A length of time as a person reads it, in a unit of which there are at least two."""
    if seconds is None:
        return ""
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= 2 * size), ("s", 1))
    return f"{max(0, seconds) // size:,.0f} {unit}"
