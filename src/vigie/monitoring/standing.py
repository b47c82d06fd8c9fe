"""How a pipeline stands, by what its lake says at an instant: no Spark, and whether it runs or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from vigie.errors import RequestError
from vigie.graph import SEVERITIES, Graph, Node
from vigie.lake import Lake, is_table, quoted
from vigie.monitoring.glance import glance, is_context, open_alerts
from vigie.monitoring.outboxes import Waiting, outboxes
from vigie.monitoring.unjudged import Unjudged, unjudged
from vigie.sql import query

PARTS = ("read", "accepted", "quarantined", "duplicate", "late")


@dataclass(frozen=True, slots=True)
class Query:
    """The last batch of a query, and when it was written down."""

    query: str
    batch: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its rows, how new they are, and what the ledger says of those that were read for it.

    What nobody promises is none: a gold table's rows are not those it read, and context need not be new. `unsettled`
    is the number of batches whose rows are not all accounted for.
    """

    table: str
    rows: int
    newest_at: datetime | None
    lag_s: float | None
    batches: int
    read: int
    accepted: int | None
    quarantined: int | None
    duplicate: int | None
    late: int | None
    unsettled: int


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    rule: str
    severity: str
    open: int


@dataclass(frozen=True, slots=True)
class Broken:
    """How many rows in quarantine broke a rule; one row may have broken several."""

    rule: str
    rows: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it."""

    pipeline: str
    at: datetime
    every_row_is_accounted_for: bool
    queries: tuple[Query, ...]
    tables: tuple[Table, ...]
    open_alerts: tuple[OpenAlerts, ...]
    quarantine: tuple[Broken, ...]
    notifications: tuple[Waiting, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    def said(self) -> dict[str, Any]:
        """As an object, for programs."""
        return asdict(self)

    @property
    def waiting(self) -> int:
        """How many notifications wait at sinks that are on."""
        return sum(each.waiting for each in self.notifications if not each.is_off)

    @property
    def dead_letters(self) -> int:
        return sum(each.dead_letters for each in self.notifications)

    @property
    def last_at(self) -> datetime | None:
        """When the last batch of any query was written down."""
        return max((query.at for query in self.queries), default=None)


def standing(graph: Graph, called: str, lake: Lake) -> Standing:
    """How a pipeline stands now; `called` is what a person types for it. RequestError when it has not run yet."""
    at = datetime.now(UTC)
    if not is_table(lake.ledger(graph.name)):
        raise RequestError(
            f"pipeline '{graph.name}' has not run in this lake yet",
            where=str(lake),
            do=f"Run it: vigie run {called} --lake {lake}. If it runs elsewhere, name its lake: --lake ADDRESS.",
        )
    accounts = _accounts(graph, lake)
    tables = tuple(_table(graph, lake, node, at, accounts.get(node.table, {})) for node in graph.nodes())
    settled = not any(each["unsettled"] for each in accounts.values())
    queries = tuple(sorted((*_written(graph, lake), *delivered(lake, graph.name)), key=lambda each: each.query))
    alerts, told = _open(graph, lake), outboxes(lake, graph)
    broken, few = _broken(graph, lake), unjudged(lake, graph)
    return Standing(graph.name, at, settled, queries, tables, alerts, broken, told, few)


def _accounts(graph: Graph, lake: Lake) -> dict[str, dict[str, Any]]:
    """The sums of the ledger, by table."""
    sums = ", ".join(f"sum({part})::BIGINT AS {part}" for part in PARTS)
    return {
        row["table"]: row
        for row in _asked(
            lake,
            f"""SELECT "table", count(*) AS batches, {sums},
                count(*) FILTER (read <> accepted + quarantined + duplicate + late) AS unsettled
            FROM vigie.{quoted(f"{graph.name}_ledger")} GROUP BY "table" """,
        )
    }


def _table(graph: Graph, lake: Lake, node: Node, at: datetime, account: dict[str, Any]) -> Table:
    seen = glance(lake, graph, node)
    lag = None if is_context(graph, node) else seen.lag_s(at)
    sums = {part: account.get(part) for part in PARTS[1:]}
    batches, read, unsettled = (account.get(name, 0) for name in ("batches", "read", "unsettled"))
    return Table(node.table, seen.rows, seen.newest, lag, batches, read, **sums, unsettled=unsettled)


def _written(graph: Graph, lake: Lake) -> list[Query]:
    found = _asked(
        lake,
        f'SELECT query, max(batch) AS batch, max("at") AS "at" FROM vigie.{quoted(f"{graph.name}_ledger")} GROUP BY 1',
    )
    return [Query(row["query"], row["batch"], row["at"].astimezone(UTC)) for row in found]


def delivered(lake: Lake, pipeline: str) -> list[Query]:
    """The deliveries of a pipeline, of which the ledger says nothing: their own notes do."""
    found = []
    for done in sorted(lake.notes(pipeline).glob("*-to-*/done")):
        at = datetime.fromtimestamp(done.stat().st_mtime, UTC)
        found.append(Query(done.parent.name, int(done.read_text()), at))
    return found


def _open(graph: Graph, lake: Lake) -> tuple[OpenAlerts, ...]:
    """The worst first."""
    counts = open_alerts(lake, graph)
    worst = sorted(counts, key=lambda key: (-SEVERITIES.index(key[1]), -counts[key], key[0]))
    return tuple(OpenAlerts(rule, severity, counts[rule, severity]) for rule, severity in worst)


def _broken(graph: Graph, lake: Lake) -> tuple[Broken, ...]:
    if not is_table(lake.quarantine(graph.name)):
        return ()
    found = _asked(
        lake,
        f"""SELECT rule, count(*) AS "rows" FROM (SELECT unnest(rules) AS rule FROM quarantine.{quoted(graph.name)})
        GROUP BY rule ORDER BY "rows" DESC, rule""",
    )
    return tuple(Broken(row["rule"], row["rows"]) for row in found)


def _asked(lake: Lake, sql: str) -> list[dict[str, Any]]:
    return list(query(lake, sql).objects())
