"""How far each table has come, as whoever reads it is told: batch by batch, from the ledger and from this process."""

from __future__ import annotations

from dataclasses import dataclass, field

from vigie.core.progress import NEVER


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a table stood after a batch: its version, the rows that the batch brought, and up to which moment
    (microseconds) windows over it may be given. `is_quiet` says that all its partitions are idle."""

    batch: int
    version: int
    rows: int
    until: int
    is_quiet: bool = False


@dataclass(slots=True)
class Journal:
    """What each table of a pipeline reached, the batches that somebody has still to take and the newest."""

    _tables: dict[str, list[Reached]] = field(default_factory=dict)

    def add(self, table: str, reached: Reached) -> None:
        known = self._tables.setdefault(table, [])
        if not known or reached.batch > known[-1].batch:
            known.append(reached)

    def newest(self, table: str) -> Reached:
        known = self._tables.get(table)
        return known[-1] if known else Reached(-1, 0, 0, NEVER)

    def after(self, table: str, batch: int) -> list[Reached]:
        return [each for each in self._tables.get(table, []) if each.batch > batch]

    def forget(self, table: str, upto: int) -> None:
        """All who read it have taken these; the newest stays."""
        known = self._tables.get(table, [])
        self._tables[table] = [each for each in known if each.batch > upto] or known[-1:]
