"""Watching a run from the command line: how a pipeline stands, its dashboard, and the metrics of one that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

from vigie.errors import BadSetting
from vigie.flags import (
    AllowActions,
    At,
    Host,
    Json,
    LooksEvery,
    Name,
    Names,
    OneLook,
    Plain,
    Port,
    Watched,
    lake_at,
    span,
)  # fmt: skip
from vigie.terminal import command, put, say, stop_when_asked

if TYPE_CHECKING:
    from vigie.core.observer import Watcher
    from vigie.lake import Lake
    from vigie.listing import Listing
    from vigie.pipeline import Pipeline


@command
def status(  # noqa: PLR0913  (each is a flag)
    pipeline: Name,
    *,
    once: OneLook = False,
    plain: Plain = False,
    every: LooksEvery = None,
    json: Json = False,
    lake: At = None,
) -> None:
    """Show how a pipeline stands, live: rows by outcome, lag, open alerts, quarantine, last batches. No Spark.

    What is no terminal is given a report every 30 s.

    [dim]vigie status flights[/dim]
    [dim]vigie status sensors --plain --every 5s[/dim]
    [dim]vigie status flights --json | jq '.tables[] | select(.lag_s > 60)'[/dim]
    """
    from vigie import status as view
    from vigie.check import checked
    from vigie.listing import encoded
    from vigie.monitoring.standing import standing
    from vigie.pipeline import load

    is_live = sys.stdout.isatty() and not (plain or once)
    seconds = (view.LIVE_S if is_live else view.PLAIN_S) if every is None else span(every, "--every").total_seconds()
    if seconds <= 0:
        raise BadSetting("it cannot look every 0 seconds", where="--every", do="Write for example 5s.")
    look = partial(standing, checked(load(pipeline)), pipeline, lake_at(lake))
    if json:
        typer.echo(encoded(look().said()))
    elif once:
        view.report(look(), _put)
    else:
        (view.live if is_live else partial(view.plain, put=_put))(look, seconds, stop_when_asked())


@command
def dashboard(  # noqa: PLR0913  (each is a flag)
    pipeline: Watched = None,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8501,
    name: Names = None,
    allow_actions: AllowActions = False,
    lake: At = None,
) -> None:
    """Watch the lake in a browser: live aircraft, sensors, users, alerts, and what became of each row. No Spark.

    It only shows: acknowledging and silencing alerts needs --allow-actions. Ctrl-C ends it.

    [dim]vigie dashboard[/dim]
    [dim]vigie dashboard flights --lake ./lake --port 8600[/dim]
    [dim]vigie dashboard sensors --allow-actions[/dim]
    [dim]vigie dashboard --host 0.0.0.0 --name vigie.example.com[/dim]
    """
    from vigie.dashboard.serving import Door, address, check, serve
    from vigie.pipeline import load

    if pipeline is not None:
        load(pipeline)
    place = lake_at(lake)
    check(host, port, name or ())
    door = Door(host, port, tuple(name or ()), allow_actions)
    say(f"The dashboard of {place} is at {address(host, port)}; Ctrl-C ends it.")
    for said in door.said():
        say(said)
    serve(place, pipeline, door)


@contextmanager
def measured(pipeline: Pipeline, lake: Lake, port: int | None, host: str) -> Iterator[Watcher]:
    """Who is told what the metrics are made of, which are served while in here if a port was named."""
    from vigie.core.observer import Watcher

    if port is None:
        yield Watcher()
        return
    from vigie.check import checked
    from vigie.monitoring.serving import served

    with served(checked(pipeline), lake, port, host) as metrics:
        say(f"Metrics are served at http://{host}:{port}/metrics")
        yield Watcher(
            batch=metrics.batch,
            report=metrics.report,
            alert=metrics.alert,
            taken=metrics.taken,
            put_off=metrics.put_off,
        )


def _put(part: str | Listing) -> None:
    if isinstance(part, str):
        put(part)
    else:
        part.print_table()
