"""The ledger and the quarantine of a lake that has run for long: what is not shown is not held."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vigie.accounts import Ledger, Quarantine
from vigie.cli import app
from vigie.lake import Lake, Table
from vigie.maintenance import compact_small, maintain
from vigie.monitoring.standing import standing
from vigie.pipeline import load

from .test_cli import NOON, a_broken_row, a_lake, a_pipeline, an_entry

MANY = 10_000
FEW_BYTES = 3_000_000  # all of the rows as Python's objects are ten times as many


def a_long_quarantine(folder: Path) -> Table:
    rows = [
        a_broken_row(value=b"x" * 1_000 + str(n).encode(), line=n, received_at=NOON + timedelta(seconds=n))
        for n in range(MANY)
    ]
    a_lake(folder, [], rows)
    return Table("vigie", "quarantine", folder / "lake" / "quarantine" / "mine")


def a_long_ledger(folder: Path) -> Table:
    a_lake(folder, [an_entry(batch=n, offsets="x" * 200 + str(n)) for n in range(MANY)], [])
    return Table("vigie", "ledger", Lake.at(folder / "lake").ledger("mine"))


def held_by(act: Callable[[], object]) -> int:
    act()  # what it imports is not what it holds
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("table", "show"),
    [
        (a_long_quarantine, lambda table: Quarantine(table).origins(2).print_table(1)),
        (a_long_quarantine, lambda table: Quarantine(table).newest().print_json()),
        (a_long_ledger, lambda table: Ledger(table).totals().print_table()),
        (a_long_ledger, lambda table: Ledger(table).batches().print_table()),
        (a_long_ledger, lambda table: Ledger(table).entries().print_json()),
    ],
)
def test_a_list_holds_only_the_rows_that_it_is_about_to_show(
    tmp_path: Path, table: Callable[[Path], Table], show: Callable[[Table], None]
) -> None:
    long = table(tmp_path)

    with (tmp_path / "shown").open("w") as shown, redirect_stdout(shown):
        held = held_by(lambda: show(long))

    assert (tmp_path / "shown").stat().st_size
    assert held < FEW_BYTES


def test_all_of_a_long_quarantine_is_one_array_newest_first(tmp_path: Path) -> None:
    long = a_long_quarantine(tmp_path)

    with (tmp_path / "shown").open("w") as shown, redirect_stdout(shown):
        Quarantine(long).newest().print_json()

    assert [row["line"] for row in json.loads((tmp_path / "shown").read_text())] == list(range(MANY - 1, -1, -1))


def said(pipeline: str, lake: Lake) -> tuple[Any, ...]:
    """What the ledger and the status say of every row that was read."""
    shown = CliRunner().invoke(app, ["ledger", pipeline, "--lake", str(lake)]).stdout
    entries = json.loads(CliRunner().invoke(app, ["ledger", pipeline, "--json", "--lake", str(lake)]).stdout)
    now = standing(load(pipeline).graph(), pipeline, lake)
    [things] = [table for table in now.tables if table.table == "silver/things"]
    return shown, sorted(entries, key=lambda entry: entry["batch"]), now.every_row_is_accounted_for, things


@pytest.mark.parametrize(
    "keep", [lambda lake: list(maintain(lake, timedelta(days=7))), lambda lake: compact_small(lake.ledger("mine"))]
)
def test_ledger_and_status_say_the_same_when_its_small_files_are_put_together(
    tmp_path: Path, keep: Callable[[Lake], object]
) -> None:
    from vigie.core.delta.tables import Stamp
    from vigie.core.ledger import Entry
    from vigie.core.ledger import Ledger as Written

    pipeline, lake = a_pipeline(tmp_path), Lake.at(tmp_path / "lake")
    ledger = Written(lake.ledger("mine"), "mine", "embedded")
    for batch in range(50):
        ledger.write([Entry("things_raw", "silver/things", batch, 10, 7, 1, 1, 1)], Stamp("query", batch))
    before = said(pipeline, lake)

    keep(lake)

    assert said(pipeline, lake) == before
    assert "500" in before[0]
    assert before[2]
    assert len(before[1]) == 50
    assert sum(1 for line in (lake.ledger("mine")).glob("*.parquet")) == 51
