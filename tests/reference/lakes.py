"""Two lakes side by side: the same input must leave the same tables, whatever happened on the way."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from . import tables

FOLDERS = ("bronze", "silver", "gold", "quarantine", "late")
# They tell when and how often the machine worked, not what it found.
OF_THE_RUN = ("received_at", "at", "requeued_at", "offsets")
COUNTS = ("read", "accepted", "quarantined", "duplicate", "late")


def compare_lakes(one: Path, other: Path, *, cuts: bool = False) -> list[str]:
    """Each difference between two lakes; with `cuts`, rows must have come in the same batches too."""
    found = [f"{lake} holds no table" for lake in (one, other) if not _names(lake)]
    for table in sorted(_names(one) | _names(other)):
        excluded = OF_THE_RUN if cuts else (*OF_THE_RUN, "batch")
        found += _differences(table, *(_without(tables.rows(lake, table), excluded) for lake in (one, other)))
    for table in sorted(_ledgers(one) | _ledgers(other)):
        found += _differences(table, *(_sums(tables.rows(lake, table)) for lake in (one, other)))
        if cuts:
            found += _differences(f"{table} by batch", *(_by_batch(tables.rows(lake, table)) for lake in (one, other)))
    return found


def _differences(table: str, one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    one = one if one.columns else other.clear()
    other = other if other.columns else one.clear()
    if {*one.columns} != {*other.columns}:
        return [f"{table}: its columns are {one.columns} in one lake and {other.columns} in the other"]
    exact = [name for name, dtype in other.schema.items() if not dtype.is_float()]
    return tables.differences(table, one, other, exact)


def _names(lake: Path) -> set[str]:
    logs = (log for folder in FOLDERS for log in (lake / folder).rglob("_delta_log"))
    return {str(log.parent.relative_to(lake)) for log in logs}


def _ledgers(lake: Path) -> set[str]:
    return {str(log.parent.relative_to(lake)) for log in lake.glob("_vigie/*/ledger/_delta_log")}


def _without(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    return frame.drop(columns, strict=False)


def _sums(ledger: pl.DataFrame) -> pl.DataFrame:
    return ledger.group_by("table").agg(pl.col(COUNTS).sum()) if ledger.columns else ledger


def _by_batch(ledger: pl.DataFrame) -> pl.DataFrame:
    """Gold is left out: when it looks at silver is its own trigger's affair, not a cut of the input."""
    if not ledger.columns:
        return ledger
    hot = ~pl.col("table").str.starts_with("gold/")
    return _without(ledger.filter(hot), OF_THE_RUN)
