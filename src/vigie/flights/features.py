"""What a model is given of a report: the report itself, or what its aircraft did over the minutes before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie.flights.course import COURSE, MINUTES, with_course
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LABEL = "aircraft_class"
# A report may have been compared with one so much earlier, and that one is looked at by a report so much later.
LOOKS_BACK = f"{2 * MINUTES} minutes"
RATES_MS = (-150.0, 150.0)  # no aircraft climbs or falls faster
READS = ("icao24", "event_timestamp", "velocity_kmh", "altitude_meters", "vertical_rate_ms", "heading_deg")
REPORT = ("velocity_kmh", "altitude_meters", "vertical_rate_ms")


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
    from pyspark.sql import types as T

    by_aircraft = of_the_report(rows).repartition("icao24")
    course = [T.StructField(name, T.DoubleType()) for name in COURSE]
    return by_aircraft.mapInArrow(with_course, T.StructType([*by_aircraft.schema.fields, *course]))


KINDS = {"report": Kind(REPORT, of_the_report), "minutes": Kind(REPORT + COURSE, of_the_minutes)}


def _within(name: str, limits: tuple[float, float]) -> Column:
    from pyspark.sql import functions as F

    return F.when(F.col(name).between(*limits), F.col(name))
