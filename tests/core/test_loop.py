"""What is told of the loop's batches: each that was taken, once, with what it read and how long it took."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.core.loops import ONE_FILE_A_BATCH, unexpected
from tests.core.numbers import FIRST, SECOND, numbers
from tests.runs import an_inbox
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Engine
from vigie.core.ledger import Entry, Ledger
from vigie.core.loop import Loop
from vigie.core.observer import Report
from vigie.core.run_context import RunContext
from vigie.lake import Lake


def test_each_batch_is_reported_once_and_in_order(engine: Engine, tmp_path: Path) -> None:
    pipeline = numbers()
    pipeline.gold("last", reads="even", latest_by="k")(lambda rows: rows)
    graph, lake = pipeline.graph(), Lake(tmp_path / "lake")
    reports, told = list[Report](), list[list[Entry]]()
    context = RunContext(graph, lake, Ledger(lake.ledger("numbers"), "numbers", "x"), reported=reports.append)
    sources = {"raw": Inbox(an_inbox(tmp_path / "inbox", FIRST, SECOND))}
    began = datetime.now(UTC)
    loop = Loop.over(context, engine, sources, ONE_FILE_A_BATCH, lambda entries: told.append(list(entries)), unexpected)

    while loop.ingest():
        pass
    while loop.follow():
        pass

    read = [report for report in reports if report.rows]
    assert [(report.query, report.batch, report.rows) for report in read] == [
        ("raw", 0, 4),
        ("raw", 1, 2),
        ("last", 0, 3),
    ]
    assert [entries[0].batch for entries in told] == [report.batch for report in reports]
    ends = [began, *(report.ended_at for report in reports), datetime.now(UTC)]
    assert ends == sorted(ends)
    assert 0 < sum(report.seconds for report in reports) <= (ends[-1] - began).total_seconds()
