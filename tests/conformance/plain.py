"""Arrow tables as both engines could have made them: one type for each of SQL's."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types


def plain(table: pa.Table) -> pa.Table:
    """The same values without views, which pyarrow can neither sort nor hand over."""
    for at, field in enumerate(table.schema):
        if "month_interval" in str(field.type):
            raise TypeError("pyarrow has no values of this type")
        if "view" in str(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(plain_type(field.type)))
    return table


def plain_type(of: pa.DataType) -> pa.DataType:
    """What it is to SQL: one kind of text, and nothing said of whether there can be nulls within."""
    if types.is_string_view(of) or types.is_large_string(of):
        return pa.string()
    if types.is_binary_view(of) or types.is_large_binary(of):
        return pa.binary()
    if types.is_map(of):
        return pa.map_(plain_type(of.key_type), plain_type(of.item_type))
    if types.is_list(of) or types.is_large_list(of):
        return pa.list_(plain_type(of.value_type))
    if types.is_struct(of):
        return pa.struct([pa.field(each.name, plain_type(each.type)) for each in of])
    return of
