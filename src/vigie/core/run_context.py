"""What every part of a run works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vigie.core.delivery_log import Receipts
from vigie.core.ledger import Ledger
from vigie.core.observer import Report
from vigie.graph import Graph
from vigie.lake import Lake


@dataclass(frozen=True, slots=True)
class RunContext:
    """The declaration, and where the tables are. `committed` is told the name of each commit once it stands, `receipts`
    what becomes of deliveries, and `reported` how long each batch took."""

    graph: Graph
    lake: Lake
    ledger: Ledger
    committed: Callable[[str], None] = lambda _name: None
    receipts: Receipts = Receipts()
    reported: Callable[[Report], None] = lambda _report: None
