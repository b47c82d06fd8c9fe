"""Gold tables of windows: Spark's own streaming aggregation, whose state is in its checkpoint."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from vigie.core.gold.windows import flat
from vigie.core.ledger import Entry
from vigie.core.user_function import made
from vigie.engine import tables
from vigie.engine.checkpoints import Checkpoint
from vigie.engine.gold import silver_stream
from vigie.engine.tables import Stamp
from vigie.engine.workshop import Workshop
from vigie.graph import Gold

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Windows:
    """What happens to each batch of a table that Spark streams; the table is made, so that it can be read before."""

    def __init__(self, shop: Workshop, gold: Gold) -> None:
        self._shop = shop
        self._gold = gold
        self._to = shop.lake.gold(gold.name)
        self.checkpoint = Checkpoint(shop.lake.checkpoint(shop.graph.name, gold.name))
        self.checkpoint.plan_what_is_due()
        self._made = flat(made(gold, silver_stream(shop, gold)))
        tables.ensure(self._to, tables.arrow_schema(self._made.schema), gold.table, shop.graph.name)

    def stream(self) -> DataFrame:
        return self._made

    def __call__(self, batch: DataFrame, number: int) -> list[Entry]:
        """Append what this batch closed, once; what it read is in Spark's report.

        A batch that is in the table already is worked out again all the same, and thrown away: it is in passing
        that Spark sees how far the watermark has come, and Delta's own sink does not let anything pass twice.
        """
        stamp = Stamp(self.checkpoint.query, number)
        if tables.committed(self._to, stamp):
            batch.write.format("noop").mode("overwrite").save()
        else:
            tables.append(batch, self._to, stamp)
            self._shop.committed(self._gold.table)
        return []


def reported(progress: dict[str, object], gold: Gold) -> Entry:
    """The ledger's entry of one batch of windows, from what Spark reports of it."""
    state = progress.get("stateOperators") or []
    assert isinstance(state, list)
    watermark = progress.get("eventTime", {})
    assert isinstance(watermark, dict)
    sources = progress["sources"]
    assert isinstance(sources, list)
    return Entry(
        gold.name,
        gold.table,
        int(str(progress["batchId"])),
        int(str(progress["numInputRows"])),
        late=sum(int(operator["numRowsDroppedByWatermark"]) for operator in state),
        late_before=_watermark(watermark.get("watermark")),
        offsets={"silver": sources[0].get("endOffset")},
    )


def _watermark(text: str | None) -> datetime | None:
    at = datetime.fromisoformat(text) if text else None
    return at if at and at.timestamp() > timedelta().total_seconds() else None
