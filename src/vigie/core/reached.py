"""How far each table has come, as whoever reads it is told, from the ledger and from this process."""

from __future__ import annotations

from dataclasses import dataclass, field

from vigie.core.progress import NEVER


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a table stood after a batch: its version, and up to which moment (microseconds) windows over it may be
    given. `is_quiet` says that all its partitions are idle."""

    batch: int
    version: int
    until: int
    is_quiet: bool = False


@dataclass(slots=True)
class Journal:
    """What each table of a pipeline reached with its newest batch."""

    _newest: dict[str, Reached] = field(default_factory=dict)

    def add(self, table: str, reached: Reached) -> None:
        if reached.batch > self.newest(table).batch:
            self._newest[table] = reached

    def newest(self, table: str) -> Reached:
        return self._newest.get(table, Reached(-1, 0, NEVER))
