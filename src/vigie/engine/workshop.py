"""What every query of a run works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie.core.delivery_log import Receipts
from vigie.core.ledger import Ledger
from vigie.core.run_context import RunContext
from vigie.graph import Graph
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, slots=True)
class Workshop:
    """The session, the declaration, and where the tables are. `committed` is told the name of each commit once
    it stands, and `receipts` what becomes of deliveries."""

    spark: SparkSession
    graph: Graph
    lake: Lake
    ledger: Ledger
    committed: Callable[[str], None] = lambda _name: None
    receipts: Receipts = Receipts()

    @property
    def context(self) -> RunContext:
        """The same without Spark."""
        return RunContext(self.graph, self.lake, self.ledger, self.committed, self.receipts)
