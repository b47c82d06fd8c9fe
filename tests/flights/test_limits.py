"""Which values an average takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vigie.flights.limits import averaged

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_an_average_takes_no_number_beyond_a_thousand_million(sail: SparkSession) -> None:
    from pyspark.sql import functions as F

    most = 1_000_000_000.0
    beyond = math.nextafter(most, math.inf)
    given = [0.0, -12.5, most, -most, beyond, -beyond, 1e308, math.inf, None]

    rows = sail.createDataFrame([(value,) for value in given], "value DOUBLE")

    assert [row[0] for row in rows.select(averaged(F.col("value"))).collect()] == [0.0, -12.5, most, -most, *[None] * 5]
