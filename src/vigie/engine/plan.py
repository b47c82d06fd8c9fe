"""What a batch will do, written down before it does it, so that a second try does the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from vigie.engine.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How a batch is judged for one silver table.

    `since` is the first batch of bronze it takes, `version` the version of silver in which repeats are looked
    for, and `late_before` the oldest event time that is still taken (none before anything was accepted).
    """

    since: int
    version: int
    late_before: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch of the hot path: when it was received, what it spans, and how each table judges it."""

    batch: int
    received_at: datetime
    cut: Any
    tables: dict[str, TablePlan] = field(default_factory=dict)

    def commit(self, checkpoint: Checkpoint) -> None:
        checkpoint.commit(self.batch, asdict(self))

    @classmethod
    def of(cls, checkpoint: Checkpoint, batch: int) -> Plan | None:
        said = checkpoint.plan(batch)
        if said is None:
            return None
        tables = {
            name: TablePlan(table["since"], table["version"], instant(table["late_before"]))
            for name, table in said["tables"].items()
        }
        return cls(batch, datetime.fromisoformat(said["received_at"]), said["cut"], tables)


@dataclass(frozen=True, slots=True)
class SettledPlan:
    """A batch of a table that looks back: rows of silver's `version` up to `newest` less the table's
    `late_by`, of which those up to `after` have been given before. `beside` is the version of each table that is
    given beside them, and `model` of the model that it is given."""

    batch: int
    version: int
    after: datetime | None
    newest: datetime | None
    read: int
    late: int
    beside: dict[str, int] = field(default_factory=dict)
    model: int | None = None

    def commit(self, checkpoint: Checkpoint) -> None:
        checkpoint.commit(self.batch, asdict(self))

    @classmethod
    def of(cls, checkpoint: Checkpoint, batch: int) -> SettledPlan | None:
        said = checkpoint.plan(batch)
        if said is None:
            return None
        return cls(
            batch,
            said["version"],
            instant(said["after"]),
            instant(said["newest"]),
            said["read"],
            said["late"],
            said.get("beside", {}),
            said.get("model"),
        )


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
