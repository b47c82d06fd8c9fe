"""A column of another type than was declared is taken where Spark takes it, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import types as T

from vigie.core.ingest.kinds import stands_for

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ONE, OTHER = T.StructType().add("x", T.IntegerType()), T.StructType().add("y", T.IntegerType())
KINDS = [
    T.ByteType(), T.ShortType(), T.IntegerType(), T.LongType(), T.FloatType(), T.DoubleType(), T.DecimalType(5, 2),
    T.DecimalType(20, 0), T.DecimalType(38, 18), T.StringType(), T.BinaryType(), T.BooleanType(), T.DateType(),
    T.TimestampType(), T.TimestampNTZType(), T.ArrayType(T.IntegerType()), T.ArrayType(T.BooleanType()),
    T.MapType(T.StringType(), T.FloatType()), T.MapType(T.StringType(), T.DateType()), ONE,
    T.StructType().add("x", T.LongType()), T.StructType().add("x", T.DateType()), T.NullType(),
]  # fmt: skip


def test_a_structure_has_the_fields_that_were_declared() -> None:
    assert not stands_for(ONE, OTHER)
    assert not stands_for(ONE, T.StructType([*ONE, *OTHER]))


@pytest.mark.parametrize("wanted", [kind for kind in KINDS if not isinstance(kind, T.NullType)], ids=str)
def test_what_stands_for_a_type_is_what_spark_brings_to_it(spark: SparkSession, wanted: T.DataType) -> None:
    differing = []
    for found in KINDS:
        rows = spark.createDataFrame([], T.StructType().add("c", found))
        try:
            _ = rows.to(T.StructType().add("c", wanted)).schema
            is_taken = True
        except AnalysisException:
            is_taken = False
        if is_taken != stands_for(found, wanted):
            differing.append(f"{found.simpleString()}: Spark {'takes' if is_taken else 'refuses'} it")
    assert not differing
