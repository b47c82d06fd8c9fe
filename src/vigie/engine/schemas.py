"""Which Avro schemas messages name, counted by Spark as they pass."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from vigie.avro.reading import FRAME


def met() -> Column:
    """The same as an aggregate of Spark's, which `told` reads."""
    number = F.when(F.substring("value", 1, 1) == F.lit(b"\0"), F.hex(F.substring("value", 2, FRAME - 1)))
    return F.array_join(F.collect_set(number), " ")


def told(numbers: str) -> set[int]:
    whole = 2 * (FRAME - 1)
    return {int(number, 16) for number in numbers.split() if len(number) == whole}
