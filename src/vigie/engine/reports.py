"""What Spark says of each batch of a query, once it has ended."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vigie.core.observer import Report

if TYPE_CHECKING:
    from pyspark.sql.streaming import StreamingQuery


def report_of(progress: dict[str, Any]) -> Report | None:
    """Of what Spark says; none when it only says that there was nothing to do."""
    spent = progress["durationMs"]
    if "addBatch" not in spent:
        return None
    took = timedelta(milliseconds=spent["triggerExecution"])
    kept = progress.get("stateOperators") or []
    return Report(
        progress["name"],
        progress["batchId"],
        progress["numInputRows"],
        took.total_seconds(),
        datetime.fromisoformat(progress["timestamp"]) + took,
        sum(each["numRowsTotal"] for each in kept) if kept else None,
        sum(each["memoryUsedBytes"] for each in kept) if kept else None,
    )


class Reports:
    """What Spark says of one query, each thing once."""

    def __init__(self, name: str, query: StreamingQuery) -> None:
        self.name = name
        self.query = query
        self._last = ""  # when what was said last began

    def look(self) -> list[dict[str, Any]]:
        """What was said since the last look, the oldest first."""
        # PySpark's own property fetches all of the last 50, each time: 150 calls to Java where five do.
        recent = self.query._jsq.recentProgress()
        found: list[dict[str, Any]] = []
        for at in range(len(recent) - 1, -1, -1):
            said = json.loads(recent[at].json())
            if said["timestamp"] == self._last:
                break
            found.append(said)
        if found:
            self._last = found[0]["timestamp"]
        return found[::-1]
