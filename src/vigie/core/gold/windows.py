"""Windows as a table keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

START, END = "window_start", "window_end"


def flat(rows: DataFrame) -> DataFrame:
    """`window` as two columns, which every reader understands."""
    from pyspark.sql import functions as F

    if "window" not in rows.columns:
        return rows
    bounds = [F.col("window.start").alias(START), F.col("window.end").alias(END)]
    return rows.select(*bounds, *(name for name in rows.columns if name != "window"))


def longest(rows: pa.Table) -> int:
    """How long the longest of some windows is, in microseconds."""
    if not {START, END} <= set(rows.column_names):
        return 0
    ends, starts = (rows[name].cast(INSTANT).cast(pa.int64()) for name in (END, START))
    return int(pc.max(pc.subtract(ends, starts)).as_py() or 0)
