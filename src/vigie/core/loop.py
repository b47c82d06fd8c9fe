"""The loop: sources in turn, then what follows from them, for as long as there is anything to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from vigie.core.away import AGAIN_AFTER_S, Away
from vigie.core.engine import Engine, EngineAway, EngineDied
from vigie.core.gold.latest import LatestTable
from vigie.core.gold.settled import SettledTable
from vigie.core.ingest.avro_schemas import Schemas
from vigie.core.ingest.batch import Ingest
from vigie.core.ledger import Entry
from vigie.core.observer import Report
from vigie.core.reached import Journal
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.errors import SourceAway

GoldTable = SettledTable | LatestTable
TRIES = 3  # of one batch, while the engine dies of it
# Times as long as its last batch took, before a gold table has another while messages come; no more than so long.
RESTS, RESTS_AT_MOST_S = 9.0, 30.0


@dataclass(slots=True)
class Loop:
    """What a pipeline's tables are brought forward by."""

    ingests: Sequence[Ingest]
    gold: Sequence[GoldTable]
    told: Callable[[Sequence[Entry]], None]
    restarted: Callable[[EngineDied], None]
    reported: Callable[[Report], None]
    away: Away = field(default_factory=Away)
    _rest: dict[str, float] = field(default_factory=dict)  # until when each gold table rests

    @classmethod
    def over(  # noqa: PLR0913, PLR0917
        cls,
        context: RunContext,
        engine: Engine,
        sources: Mapping[str, Source],
        bounds: Bounds,
        told: Callable[[Sequence[Entry]], None],
        restarted: Callable[[EngineDied], None],
        schemas: Mapping[str, Schemas] = MappingProxyType({}),
    ) -> Loop:
        journal = Journal()
        ingests = [
            Ingest(context, engine, each, sources[each.name], bounds, journal, schemas=schemas.get(each.name))
            for each in context.graph.sources
        ]
        gold: list[GoldTable] = [
            LatestTable(context, engine, each, journal)
            if each.latest_by
            else SettledTable(context, engine, each, journal)
            for turn in context.graph.gold_in_turn()
            for each in turn
        ]
        return cls(ingests, gold, told, restarted, context.reported)

    def ingest(self) -> bool:
        """A batch of each source that has one; whether there was any. One that is away holds up no other."""
        return any([self._stepped(each.name, each.step) is not None for each in self.ingests])

    def close(self) -> None:
        for ingest in self.ingests:
            ingest.close()

    def follow(self, *, in_turn: bool = False) -> bool:
        """What follows from them; whether anything did. In turn with what comes in, a table takes a batch when
        something closes with it, and rests between two of them: silver goes first, and larger batches cost no more."""
        now = time.monotonic()
        self._rest = {table: until for table, until in self._rest.items() if in_turn and until > now}
        due = [each for each in self.gold if not in_turn or (each.table not in self._rest and each.is_due())]
        return any([self._followed(each) for each in due])

    def _followed(self, table: GoldTable) -> bool:
        lasted = self._stepped(table.table, table.step)
        if lasted is not None:
            self._rest[table.table] = time.monotonic() + min(RESTS * lasted, RESTS_AT_MOST_S)
        elif self.away.is_waited_for(table.table):
            self._rest[table.table] = time.monotonic() + AGAIN_AFTER_S
        return lasted is not None

    def rests(self) -> float | None:
        """Seconds until a gold table that rests goes on; none when none rests."""
        until = min(self._rest.values(), default=None)
        return None if until is None else max(0.0, until - time.monotonic())

    def _stepped(self, name: str, step: Callable[[], list[Entry] | None]) -> float | None:
        """How many seconds a batch took when it was done; none when there was none."""
        if self.away.is_waited_for(name):
            return None
        try:
            lasted = self._step(step)
        except (SourceAway, EngineAway) as problem:
            self.away.missed(name, problem)
            return None
        self.away.answered(name)
        return lasted

    def _step(self, step: Callable[[], list[Entry] | None]) -> float | None:
        for left in range(TRIES, 0, -1):
            began = time.monotonic()
            try:
                entries = step()
            except EngineDied as problem:
                if left == 1 or isinstance(problem, EngineAway):
                    raise
                self.restarted(problem)
            else:
                if entries is None:
                    return None
                lasted = time.monotonic() - began
                self.told(entries)
                self.reported(_report(entries[0], lasted))
                return lasted
        raise AssertionError("unreachable")


def _report(entry: Entry, seconds: float) -> Report:
    """Of a batch that has ended."""
    return Report(entry.query, entry.batch, entry.read, seconds, datetime.now(UTC))
