"""The commands about alerts: each parses what a person typed, calls one function, and prints."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from vigie.errors import RequestError
from vigie.flags import (
    AboutAlerts,
    AlertId,
    AlertVerb,
    At,
    Changed,
    Json,
    LabelsOf,
    Lasts,
    Limit,
    Name,
    Note,
    OfKey,
    OfRule,
    Severity,
    StillOpen,
    lake_at,
    span,
)  # fmt: skip
from vigie.terminal import command, put, say

if TYPE_CHECKING:
    from vigie.commands import Command
    from vigie.listing import Listing
    from vigie.watchbook import Row, Watchbook

SHOWN = 50
TAKES = {
    AlertVerb.LIST: {"--open", "--rule", "--key", "--severity", "--limit"},
    AlertVerb.ACK: {"ID", "--note"},
    AlertVerb.SILENCE: {"--rule", "--key", "--for", "--note"},
    AlertVerb.UNSILENCE: {"--rule", "--key", "--note"},
    AlertVerb.EXPLAIN: {"ID"},
}


@command
def alerts(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    verb: AboutAlerts = AlertVerb.LIST,
    alert: AlertId = None,
    *,
    still_open: StillOpen = False,
    rule: OfRule = None,
    key: OfKey = None,
    severity: Severity = None,
    limit: Limit = None,
    lasts: Lasts = None,
    note: Note = None,
    json: Json = False,
    lake: At = None,
) -> None:
    """Show the alerts, the open ones first; say that one is known of, silence a rule or a key, ask why one was raised.

    [dim]vigie alerts sensors --open --severity critical[/dim]
    [dim]vigie alerts sensors ack 3f9a --note "the heating is being repaired"[/dim]
    [dim]vigie alerts sensors silence --rule HIGH_TEMP --key SENSOR_001 --for 2h[/dim]
    [dim]vigie alerts sensors unsilence --rule HIGH_TEMP --key SENSOR_001[/dim]
    [dim]vigie alerts sensors explain 3f9a[/dim]
    """
    given = {
        "ID": alert, "--open": still_open or None, "--rule": rule, "--key": key, "--severity": severity,
        "--limit": limit, "--for": lasts, "--note": note,
    }  # fmt: skip
    _only_what_it_takes(verb, {name for name, value in given.items() if value is not None})
    from vigie import watchbook
    from vigie.pipeline import load

    book = watchbook.Watchbook(load(pipeline).graph(), pipeline, lake_at(lake), datetime.now(UTC))
    if verb == AlertVerb.LIST:
        found = book.listed(watchbook.Wanted(still_open, rule, key, severity))
        _list(found, limit, json)
    elif verb == AlertVerb.EXPLAIN:
        _explain(book, str(alert), json)
    elif verb == AlertVerb.ACK:
        _said(book.acknowledge(str(alert), note), json)
    elif verb == AlertVerb.SILENCE:
        _said(book.silence(rule, key, span("1h" if lasts is None else lasts, "--for"), note), json)
    else:
        _said(book.unsilence(rule, key, note), json)


@command
def backtest(
    pipeline: Name, changed: Changed, labels: LabelsOf = None, limit: Limit = None, json: Json = False, lake: At = None
) -> None:
    """Judge all of a watched table again with other settings: how many alerts more or fewer, and which. No Spark.

    VALUE is the first setting of the rule's detector (the limit of Above, the span of Silent); others are named.

    [dim]vigie backtest sensors --set HIGH_TEMP=28[/dim]
    [dim]vigie backtest sensors --set OUTLIER=4 --set OUTLIER.over=1h --labels faults.jsonl[/dim]
    """
    from vigie.backtest import backtest as try_it
    from vigie.check import checked
    from vigie.listing import encoded
    from vigie.pipeline import load
    from vigie.scoring import faults_in

    graph = checked(load(pipeline))
    faults = None if labels is None else faults_in(labels)
    tried = try_it(graph, pipeline, lake_at(lake), changed, faults=faults, say=say)
    if json:
        typer.echo(encoded(tried.said()))
    else:
        _put(tried.told(SHOWN if limit is None else limit))


def _only_what_it_takes(verb: AlertVerb, given: set[str]) -> None:
    strange = sorted(given - TAKES[verb])
    if strange:
        raise RequestError(
            f"`{verb}` takes no {strange[0]}", do=f"It takes: {', '.join(sorted(TAKES[verb]))}, --json and --lake."
        )
    if "ID" in TAKES[verb] and "ID" not in given:
        raise RequestError(
            f"it is not said which alert to {verb}", do=f"Name it: vigie alerts PIPELINE {verb} ID; `list` shows them."
        )


def _list(found: list[Row], limit: int | None, json: bool) -> None:
    from vigie.listing import Listing
    from vigie.watchbook import COLUMNS, counts, page

    if json:
        Listing.of(found if limit is None else found[:limit], COLUMNS).print_json()
        return
    page(found).print_table(SHOWN if limit is None else limit)
    for line in counts(found) or ["There are none."]:
        put(line)


def _explain(book: Watchbook, alert: str, json: bool) -> None:
    from vigie.explaining import explain
    from vigie.listing import encoded

    explained = explain(book, alert)
    if json:
        typer.echo(encoded(explained.said()))
    else:
        _put(explained.told())


def _put(parts: Iterable[str | Listing]) -> None:
    for part in parts:
        if isinstance(part, str):
            put(part)
        else:
            part.print_table()


def _said(given: Command, json: bool) -> None:
    from dataclasses import asdict

    from vigie.listing import Listing

    if json:
        Listing.of([asdict(given)]).print_json()
    else:
        put(given)
