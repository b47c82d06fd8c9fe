"""Messages read together: each is read as if it had come alone, whatever came with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runs import GARBAGE
from vigie.arrow_types import arrow_schema
from vigie.core.ingest import parsing
from vigie.core.ingest.parsing import parser
from vigie.graph import IS_JSON
from vigie.pipeline import load

SHIPPED = [
    pytest.param(arrow_schema(source.schema), id=source.name)
    for name in ("flights", "sensors", "activity")
    for source in load(name).graph().sources
]
INSTANT = pa.timestamp("us", tz="UTC")
FORMS = (
    ["T", " ", "t"],
    ["", ".5", ".123456", ".1234567", ",5"],
    ["", "Z", "z", "+00:00", "-00:00", "+05:30", "+0530", "-14:00"],
)
EXTREMES = [
    "0", "-0", "-0.0", "1", "1.0", "1.5", "1e2", "1E-400", "1e308", "1e309", "-1e999", "127", "128", "-128", "-129",
    "32767", "32768", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "1" * 40,
    "0.1", "2.2250738585072011e-308", "5e-324", "9007199254740993", "3.4028235677973366e38", "3.4e38",
    "01", "+1", ".5", "1.", "1e", "0x1f", "NaN", "Infinity", "-Infinity", "nan", "inf",
]  # fmt: skip
WORDS = [
    "null", "true", "false", "True", "None", "nul", "{}", "[]", "[1]", "[null]", '["a"]', '{"a": 1}', '{"id": "a"}',
    '""', '"5"', '"1.5"', '"true"', '"null"', '"\\u00e9"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"a\\"b"',
    '"\\x"', '"é"', '"a\tb"', "'a'", '"2024-02-29"', '"2023-02-29"', '"1900-02-29"', '"0000-01-01"', '"9999-12-31"',
    '"20240229"', '"2024-02-29T24:00:00Z"', '"2016-12-31T23:59:60Z"', '"9999-12-31T23:59:59-14:00"',
    '"0001-01-01T00:00:00+14:00"', '"10000-01-01T00:00:00Z"', '"2024-W09-4T12:00:00Z"',
]  # fmt: skip
TIMES = st.builds(
    lambda day, mark, fraction, zone: f'"{day}{mark}12:30:15{fraction}{zone}"',
    st.dates().map(str),
    *map(st.sampled_from, FORMS),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5).map(json.dumps)
SCALARS = st.sampled_from(EXTREMES) | st.sampled_from(WORDS) | TIMES | TEXTS


def well_typed(kind: pa.DataType) -> st.SearchStrategy[str]:
    """JSON that a column of this type takes, as text."""
    if pa.types.is_list(kind):
        return st.lists(well_typed(kind.value_type), max_size=2).map(lambda items: f"[{', '.join(items)}]")
    if pa.types.is_map(kind):
        return st.dictionaries(TEXTS, well_typed(kind.item_type), max_size=2).map(an_object)
    if pa.types.is_struct(kind):
        return objects(kind)
    if pa.types.is_signed_integer(kind):
        limit = 1 << (kind.bit_width - 1)
        return st.integers(-limit, limit - 1).map(str) | st.just("null")
    for is_kind, texts in PLAIN:
        if is_kind(kind):
            return texts | st.just("null")
    raise AssertionError(kind)


PLAIN: list[tuple[Callable[[pa.DataType], bool], st.SearchStrategy[str]]] = [
    (pa.types.is_string, TEXTS),
    (pa.types.is_boolean, st.sampled_from(["true", "false"])),
    (pa.types.is_floating, st.floats(-1e30, 1e30).map(repr)),
    (pa.types.is_decimal, st.decimals(-99, 99, places=2).map(str)),
    (pa.types.is_timestamp, TIMES),
    (pa.types.is_date, st.dates().map(lambda day: f'"{day}"')),
]


def objects(fields: Any) -> st.SearchStrategy[str]:
    """An object of most of these fields, in any order, perhaps with others, with wrong ones, and with some twice."""
    known = [st.tuples(st.just(json.dumps(field.name)), well_typed(field.type) | SCALARS) for field in fields]
    some = st.lists(st.one_of(*known, st.tuples(TEXTS, SCALARS)), max_size=len(known) + 2)
    return st.one_of(some, st.tuples(*known), st.tuples(*(rightly(field) for field in fields))).map(
        lambda members: "{" + ", ".join(f"{name}: {value}" for name, value in members) + "}"
    )


def rightly(field: pa.Field) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.just(json.dumps(field.name)), well_typed(field.type))


def an_object(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in members.items()) + "}"


def spoilt(message: bytes, at: int, put: bytes, cut: int) -> bytes:
    at %= len(message) + 1
    return message[:at] + put + message[at + cut :]


def messages(schema: pa.Schema) -> st.SearchStrategy[list[bytes | None]]:
    whole = objects(schema).map(str.encode)
    mutated = st.builds(spoilt, whole, st.integers(0), st.binary(max_size=2), st.integers(0, 2))
    garbage = st.sampled_from([text for text in GARBAGE.values() if len(text) < 1000])
    around = st.sampled_from([b"%s", b" %s\r", b"%s x", b"\xef\xbb\xbf%s", b"%s,", b"[%s]", b"%s%s", b"\xc2\xa0%s"])
    wrapped = st.builds(lambda outer, message: outer.replace(b"%s", message), around, whole)
    return st.lists(whole | mutated | wrapped | garbage | st.binary(max_size=9) | st.none(), max_size=9)


TYPES = st.recursive(
    st.sampled_from(
        [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.string()]
        + [pa.date32(), INSTANT, pa.timestamp("us"), pa.decimal128(4, 2)]
    ),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(lambda kind: pa.map_(pa.string(), kind)),
        st.lists(inner, min_size=1, max_size=2).map(lambda kinds: pa.struct(list(zip("ab", kinds, strict=False)))),
    ),
    max_leaves=3,
)
SCHEMAS = st.lists(TYPES, min_size=1, max_size=4).map(lambda kinds: pa.schema(list(zip("abcd", kinds, strict=False))))


def a_batch(values: list[bytes | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "value": pa.array(values, pa.binary()),
            "received_at": pa.array([0] * len(values), INSTANT),
            "line": pa.array([0] * len(values), pa.int64()),
        }
    )


def parsed(schema: pa.Schema, *batches: list[bytes | None]) -> pa.Table:
    return pa.Table.from_batches(parser(schema, ("line",))(map(a_batch, batches)))


def hold_to_one_answer(schema: pa.Schema, values: list[bytes | None]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parsing, "AT_ONCE", 4)
        together = parsed(schema, values)
    together.validate(full=True)
    assert together.num_rows == len(values)
    assert together.combine_chunks() == parsed(schema, [], *([value] for value in values)).combine_chunks()


@pytest.mark.parametrize("schema", SHIPPED)
@settings(deadline=None, max_examples=40)  # the first example of a type builds what reads it
@given(st.data())
def test_a_message_is_read_alike_alone_and_among_others(schema: pa.Schema, data: st.DataObject) -> None:
    hold_to_one_answer(schema, data.draw(messages(schema)))


@settings(deadline=None)
@given(st.data())
def test_a_message_is_read_alike_whatever_the_schema(data: st.DataObject) -> None:
    schema = data.draw(SCHEMAS)

    hold_to_one_answer(schema, data.draw(messages(schema)))


def test_what_is_broken_among_thousands_is_told_of_the_right_ones() -> None:
    good = [b'{"icao24": "%d"}' % number for number in range(5_000)]
    values: list[bytes | None] = [*good[:2_047], *GARBAGE.values(), *good[2_047:], None]

    rows = parsed(pa.schema([("icao24", pa.string())]), values)

    names, rules = rows["icao24"].to_pylist(), rows["_broken"].to_pylist()
    first, after = 2_047, 2_047 + len(GARBAGE)
    assert names[:first] + names[after:-1] == [str(number) for number in range(5_000)]
    assert not any(rules[:first] + rules[after:-1])
    assert rules[-1] == IS_JSON


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime(2, 1, 1), datetime(9998, 12, 31)


@settings(deadline=None)
@given(st.lists(st.none() | st.datetimes(FIRST, LAST) | st.datetimes(FIRST, LAST, timezones=ZONES)))
def test_instants_of_all_zones_and_of_none_are_told_in_utc(instants: list[datetime | None]) -> None:
    said = [json.dumps({"at": instant and instant.isoformat()}).encode() for instant in instants]

    rows = parsed(pa.schema([("at", INSTANT)]), list(said))

    assert rows["_broken"].null_count == len(instants)
    assert rows["at"].to_pylist() == [
        instant and (instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)) for instant in instants
    ]
