"""Who is told what happens while a run goes on: the log, the live view, metrics, a test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from vigie.address import Address
from vigie.alerts import Event
from vigie.core.ledger import Entry, figures
from vigie.graph import Source

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """A batch that ran: how many rows it read, and how long it took."""

    query: str
    batch: int
    rows: int
    seconds: float
    ended_at: datetime


def _nothing(*_told: object) -> None:
    """For whoever does not want to know."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Is told, from whichever thread it happens in: `reads` of where each source is read from, `batch` of a batch's
    lines in the ledger once they are written, `report` of each batch that has ended, `committed` of
    each commit once it stands (a test may end the process there), `alert` of each alert that opens or closes, and
    `taken` and `put_off`, by the name of a delivery, each time its receiver took something or did not.
    """

    reads: Callable[[Source, Address], None] = _nothing
    batch: Callable[[Sequence[Entry]], None] = _nothing
    report: Callable[[Report], None] = _nothing
    committed: Callable[[str], None] = _nothing
    alert: Callable[[Event], None] = _nothing
    taken: Callable[[str], None] = _nothing
    put_off: Callable[[str], None] = _nothing


def _said(entries: Sequence[Entry]) -> None:
    log.info("%s", "\n".join(map(str, entries)), extra={"fields": figures(entries)})


THE_LOG = Watcher(
    reads=lambda source, address: log.info("%s reads %s", source.name, address),
    batch=_said,
    alert=lambda event: log.info("%s", event),
)


def both(first: Watcher, second: Watcher) -> Watcher:
    """A watcher that tells the two, in this order."""
    return Watcher(
        reads=partial(_in_turn, first.reads, second.reads),
        batch=partial(_in_turn, first.batch, second.batch),
        report=partial(_in_turn, first.report, second.report),
        committed=partial(_in_turn, first.committed, second.committed),
        alert=partial(_in_turn, first.alert, second.alert),
        taken=partial(_in_turn, first.taken, second.taken),
        put_off=partial(_in_turn, first.put_off, second.put_off),
    )


def _in_turn(first: Callable[..., None], second: Callable[..., None], *told: object) -> None:
    first(*told)
    second(*told)
