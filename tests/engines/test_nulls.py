"""What is beneath a null is nothing, however deep: sail takes whatever is there for a value."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from vigie.engines.embedded.engine import Embedded
from vigie.engines.embedded.nulls import nothing_beneath_nulls

SIZES = pa.struct([("old", pa.int64()), ("new", pa.int64())])
INNER = pa.struct([("name", pa.string()), ("sizes", SIZES)])
SCHEMA = pa.schema([
    ("plain", pa.int64()), ("sizes", SIZES), ("inner", INNER), ("listed", pa.list_(INNER)),
    ("mapped", pa.map_(pa.string(), INNER)), ("deep", pa.list_(pa.list_(SIZES))),
])  # fmt: skip

whole = st.none() | st.integers(-5, 5)
sizes = st.none() | st.fixed_dictionaries({"old": whole, "new": whole})
inner = st.none() | st.fixed_dictionaries({"name": st.none() | st.sampled_from(["", "a"]), "sizes": sizes})
rows = st.lists(
    st.fixed_dictionaries({
        "plain": whole, "sizes": sizes, "inner": inner, "listed": st.none() | st.lists(inner, max_size=3),
        "mapped": st.none() | st.dictionaries(st.sampled_from("abc"), inner).map(lambda found: [*found.items()]),
        "deep": st.none() | st.lists(st.none() | st.lists(sizes, max_size=2), max_size=2),
    }), max_size=12,
)  # fmt: skip


def values_beneath_nulls(column: pa.Array, is_null: list[bool]) -> int:
    """How many fields have a value where their STRUCT, or what that is in, is null."""
    kind = column.type
    here = [above or not there for above, there in zip(is_null, column.is_valid().to_pylist(), strict=True)]
    if pa.types.is_struct(kind):
        return sum(values_beneath_nulls(column.field(at), here) for at in range(kind.num_fields))
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        inside = column.items if pa.types.is_map(kind) else column.values
        return values_beneath_nulls(inside, [False] * len(inside))
    return sum(above and there for above, there in zip(is_null, column.is_valid().to_pylist(), strict=True))


@given(rows, st.integers(0, 12))
def test_rows_stay_as_they_are_and_have_no_value_beneath_a_null(said: list[dict[str, Any]], cut: int) -> None:
    table = pa.Table.from_pylist(said, SCHEMA)
    given_rows = pa.concat_tables([table.slice(cut), table.slice(0, cut)])

    found = nothing_beneath_nulls(given_rows)

    assert found.schema == SCHEMA
    assert found.to_pylist() == given_rows.to_pylist()
    for column in found.columns:
        for chunk in column.chunks:
            chunk.validate(full=True)
            assert values_beneath_nulls(chunk, [False] * len(chunk)) == 0


def test_a_field_of_a_struct_that_is_null_is_null_to_a_function() -> None:
    from pyspark.sql import functions as F

    table = pa.Table.from_pylist([{"sizes": None}, {"sizes": {"old": 1, "new": 3}}], pa.schema([("sizes", SIZES)]))
    engine = Embedded()
    try:
        found = engine.evaluate(
            lambda each: each.select((F.col("sizes.new") - F.coalesce("sizes.old", F.lit(0))).alias("by")), table
        )
    finally:
        engine.close()

    assert found["by"].to_pylist() == [None, 2]
