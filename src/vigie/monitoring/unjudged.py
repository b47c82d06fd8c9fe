"""Which keys have too few readings for a rule to say anything of them: read from silver, without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vigie.detectors.judgement import Needs
from vigie.graph import Graph, Watch
from vigie.lake import Lake, opened, quoted
from vigie.monitoring.glance import glance
from vigie.sql import query

MOST_READINGS = 5_000_000  # whoever has more of them within two spans has no lack of them


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Of so many keys that were heard of lately, those with fewer than `readings` in the span `over_s` before their
    newest one: these rules say nothing of them, good or bad."""

    rules: tuple[str, ...]
    keys: int
    of_keys: int
    readings: int
    over_s: float


def unjudged(lake: Lake, graph: Graph) -> tuple[Unjudged, ...]:
    """Of every watch, where there are any."""
    found = (each for watch in graph.watches for each in _of(lake, graph, watch))
    return tuple(each for each in found if each.keys)


def _of(lake: Lake, graph: Graph, watch: Watch) -> Iterator[Unjudged]:
    watched = graph.read_by(watch)
    path = lake.path(watched.table)
    newest = glance(lake, graph, watched).newest
    if newest is None:
        return
    time, layer = str(graph.silver_of(watch).event_time), watched.table.partition("/")[0]
    for (needs, columns), rules in _alike(watch).items():
        since = newest - 2 * needs.over
        if _rows_since(path, time, since) > MOST_READINGS:
            continue
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in (watch.key, *columns))
        lately = f"newest - INTERVAL {needs.over // timedelta(microseconds=1)} MICROSECONDS"
        [(few, all_of_them)] = query(
            lake,
            f"""SELECT count(*) FILTER (before < {needs.readings}), count(*) FROM (
                SELECT key, count(*) FILTER (moment < newest AND moment >= {lately}) AS before
                FROM (SELECT *, max(moment) OVER (PARTITION BY key) AS newest FROM (
                    SELECT {quoted(watch.key)} AS key, {quoted(time)} AS moment FROM {layer}.{quoted(path.name)}
                    WHERE {known} AND {quoted(time)} >= TIMESTAMPTZ '{since.isoformat()}'))
                WHERE newest >= TIMESTAMPTZ '{(newest - needs.over).isoformat()}' GROUP BY key)""",
        ).rows
        yield Unjudged(rules, few, all_of_them, needs.readings, needs.over.total_seconds())


def _alike(watch: Watch) -> dict[tuple[Needs, tuple[str, ...]], tuple[str, ...]]:
    """The rules that need the same of the same columns, together."""
    alike: dict[tuple[Needs, tuple[str, ...]], tuple[str, ...]] = {}
    for rule in watch.rules:
        judgement = rule.detector.judgement
        if judgement is not None and judgement.needs is not None:
            needs = judgement.needs, judgement.columns
            alike[needs] = (*alike.get(needs, ()), rule.name)
    return alike


def _rows_since(path: Path, time: str, since: datetime) -> int:
    """How many rows the files have that hold any from then on, as the log says."""
    files = opened(path).get_add_actions(flatten=True)
    if f"max.{time}" not in files.schema.names:
        return 0
    newest = files.column(f"max.{time}").to_pylist()
    rows = files.column("num_records").to_pylist()
    return sum(count or 0 for count, at in zip(rows, newest, strict=True) if at is not None and _in_utc(at) >= since)


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
