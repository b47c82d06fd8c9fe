"""Which type of a column may stand where another was declared: as Spark has it when rows are written to a table."""

from __future__ import annotations

from pyspark.sql import types as T

MOMENTS = (T.DateType, T.TimestampType, T.TimestampNTZType)


def stands_for(found: T.DataType, wanted: T.DataType) -> bool:
    """Whether values of one type are brought to another. Of a structure the fields must be those that were declared, in
    their order: Spark would fill those that are missing with nulls."""
    if isinstance(found, T.NullType) or found.simpleString() == wanted.simpleString():
        return True
    if isinstance(found, T.ArrayType) and isinstance(wanted, T.ArrayType):
        return stands_for(found.elementType, wanted.elementType)
    if isinstance(found, T.MapType) and isinstance(wanted, T.MapType):
        return stands_for(found.keyType, wanted.keyType) and stands_for(found.valueType, wanted.valueType)
    if isinstance(found, T.StructType) and isinstance(wanted, T.StructType):
        return found.names == wanted.names and all(
            stands_for(one.dataType, other.dataType) for one, other in zip(found, wanted, strict=True)
        )
    if isinstance(wanted, T.StringType):
        return isinstance(found, T.AtomicType)
    return any(isinstance(found, kind) and isinstance(wanted, kind) for kind in (T.NumericType, MOMENTS))
