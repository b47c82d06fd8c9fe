"""Rows as sail has to have them: the fields of a STRUCT that is null are null, too.

Arrow leaves open what is beneath a null, and makes zeros there of what Python gives it; sail takes them for values.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def nothing_beneath_nulls(rows: pa.Table) -> pa.Table:
    for at, field in enumerate(rows.schema):
        if _has_structs(field.type):
            chunks = [_cleared(chunk) for chunk in rows.column(at).chunks]
            rows = rows.set_column(at, field, pa.chunked_array(chunks, field.type))
    return rows


def _has_structs(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return _has_structs(kind.item_type)
    return pa.types.is_struct(kind) or (pa.types.is_list(kind) and _has_structs(kind.value_type))


def _cleared(column: pa.Array) -> pa.Array:
    kind = column.type
    if not _has_structs(kind):
        return column
    if pa.types.is_struct(kind):
        fields = [_cleared(field) for field in column.flatten()]  # which are null where it is
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=column.is_null())
    is_map = pa.types.is_map(kind)
    lists = column.cast(pa.list_(pa.struct([kind.key_field, kind.item_field]))) if is_map else column
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    if is_map:
        keys, items = lists.flatten().flatten()
        return pa.MapArray.from_arrays(offsets, keys, _cleared(items), type=kind, mask=lists.is_null())
    return pa.ListArray.from_arrays(offsets, _cleared(lists.flatten()), type=kind, mask=lists.is_null())
