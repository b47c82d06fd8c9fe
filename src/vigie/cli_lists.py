"""The commands that list what a lake holds: each parses what a person typed, calls one function, and prints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from vigie.errors import BadSetting, RequestError
from vigie.flags import At, Json, Limit, Memory, Name, Rule, Sql, Timeout, Verb, lake_at, span
from vigie.terminal import command, put

if TYPE_CHECKING:
    from vigie.lake import Lake, Table
    from vigie.listing import Listing

SHOWN = 100  # rows of a query that a person is shown
BROKEN_SHOWN = 50


@command
def ledger(pipeline: Name, json: Json = False, lake: At = None) -> None:
    """Show that the rows read are the rows accounted for, by batch and by table.

    [dim]vigie ledger flights[/dim]
    [dim]vigie ledger flights --json | jq '.[] | select(.quarantined > 0)'[/dim]
    """
    from vigie.accounts import Ledger
    from vigie.pipeline import load

    name, place = load(pipeline).name, lake_at(lake)
    entries = Ledger(_table(place, place.ledger(name), "ledger", pipeline))
    if json:
        entries.entries().print_json()
        return
    put(f"Rows read are rows accounted for: {name}")
    entries.totals().print_table()
    put("The last batches")
    entries.batches().print_table()


@command
def quarantine(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    verb: Verb = "list",
    *,
    rule: Rule = None,
    limit: Limit = None,
    json: Json = False,
    lake: At = None,
) -> None:
    """Show the messages that broke a rule: every rule they broke, where they came from, byte for byte.

    [dim]vigie quarantine flights --rule "has a position"[/dim]
    [dim]vigie quarantine flights --json > broken.json[/dim]
    """
    from vigie.accounts import Quarantine
    from vigie.pipeline import load

    if verb != "list":
        later = verb == "requeue"
        raise RequestError(
            "putting rows through again comes with a later version" if later else f"'{verb}' is no verb here",
            do="Look at them: vigie quarantine PIPELINE list",
        )
    name = load(pipeline).name
    place = lake_at(lake)
    broken = Quarantine(_table(place, place.quarantine(name), "quarantine", pipeline), rule)
    counts = broken.counts()
    if json:
        broken.newest(limit).print_json()
        return
    shown = BROKEN_SHOWN if limit is None else limit
    broken.origins(shown + 1).print_table(shown)  # one more, which says that there are more
    for each, count in counts.items():
        put(f"{count:>10,}  {each}")


@command
def query(  # noqa: PLR0913  (each is a flag)
    sql: Sql, *, timeout: Timeout = "60s", memory: Memory = "1GB", json: Json = False, lake: At = None
) -> None:
    """Ask the lake in SQL, at once and without Spark.

    Tables are bronze.NAME, silver.NAME, gold.NAME, quarantine.PIPELINE, late.PIPELINE, and
    vigie.PIPELINE_ledger, _alerts, _alert_events and _commands; SHOW ALL TABLES lists them. Instants are in UTC.

    [dim]vigie query "SELECT flight_phase, count(*) FROM silver.flights_ml GROUP BY ALL"[/dim]
    [dim]vigie query "SELECT * FROM bronze.flights_raw ORDER BY received_at" --timeout 10m --memory 4GB --json[/dim]
    """
    from vigie.listing import Listing
    from vigie.sql import Limits
    from vigie.sql import query as answer

    seconds = span(timeout, "--timeout").total_seconds()
    if seconds <= 0:
        raise BadSetting("a query cannot be answered in 0 seconds", where="--timeout", do="Write for example 60s.")
    asked = answer(lake_at(lake), sql, Limits(seconds, memory))
    show(Listing(asked.columns, asked.rows), json)


def show(listing: Listing, json: bool) -> None:
    """All of it for a program, the first rows for a person."""
    if json:
        listing.print_json()
    else:
        listing.print_table(SHOWN)


def _table(lake: Lake, path: Path, noun: str, pipeline: str) -> Table:
    from vigie.lake import Table, is_table

    if not is_table(path):
        make = f"vigie run {pipeline} --lake {shlex.quote(str(lake))}"
        raise RequestError(f"there is no {noun} yet", where=str(path), do=f"Make it: {make}")
    return Table("vigie", noun, path)
