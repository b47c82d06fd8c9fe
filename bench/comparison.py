"""Whether two programs made the same tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from vigie.core.ingest.shaping import SEEN

AVERAGES_AGREE = 1e-6  # sums of floats in another order


def holds(lake: Path, table: str) -> int:
    return int(DeltaTable(str(lake / table)).to_pyarrow_dataset().count_rows())


def must_hold(lake: Path, table: str, count: int) -> None:
    """SystemExit unless the table holds so many rows."""
    if (held := holds(lake, table)) != count:
        raise SystemExit(f"{lake.name}: {table} holds {held:,} rows, and should hold {count:,}")


def same_rows(lakes: Sequence[Path], table: str) -> None:
    """SystemExit unless both tables hold the same rows, in whatever order."""
    digests = [_digest(lake / table) for lake in lakes]
    if digests[0] != digests[1]:
        raise SystemExit(f"{table} is not the same: {digests}")


def same_windows(lakes: Sequence[Path], table: str, by: Sequence[str]) -> None:
    """Raise unless both hold the same windows, at least one, but for the last digits of averages."""
    windows = [pl.read_delta(str(lake / table)).sort("window_start", *by) for lake in lakes]
    if windows[0].is_empty():
        raise SystemExit(f"{table} is empty: there are too few messages for a window to close")
    assert_frame_equal(windows[0], windows[1], rel_tol=AVERAGES_AGREE)


def _digest(table: Path) -> int:
    """The same for the same rows in any order."""
    rows = pl.read_delta(str(table)).drop(SEEN, strict=False)
    return int(rows.hash_rows().cast(pl.UInt64).sum())
