"""What the ledger and the quarantine of a pipeline say, as listings a person can take in.

DuckDB reads the files: what is not shown is never held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vigie.errors import RequestError
from vigie.lake import Table, quoted
from vigie.listing import Listing
from vigie.sql import Answer, ask

PARTS = ("accepted", "quarantined", "duplicate", "late")
COUNTED = ("read", *PARTS)
LAST = 10  # batches that a person is shown
NAMED = 5  # batches that do not add up
NEWEST_FIRST = 'ORDER BY received_at DESC, coalesce("offset", 0) DESC, coalesce(line, 0) DESC'

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of a pipeline, as it is read."""

    table: Table

    def entries(self) -> Listing:
        """Every entry, as they stand in the files."""
        return _listing(self._asked("FROM {ledger}"))

    def totals(self) -> Listing:
        """A line for each table: what was read, what became of it, and whether the one equals the other."""
        sums = ", ".join(f"sum({part})::BIGINT AS {part}" for part in COUNTED)
        wrong = f"read <> {' + '.join(PARTS)}"
        found = self._asked(
            f"""SELECT "table", count(*) AS batches, {sums},
                count({" + ".join(COUNTED)}) AS promised,
                list(batch ORDER BY batch) FILTER ({wrong}) AS wrong
            FROM {{ledger}} GROUP BY "table" """
        )
        lines = sorted(found.objects(), key=lambda line: (_depth(line["table"]), line["table"]))
        return Listing(
            ("table", "batches", *COUNTED, "read = accounted for"),
            [(line["table"], line["batches"], *(line[part] for part in COUNTED), _equation(line)) for line in lines],
        )

    def batches(self) -> Listing:
        """The batches that were written down last, newest first."""
        columns = ("at", "table", "batch", *COUNTED)
        shown = ", ".join(map(quoted, columns))
        return _listing(self._asked(f'SELECT {shown} FROM {{ledger}} ORDER BY "at" DESC, batch DESC LIMIT {LAST}'))

    def _asked(self, sql: str) -> Answer:
        return ask([self.table], sql.format(ledger=quoted(str(self.table))))


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What a pipeline put into quarantine, or of it what broke one rule."""

    table: Table
    rule: str | None = None

    def counts(self) -> dict[str, int]:
        """How many rows broke each rule, the most first; RequestError when none broke the one that is meant."""
        counts = self._counted("WHERE list_contains(rules, $1)", self.rule) if self.rule else self._counted()
        if self.rule and not counts and (rules := self._counted()):
            raise RequestError(
                f"no row in quarantine broke the rule '{self.rule}'",
                do=f"These were broken: {', '.join(sorted(rules))}.",
            )
        return counts

    def newest(self, limit: int | None = None) -> Listing:
        """The rows, newest first; no more than `limit` of them."""
        return _listing(self._newest(limit))

    def origins(self, limit: int) -> Listing:
        """Rows with what a person asks first: which rules, from where, and what it said."""
        lines = (
            (row["received_at"], row["table"], row["rules"], _origin(row), row["value"])
            for row in self._newest(limit).objects()
        )
        return Listing(("received_at", "table", "rules", "origin", "value"), lines)

    def _newest(self, limit: int | None) -> Answer:
        where, params = ("WHERE list_contains(rules, $1)", [self.rule]) if self.rule else ("", [])
        few = "" if limit is None else f"LIMIT {limit}"
        return self._asked(f"FROM {{quarantine}} {where} {NEWEST_FIRST} {few}", *params)

    def _counted(self, where: str = "", *params: object) -> dict[str, int]:
        found = self._asked(
            f"""SELECT rule, count(*) FROM (SELECT unnest(rules) AS rule FROM {{quarantine}} {where})
            GROUP BY rule ORDER BY count(*) DESC, rule""",
            *params,
        )
        return dict(found.rows)

    def _asked(self, sql: str, *params: object) -> Answer:
        return ask([self.table], sql.format(quarantine=quoted(str(self.table))), params)


def _listing(answer: Answer) -> Listing:
    return Listing(answer.columns, answer.rows)


def _origin(entry: Row) -> str:
    if entry["topic"] is not None:
        return f"{entry['topic']}/{entry['partition']}@{entry['offset']}"
    return f"{str(entry['file']).rpartition('/')[2]}:{entry['line']}"


def _equation(line: Row) -> str:
    """Whether it holds for each batch; a table of windows reads and drops, and promises no equation."""
    if not line["promised"]:
        return ""
    return "yes" if not line["wrong"] else f"NO: batch {', '.join(map(str, line['wrong'][:NAMED]))}"


def _depth(table: str) -> int:
    layers = ("bronze", "silver", "gold")
    layer = table.partition("/")[0]
    return layers.index(layer) if layer in layers else len(layers)
