"""The table of alerts: where each stands, brought up to date as events are found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from vigie.alerts import ALERTS, Alert
from vigie.core.delta import tables
from vigie.graph import SEVERITIES

CHANGED = (
    "(held.closed_at IS NULL AND new.closed_at IS NOT NULL)"
    " OR (held.suppressed_by IS NOT NULL AND new.suppressed_by IS NULL)"
)
# The table is written anew whole. Of what is only `info`, which may be many a second, so much is written on average;
# whatever is worse is there at once.
ROWS_A_SECOND = 1_000


class AlertTable:
    """The alerts of one pipeline; `committed` is told each time that it was written."""

    def __init__(self, path: Path, committed: Callable[[], None]) -> None:
        self._path = path
        self._committed = committed
        self._unput: dict[str, Alert] = {}  # what the table does not have yet
        self._again_at = 0.0

    def restore(self, alerts: pa.Table) -> None:
        """Bring it to where these are, before anything else is found."""
        if alerts.num_rows:
            self._bring(alerts)

    def put(self, alerts: Iterable[Alert]) -> None:
        """Bring it to where these are, soon."""
        found = {alert.alert_id: alert for alert in alerts}
        self._unput |= found
        is_urgent = any(alert.severity != SEVERITIES[0] for alert in found.values())
        self.put_all() if is_urgent else self.put_what_is_due()

    def put_what_is_due(self) -> None:
        if time.monotonic() >= self._again_at:
            self.put_all()

    def put_all(self) -> None:
        """Bring it to where they are; what is there already stays as it is."""
        if self._unput:
            self._bring(pa.Table.from_pylist([alert.row() for alert in self._unput.values()], ALERTS))
            self._unput.clear()
            self._committed()

    def _bring(self, alerts: pa.Table) -> None:
        rows = tables.merge(alerts, self._path, ("alert_id",), CHANGED)
        self._again_at = time.monotonic() + rows / ROWS_A_SECOND
