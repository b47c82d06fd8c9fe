"""The ledger: for every batch and table, what was read and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.errors import LedgerBroken
from vigie.lake import opened, reading

SCHEMA = pa.schema(
    [
        ("query", pa.string()),
        ("table", pa.string()),
        ("batch", pa.int64()),
        ("engine", pa.string()),
        ("read", pa.int64()),
        ("accepted", pa.int64()),
        ("quarantined", pa.int64()),
        ("duplicate", pa.int64()),
        ("late", pa.int64()),
        ("late_before", pa.timestamp("us", tz="UTC")),
        ("progress", pa.timestamp("us", tz="UTC")),
        ("offsets", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)

AT_ONCE = 1_000  # entries that are held while the ledger is read
FIGURES = ("read", "accepted", "quarantined", "duplicate", "late")


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of the rows of one batch on their way into one table.

    No figure here is computed from the others: that is what gives `settle` something to find. A gold table
    reads and drops, and its rows are not the rows it read: it has no other figures. `progress` is how far event time
    had come with it: up to there windows may be given.
    """

    query: str
    table: str
    batch: int
    read: int
    accepted: int | None = None
    quarantined: int | None = None
    duplicate: int | None = None
    late: int | None = 0
    late_before: datetime | None = None
    offsets: Any = None
    progress: datetime | None = None

    def __str__(self) -> str:
        if self.accepted is None:
            return f"{self.table} batch {self.batch}: {self.read:,} read, {self.late:,} of them too late"
        return (
            f"{self.table} batch {self.batch}: {self.read:,} read = {self.accepted:,} accepted + "
            f"{self.quarantined:,} quarantined + {self.duplicate:,} duplicate + {self.late:,} late"
        )

    def settle(self) -> None:
        """LedgerBroken unless every row that was read is accounted for."""
        parts = (self.accepted, self.quarantined, self.duplicate, self.late)
        if None in parts or self.read == sum(part or 0 for part in parts):
            return
        raise LedgerBroken(
            f"{self.table}, batch {self.batch}: {self.read} rows were read, but {self.accepted} accepted + "
            f"{self.quarantined} quarantined + {self.duplicate} duplicate + {self.late} late are "
            f"{sum(part or 0 for part in parts)}",
            where=self.query,
            do="Nothing more was written. Keep the lake as it is and report this, with the table's rows of "
            "that batch; bronze holds every message.",
        )


def figures(entries: Sequence[Entry]) -> dict[str, Any]:
    """The entries of one batch as a program reads them: a number for each outcome, by table."""
    tables = {entry.table: {name: getattr(entry, name) for name in FIGURES} for entry in entries}
    return {"query": entries[0].query, "batch": entries[0].batch, "tables": tables}


class Ledger:
    """The ledger's table in one lake; several queries of one process write to it."""

    def __init__(self, path: Path, pipeline: str, engine: str) -> None:
        self._path, self._engine = path, engine
        self._lock = Lock()
        tables.ensure(path, SCHEMA, "ledger", pipeline)
        self._columns = pa.schema(opened(path).schema().to_arrow()).names  # an older lake's ledger has fewer

    def write(self, entries: Iterable[Entry], stamp: Stamp) -> None:
        """Write down a batch's entries, once, after each has been found to add up."""
        entries = list(entries)
        for entry in entries:
            entry.settle()
        now = datetime.now(UTC)
        beside = {"engine": self._engine, "at": now}
        rows = [{**asdict(entry), "offsets": json.dumps(entry.offsets), **beside} for entry in entries]
        with self._lock:
            tables.append_arrow(pa.Table.from_pylist(rows, SCHEMA).select(self._columns), self._path, stamp)

    def entries(self, where: pc.Expression, *columns: str) -> Iterator[dict[str, Any]]:
        """What was written so far and is so, in the columns asked for, a few at a time: a ledger grows for years."""
        with reading(self._path):
            for batch in tables.reader(self._path, where, {name: pc.field(name) for name in columns}):
                for first in range(0, len(batch), AT_ONCE):
                    yield from batch.slice(first, AT_ONCE).to_pylist()
