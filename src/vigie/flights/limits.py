"""What an altitude and a speed can be: a report beyond these is an anomaly, and is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

ALTITUDES_M = (-100, 12_000)
SPEEDS_KMH = (0, 1_000)

# Beyond it is neither an altitude nor a speed of anything, and the squares of a few such numbers have no sum: 1e308 m/s
# is a DOUBLE, and in km/h it is infinite.
AVERAGED_TO = 1e9


def averaged(value: Column) -> Column:
    """A value as averages take it: without numbers so large that one of them would be all there is to see."""
    from pyspark.sql import functions as F

    return F.when(F.abs(value) <= AVERAGED_TO, value)
