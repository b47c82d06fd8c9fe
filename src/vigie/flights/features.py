"""What a model is given of a report: the report itself, or what its aircraft did over the minutes before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LABEL = "aircraft_class"
MINUTES = 5
# A report may have been compared with one so much earlier, and that one is looked at by a report so much later.
LOOKS_BACK = f"{2 * MINUTES} minutes"
RATES_MS = (-150.0, 150.0)  # no aircraft climbs or falls faster
REPORT = ("velocity_kmh", "altitude_meters", "vertical_rate_ms")
COURSE = (
    "slowest_kmh", "mean_kmh", "fastest_kmh", "lowest_m", "highest_m", "steepest_fall_ms", "steepest_climb_ms",
    "mean_turn_deg_s", "mean_acceleration_ms2",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """Which columns a model reads, and how they are made of the rows of silver."""

    features: tuple[str, ...]
    made: Callable[[DataFrame], DataFrame]


def of_the_report(rows: DataFrame) -> DataFrame:
    """The report's own figures, those that cannot be being left out."""
    return rows.withColumns(
        {
            "velocity_kmh": _within("velocity_kmh", SPEEDS_KMH),
            "altitude_meters": _within("altitude_meters", ALTITUDES_M),
            "vertical_rate_ms": _within("vertical_rate_ms", RATES_MS),
        }
    )


def of_the_minutes(rows: DataFrame) -> DataFrame:
    """The report's figures, and how fast, high and steep its aircraft flew and turned over the five minutes to it."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    in_order = Window.partitionBy("icao24").orderBy("micros")
    lately = in_order.rangeBetween(-MINUTES * 60_000_000, 0)
    apart = (F.col("micros") - F.lag("micros").over(in_order)) / 1e6
    is_near = (apart > 0) & (apart <= MINUTES * 60)
    turned = F.abs(F.pmod(F.col("heading_deg") - F.lag("heading_deg").over(in_order) + 540, F.lit(360.0)) - 180)
    faster = F.abs(F.col("velocity_kmh") - F.lag("velocity_kmh").over(in_order)) / 3.6
    return (
        of_the_report(rows)
        .withColumn("micros", F.unix_micros("event_timestamp"))
        .withColumns({"turn": F.when(is_near, turned / apart), "acceleration": F.when(is_near, faster / apart)})
        .withColumns(
            {
                "slowest_kmh": F.min("velocity_kmh").over(lately),
                "mean_kmh": F.avg("velocity_kmh").over(lately),
                "fastest_kmh": F.max("velocity_kmh").over(lately),
                "lowest_m": F.min("altitude_meters").over(lately),
                "highest_m": F.max("altitude_meters").over(lately),
                "steepest_fall_ms": F.min("vertical_rate_ms").over(lately),
                "steepest_climb_ms": F.max("vertical_rate_ms").over(lately),
                "mean_turn_deg_s": F.avg("turn").over(lately),
                "mean_acceleration_ms2": F.avg("acceleration").over(lately),
            }
        )
        .drop("micros", "turn", "acceleration")
    )


KINDS = {"report": Kind(REPORT, of_the_report), "minutes": Kind(REPORT + COURSE, of_the_minutes)}


def _within(name: str, limits: tuple[float, float]) -> Column:
    from pyspark.sql import functions as F

    return F.when(F.col(name).between(*limits), F.col(name))
