"""Both engines' answers to every trial over the same rows, and what is to be said of each."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conformance.evaluate import ROWS, Answers
from tests.conformance.expressions import Kind, Trial
from tests.conformance.plain import plain_type
from tests.conformance.rows import drawn

ENGINES = ("spark", "embedded")
RELATIVE, ABSOLUTE = 1e-9, 1e-12


class Verdict(Enum):
    """How the embedded engine answered, beside Spark."""

    EQUAL = "equal"
    CLOSE = "equal to 1e-9"
    DIFFERS = "differs"
    FAILS_EMBEDDED = "fails on the embedded engine alone"
    FAILS_SPARK = "fails on Spark alone"
    FAILS_BOTH = "fails on both"

    @property
    def is_held(self) -> bool:
        return self in {Verdict.EQUAL, Verdict.CLOSE}


REFUSED_BY_SPARK = {Verdict.FAILS_SPARK, Verdict.FAILS_BOTH}


@dataclass(frozen=True)
class Finding:
    """What became of one trial."""

    trial: Trial
    verdict: Verdict
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.trial}: {self.verdict.value} {self.detail}".strip()


def findings(folder: Path) -> list[Finding]:
    """Evaluate everything on both engines, each in a process of its own, and compare."""
    pq.write_table(drawn(), folder / ROWS)
    command = [sys.executable, "-m", "tests.conformance.evaluate"]
    for engine in ENGINES:
        subprocess.run([*command, engine, str(folder)], check=True, stderr=subprocess.DEVNULL)
    return compared(*(pickle.loads((folder / f"{engine}.pickle").read_bytes()) for engine in ENGINES))


def compared(spark: Answers, embedded: Answers) -> list[Finding]:
    by_sql = {trial.text: answer for trial, answer in spark.items() if not trial.is_python}
    return [
        _finding(trial, spark[trial] if trial.sql is None else by_sql[trial.sql], answer)
        for trial, answer in embedded.items()
    ]


def _finding(trial: Trial, spark: pa.Table | str, embedded: pa.Table | str) -> Finding:
    if isinstance(spark, str):
        verdict = Verdict.FAILS_BOTH if isinstance(embedded, str) else Verdict.FAILS_SPARK
        return Finding(trial, verdict, spark)
    if isinstance(embedded, str):
        return Finding(trial, Verdict.FAILS_EMBEDDED, embedded)
    return Finding(trial, *beside(spark, embedded, in_order=trial.kind not in {Kind.GENERATOR, Kind.FRAME}))


def beside(spark: pa.Table, embedded: pa.Table, *, in_order: bool) -> tuple[Verdict, str]:
    """What is to be said of two answers, and where they are apart."""
    if [plain_type(each) for each in spark.schema.types] != [plain_type(each) for each in embedded.schema.types]:
        return Verdict.DIFFERS, f"{_types(embedded)}, where Spark gives {_types(spark)}"
    expected, found = _rows(spark), _rows(embedded)
    if not in_order:
        expected, found = sorted(expected, key=like), sorted(found, key=like)
    if len(expected) != len(found):
        return Verdict.DIFFERS, f"{len(found)} rows, where Spark gives {len(expected)}"
    apart = [(at, *pair) for at, pair in enumerate(zip(expected, found, strict=True)) if not same(*pair, exact=True)]
    far = [each for each in apart if not same(*each[1:], exact=False)]
    if far:
        at, first, other = far[0]
        return Verdict.DIFFERS, f"in {len(far)} rows, as in row {at}: {other!r}, where Spark gives {first!r}"
    return (Verdict.CLOSE if apart else Verdict.EQUAL), ""


def _types(table: pa.Table) -> str:
    return ", ".join(str(each) for each in table.schema.types)


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(_countable(column).to_pylist() for column in table.columns), strict=True))


def _countable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days and instants as numbers, since Python has none beyond the year 9999."""
    if pa.types.is_date32(column.type):
        return column.cast(pa.int32())
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def like(row: tuple[Any, ...]) -> list[str]:
    """What sorts a row beside its like, although their figures differ in the last digits."""
    return [f"{value:.6g}" if isinstance(value, float) else str(value) for value in row]


def same(one: Any, other: Any, *, exact: bool) -> bool:
    """Whether two values are one to SQL, for which 0.0 is -0.0 and NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float):
        if one == other or (math.isnan(one) and math.isnan(other)):
            return True
        return not exact and math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], exact=exact) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(*pair, exact=exact) for pair in zip(one, other, strict=True))
    return bool(one == other)


def by_name(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    names: dict[str, list[Finding]] = {}
    for each in found:
        names.setdefault(each.trial.name, []).append(each)
    return names
