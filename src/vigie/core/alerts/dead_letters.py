"""Notifications that a receiver refused for good while it took others: kept in the lake, so that somebody may look."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import compute as pc

from vigie.alerts import EVENTS, INSTANT, Event
from vigie.core.delta import tables
from vigie.lake import is_table, opened, reading

DEAD_LETTERS = pa.schema(
    [("refused_at", INSTANT), ("delivery", pa.string()), ("reason", pa.string()), ("tries", pa.int64()), *EVENTS]
)
ONE_AT_A_TIME = threading.Lock()  # two couriers that make the table at once would undo each other's first commit

log = logging.getLogger(__name__)


class DeadLetters:
    """Those of one delivery. A row stands when `add` returns; the same notification again adds none."""

    def __init__(self, path: Path, pipeline: str, delivery: str) -> None:
        self._path = path
        self._pipeline = pipeline
        self._delivery = delivery

    def add(self, event: Event, reason: str, tries: int) -> None:
        with ONE_AT_A_TIME:
            if not self._has(event):
                self._append(event, reason, tries)
        log.error(
            "%s: %s\nIt took others, so this one is put aside, after %d tries, and the rest goes on: %s\nLook: "
            'vigie query "FROM vigie.%s_dead_letters"', self._delivery, reason, tries, event, self._pipeline,
        )  # fmt: skip

    def _append(self, event: Event, reason: str, tries: int) -> None:
        tables.ensure(self._path, DEAD_LETTERS, "dead_letters", self._pipeline)
        said = {"refused_at": datetime.now(UTC), "delivery": self._delivery, "reason": reason, "tries": tries}
        tables.append_again(pa.Table.from_pylist([{**said, **event.row()}], DEAD_LETTERS), self._path)

    def _has(self, event: Event) -> bool:
        if not is_table(self._path):
            return False
        same = (
            (pc.field("delivery") == self._delivery)
            & (pc.field("alert_id") == event.alert.alert_id)
            & (pc.field("event") == event.event)
        )
        with reading(self._path):
            return bool(opened(self._path).to_pyarrow_dataset().count_rows(filter=same))
