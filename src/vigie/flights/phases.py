"""The phase of flight that one report shows, without memory of the reports before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

# Below this an aircraft counts as level: vertical rates of level flight wander by about a metre a second.
LEVEL_MS = 2.5
TAKEOFF_BELOW_M = 1_000.0


def flight_phase() -> Column:
    """GROUND, TAKEOFF, CLIMB, DESCENT or CRUISE, from OpenSky's on_ground, vertical_rate and baro_altitude.

    A missing vertical rate counts as level, and a climb at an unknown altitude is a CLIMB.
    """
    from pyspark.sql import functions as F

    rate = F.coalesce("vertical_rate", F.lit(0.0))
    climbs = rate > LEVEL_MS
    return (
        F.when(F.col("on_ground"), "GROUND")
        .when(climbs & (F.col("baro_altitude") < TAKEOFF_BELOW_M), "TAKEOFF")
        .when(climbs, "CLIMB")
        .when(rate < -LEVEL_MS, "DESCENT")
        .otherwise("CRUISE")
    )
