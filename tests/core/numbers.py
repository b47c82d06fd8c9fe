"""A small pipeline for tests: numbers by key and second, of which the even ones are good."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from tests.runs import NOON
from vigie import Pipeline

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEDGER = "_vigie/numbers/ledger"


def with_time(rows: DataFrame) -> DataFrame:
    """One number."""
    return rows.withColumn("at", rows.t.cast("timestamp"))


def numbers(function: Callable[[DataFrame], DataFrame] = with_time) -> Pipeline:
    """The pipeline, with this function for its silver table."""
    pipeline = Pipeline("numbers")
    raw = pipeline.source("raw", schema="k STRING, n BIGINT, t BIGINT", key="k")
    pipeline.silver(
        "even",
        reads=raw,
        schema="k STRING, n BIGINT, t BIGINT, at TIMESTAMP",
        event_time="at",
        late_by="6 minutes",
        unique=("k", "t"),
        expect={"is even": "n % 2 = 0"},
    )(function)
    return pipeline


def a_number(n: int = 0, at: float = 0, k: str | None = "a") -> bytes:
    """A message of `at` seconds after noon."""
    return json.dumps({"k": k, "n": n, "t": int(NOON.timestamp() + at)}).encode()


# An even number, an odd one, a repeat and no number at all.
FIRST = [a_number(2), a_number(3, 1), a_number(2), b"no number"]
# After it, newer by an hour, and two that are behind by more than is allowed then.
SECOND = [a_number(4, 3_600), a_number(6, 3_601)]
THIRD = [a_number(8, 10), a_number(10, 20), a_number(12, 3_602)]


def rows(lake: Path, table: str) -> list[dict[str, Any]]:
    """Every row of a table."""
    found: list[dict[str, Any]] = DeltaTable(lake / table).to_pyarrow_table().to_pylist()
    return found
