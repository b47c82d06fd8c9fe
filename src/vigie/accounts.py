"""What the ledger and the quarantine of a pipeline say, as listings a person can take in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vigie.errors import RequestError
from vigie.listing import Listing

PARTS = ("accepted", "quarantined", "duplicate", "late")
LAST = 10  # batches that a person is shown

Row = dict[str, Any]


def totals(entries: Sequence[Row]) -> Listing:
    """A line for each table: what was read, what became of it, and whether the one equals the other."""
    tables = sorted({entry["table"] for entry in entries}, key=lambda name: (_depth(name), name))
    lines = []
    for table in tables:
        own = [entry for entry in entries if entry["table"] == table]
        sums = {part: _sum(own, part) for part in ("read", *PARTS)}
        lines.append((table, len(own), *sums.values(), _equation(own)))
    return Listing(("table", "batches", "read", *PARTS, "read = accounted for"), lines)


def batches(entries: Sequence[Row]) -> Listing:
    """The batches that were written down last, newest first."""
    columns = ("at", "table", "batch", "read", *PARTS)
    newest = sorted(entries, key=lambda entry: (entry["at"], entry["batch"]), reverse=True)
    return Listing.of(newest[:LAST], columns)


def broken(entries: Sequence[Row], rule: str | None) -> list[Row]:
    """Quarantined rows, newest first, of one rule when it is named."""
    rules = {each for entry in entries for each in entry["rules"]}
    if rule is not None and rules and rule not in rules:
        raise RequestError(
            f"no row in quarantine broke the rule '{rule}'",
            do=f"These were broken: {', '.join(sorted(rules))}.",
        )
    found = [entry for entry in entries if rule is None or rule in entry["rules"]]
    return sorted(
        found,
        key=lambda entry: (entry["received_at"], entry["offset"] or 0, entry["line"] or 0),
        reverse=True,
    )


def origins(entries: Sequence[Row]) -> Listing:
    """Quarantined rows with what a person asks first: which rules, from where, and what it said."""
    lines = [
        (entry["received_at"], entry["table"], entry["rules"], _origin(entry), entry["value"]) for entry in entries
    ]
    return Listing(("received_at", "table", "rules", "origin", "value"), lines)


def _origin(entry: Row) -> str:
    if entry["topic"] is not None:
        return f"{entry['topic']}/{entry['partition']}@{entry['offset']}"
    return f"{str(entry['file']).rpartition('/')[2]}:{entry['line']}"


def _sum(entries: Sequence[Row], column: str) -> int | None:
    counted = [entry[column] for entry in entries if entry[column] is not None]
    return sum(counted) if counted else None


def _equation(entries: Sequence[Row]) -> str:
    """Whether it holds for each batch; a table of windows reads and drops, and promises no equation."""
    promised = [entry for entry in entries if all(entry[part] is not None for part in PARTS)]
    if not promised:
        return ""
    wrong = [entry for entry in promised if entry["read"] != sum(entry[part] for part in PARTS)]
    return "yes" if not wrong else f"NO: batch {', '.join(str(entry['batch']) for entry in wrong[:5])}"


def _depth(table: str) -> int:
    layers = ("bronze", "silver", "gold")
    layer = table.partition("/")[0]
    return layers.index(layer) if layer in layers else len(layers)
