"""Gold tables that keep the last value of each key: the table itself is all that is remembered.

A row replaces the one that is held when its event time is later. So a batch that runs twice changes nothing, nor do
rows that come out of order, and there is no state that could be lost or frozen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from vigie.core.ledger import Entry
from vigie.core.user_function import made
from vigie.engine import tables
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.gold import silver_rows, silver_version
from vigie.engine.tables import Stamp
from vigie.engine.workshop import Workshop
from vigie.errors import BadDeclaration
from vigie.graph import Gold

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MORE_PARTS = 8


class Latest:
    """What happens to each batch of a table that keeps the last value."""

    def __init__(self, shop: Workshop, gold: Gold) -> None:
        self._shop = shop
        self._gold = gold
        self._silver = shop.graph.silver_of(gold)
        self._to = shop.lake.gold(gold.name)
        self._time = str(self._silver.event_time)
        self.checkpoint = Checkpoint(shop.lake.checkpoint(shop.graph.name, gold.name))
        self._prepare()

    def _prepare(self) -> None:
        silver = tables.spark_schema(self._silver.schema)
        rows = made(self._gold, self._shop.spark.createDataFrame([], silver))
        if owed := [name for name in (*self._gold.latest_by, self._time) if name not in rows.columns]:
            raise BadDeclaration(
                f"gold table '{self._gold.name}' gives back rows without {', '.join(owed)}",
                where=str(self._gold.place),
                do="Keep those columns: they say whose value it is, and which is the last.",
            )
        tables.ensure(self._to, tables.arrow_schema(rows.schema), self._gold.table, self._shop.graph.name)

    def stream(self) -> DataFrame:
        return silver_rows(self._shop, self._gold)

    def __call__(self, batch: DataFrame, number: int) -> list[Entry]:
        """Bring the table to where these rows are, for the first or the second time."""
        read = batch.count()
        self._merge(self._newest(batch))
        self._shop.committed(self._gold.table)
        version = silver_version(self.checkpoint, number)
        entry = Entry(self._gold.name, self._gold.table, number, read, offsets={"silver": version})
        self._shop.ledger.write([entry], Stamp(f"{self.checkpoint.query}:{self._gold.table}", number))
        self._shop.committed(f"{self._gold.table} ledger")
        return [entry]

    def _newest(self, batch: DataFrame) -> DataFrame:
        """The newest row of each key; one without a key is nobody's."""
        rows = made(self._gold, batch).dropna(subset=[*self._gold.latest_by, self._time])
        newest = F.max_by(F.struct("*"), self._time)
        return rows.groupBy(*self._gold.latest_by).agg(newest.alias("row")).select("row.*")

    def _merge(self, rows: DataFrame, parts: int = 1) -> None:
        """Merge the rows, in parts when they are too many to be held at once."""
        part = F.pmod(F.xxhash64(*self._gold.latest_by), F.lit(parts))
        for at in range(parts):
            held = tables.held(rows.where(part == at) if parts > 1 else rows)
            if held is None:
                self._merge(rows, parts * MORE_PARTS)
                return
            if held.num_rows:
                tables.merge(held, self._to, self._gold.latest_by, f'new."{self._time}" > held."{self._time}"')
