"""What an aircraft is by the category it sends: Light, Heavy or Other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column


def aircraft_class() -> Column:
    """Light (light, small), Heavy (large, high-vortex, heavy), Other, or null where it does not say.

    OpenSky's categories 0 and 1 mean that nothing is known, so they are no label to learn from; nor is a
    category that OpenSky does not document.
    """
    from pyspark.sql import functions as F

    category = F.col("category")
    return (
        F.when(category.between(2, 3), "Light")
        .when(category.between(4, 6), "Heavy")
        .when(category.between(7, 20), "Other")
    )
