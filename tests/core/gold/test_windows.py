"""Windows as a table keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from tests.runs import NOON
from vigie.core.gold.windows import flat

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


def test_a_window_becomes_two_columns_and_a_table_without_one_stays_as_it_is(sail: SparkSession) -> None:
    rows = sail.createDataFrame([("a", 1, NOON)], "k STRING, n BIGINT, at TIMESTAMP")

    counted = flat(rows.groupBy(F.window("at", "1 minute"), "k").count())

    assert counted.columns == ["window_start", "window_end", "k", "count"]
    assert flat(rows).columns == ["k", "n", "at"]
