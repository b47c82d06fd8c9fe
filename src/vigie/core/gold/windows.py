"""Windows as a table keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
