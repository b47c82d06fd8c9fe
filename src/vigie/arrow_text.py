"""Values of Arrow as the texts that Spark's CAST(... AS STRING) makes of them, a column at a time.

Of a number with a fraction it is the shortest text that names it, as Java has it from 19 on; an older Java writes a
digit or two more of some.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.large_string()  # the offsets of a plain one count two gigabytes, and a batch may hold more
NULL = pa.scalar(None, TEXT)
HALF_A_SURROGATE, UNREADABLE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]?"), "\ufffd".encode()
# The years that Arrow writes as Java does, 0000 to 9999: in days and in microseconds after 1970.
DAYS = (-719_528, 2_932_896)
MICROS = (DAYS[0] * 86_400_000_000, (DAYS[1] + 1) * 86_400_000_000 - 1)


def texts(column: pa.Array) -> pa.Array:
    """The values as texts; null where a value is."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return texts(column.dictionary_decode())
    if pa.types.is_map(kind):
        lists = as_lists(column)
        return bracketed(lists, _entries(lists.flatten()), "{}", ", ")
    if pa.types.is_struct(kind):
        fields = [part for field in column.flatten() for part in (", ", or_null(texts(field)))]
        return where_it_is(column, joined("{", *fields[1:], "}"))
    if pa.types.is_nested(kind):
        return bracketed(column, or_null(texts(column.flatten())), "[]", ", ")
    return _plain(column)


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return pc.utf8_rtrim(pc.utf8_rtrim(instants(column), "0"), ".")
    if pa.types.is_date(kind):
        return _in_a_calendar(column.cast(pa.date32()), "D", DAYS)
    if pa.types.is_floating(kind):
        shortest = column.cast(pa.string()).cast(pa.float64())  # of a float, not what a double makes of it
        return pa.array([None if each is None else _as_java_does(each) for each in shortest.to_pylist()], TEXT)
    return mended(column) if is_text(kind) or is_bytes(kind) else column.cast(TEXT)


def instants(column: pa.Array) -> pa.Array:
    """Instants in UTC with all six digits of their second, as in 2025-06-01 12:00:00.000000."""
    return _in_a_calendar(column.cast(pa.timestamp("us"), safe=False), "us", MICROS)


def mended(column: pa.Array) -> pa.Array:
    """Texts, or bytes, as texts of UTF-8: what is none is U+FFFD there, as it is for Java."""
    found = column.cast(pa.large_binary() if is_bytes(column.type) else TEXT)
    try:
        found = found.cast(TEXT)
        found.validate(full=True)
    except pa.ArrowInvalid:
        raw = found.cast(pa.large_binary()).to_pylist()
        return pa.array([None if each is None else _decoded(each) for each in raw], TEXT)
    return found


def _decoded(value: bytes) -> str:
    """Half a surrogate that is written like a character is one that cannot be read, as for Java; for Python several."""
    return HALF_A_SURROGATE.sub(UNREADABLE, value).decode(errors="replace")


def is_text(kind: pa.DataType) -> bool:
    return kind in {pa.string(), pa.large_string(), pa.string_view()}


def is_bytes(kind: pa.DataType) -> bool:
    return kind in {pa.binary(), pa.large_binary(), pa.binary_view()}


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts put together, row by row: null where one of them is."""
    whole = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*whole, pa.scalar("", TEXT))


def or_null(found: pa.Array) -> pa.Array:
    return pc.fill_null(found, "null")


def where_it_is(column: pa.Array, found: pa.Array) -> pa.Array:
    """What was found, but null where the column is."""
    return pc.if_else(column.is_valid(), found, NULL)


def bracketed(lists: pa.Array, inner: pa.Array, brackets: str, between: str) -> pa.Array:
    """A text for each list, of the texts of all that the lists hold."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).cast(pa.int64())
    ends = pc.cumulative_sum(lengths)
    cut = pa.LargeListArray.from_arrays(pa.concat_arrays([pa.array([0], pa.int64()), ends]), inner)
    found = joined(brackets[0], pc.binary_join(cut, pa.scalar(between, TEXT)), brackets[1])
    return where_it_is(lists, found)


def as_lists(column: pa.Array) -> pa.Array:
    """Maps as lists of their entries."""
    kind = column.type
    return column.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))


def _entries(entries: pa.Array) -> pa.Array:
    keys, values = entries.flatten()
    return joined(texts(keys), " -> ", or_null(texts(values)))


def _in_a_calendar(column: pa.Array, unit: Literal["D", "us"], between: tuple[int, int]) -> pa.Array:
    numbers = column.cast(pa.int32()).cast(pa.int64()) if unit == "D" else column.cast(pa.int64())
    ends = pc.min_max(numbers)
    first, last = ends["min"].as_py(), ends["max"].as_py()
    if first is None or between[0] <= first <= last <= between[1]:
        return column.cast(TEXT)
    moments = np.array(pc.fill_null(numbers, 0).to_numpy(), dtype=f"datetime64[{unit}]")
    found = [_with_its_year(text) for text in np.datetime_as_string(moments, unit=unit).tolist()]
    return where_it_is(column, pa.array(found, TEXT))


def _with_its_year(text: str) -> str:
    """A moment with its year as Java writes it: at least four digits, and a plus before more."""
    before_christ = text.startswith("-")
    year, _, rest = text.removeprefix("-").replace("T", " ").partition("-")
    sign = "-" if before_christ else "+" if len(year) > 4 else ""
    return f"{sign}{year:0>4}-{rest}"


def _as_java_does(number: float) -> str:
    """Plain between a thousandth and ten million, elsewhere with an exponent."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    assert isinstance(exponent, int)
    mantissa = "".join(map(str, digits)).rstrip("0")
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{exponent + len(digits) - 1}"
