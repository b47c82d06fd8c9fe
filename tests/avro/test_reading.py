"""Framed Avro to rows: what fastavro wrote is read back as it was, and bytes that are broken never by half."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.avro.messages import COLUMNS, INSTANT, NOON, V1, V2, a_schema, an_event, framed, read
from vigie.avro.reading import decoder, written_with
from vigie.core.ingest.parsing import parser
from vigie.graph import HAS_SCHEMA, IS_AVRO, MATCHES

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MILLIS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
EVENTS = st.fixed_dictionaries(
    {
        "event_id": TEXT,
        "user_id": TEXT,
        "at": MILLIS,
        "is_bot": st.booleans(),
        "version": st.integers(-(2**31), 2**31 - 1),
        "referrer": TEXT,
    }
)
# Every kind of type, of which some are read into columns and some are passed over.
EVERYTHING = json.dumps(
    {
        "type": "record",
        "name": "Everything",
        "fields": [
            {"name": "text", "type": ["null", "string"]},
            {"name": "raw", "type": "bytes"},
            {"name": "big", "type": "long"},
            {"name": "rough", "type": "float"},
            {"name": "exact", "type": "double"},
            {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
            {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["SPADES", "HEARTS"]}},
            {"name": "other", "type": ["null", "Suit"]},
            {"name": "list", "type": {"type": "array", "items": ["null", "long"]}},
            {"name": "map", "type": {"type": "map", "values": "string"}},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
            {
                "name": "inner",
                "type": {
                    "type": "record",
                    "name": "Inner",
                    "fields": [{"name": "passed", "type": "string"}, {"name": "kept", "type": ["null", "int"]}],
                },
            },
            {
                "name": "tree",
                "type": {
                    "type": "record",
                    "name": "Tree",
                    "fields": [
                        {"name": "leaf", "type": "int"},
                        {"name": "more", "type": {"type": "array", "items": "Tree"}},
                    ],
                },
            },
        ],
    }
)
KEPT = pa.schema(
    [
        ("text", pa.string()),
        ("big", pa.int64()),
        ("rough", pa.float32()),
        ("exact", pa.float64()),
        ("suit", pa.string()),
        ("other", pa.string()),
        ("list", pa.list_(pa.int64())),
        ("map", pa.map_(pa.string(), pa.string())),
        ("day", pa.date32()),
        ("at", INSTANT),
        ("price", pa.decimal128(10, 2)),
        ("inner", pa.struct([("kept", pa.int32())])),
    ]
)
INTS, LONGS = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
TREES: st.SearchStrategy[Any] = st.deferred(
    lambda: st.fixed_dictionaries({"leaf": INTS, "more": st.lists(TREES, max_size=2)})
)
EVERY_ROW = st.fixed_dictionaries(
    {
        "text": st.none() | TEXT,
        "raw": st.binary(),
        "big": LONGS,
        "rough": st.floats(width=32, allow_nan=False, allow_infinity=False),
        "exact": st.floats(allow_nan=False, allow_infinity=False),
        "hash": st.binary(min_size=4, max_size=4),
        "suit": st.sampled_from(["SPADES", "HEARTS"]),
        "other": st.none() | st.sampled_from(["SPADES", "HEARTS"]),
        "list": st.lists(st.none() | LONGS),
        "map": st.dictionaries(TEXT, TEXT),
        "day": st.dates(),
        "at": st.datetimes(timezones=st.just(UTC)),
        "price": st.decimals(-99_999_999, 99_999_999, places=2),
        "inner": st.fixed_dictionaries({"passed": TEXT, "kept": st.none() | INTS}),
        "tree": TREES,
    }
)


@settings(deadline=None)
@given(EVENTS)
def test_a_record_of_either_version_is_read_back_as_it_was_and_what_it_lacks_is_null(event: dict[str, Any]) -> None:
    versions = {1: V1, 2: V2}

    columns, rules = decoder(COLUMNS, versions)(pa.array([framed(V1, event, 1), framed(V2, event, 2)]))

    assert rules == [None, None]
    for column, field in zip(columns, COLUMNS, strict=True):
        first, second = pa.array(column, field.type).to_pylist()
        assert second == event[field.name]
        assert first == (None if field.name == "referrer" else event[field.name])


@settings(deadline=None)
@given(EVERY_ROW)
def test_values_of_every_type_are_read_back_as_they_were(row: dict[str, Any]) -> None:
    [got], [rule] = read(EVERYTHING, KEPT, framed(EVERYTHING, row))

    assert rule is None
    assert got == {
        **{name: row[name] for name in KEPT.names},
        "map": list(row["map"].items()),
        "inner": {"kept": row["inner"]["kept"]},
    }


@settings(deadline=None)
@given(EVERY_ROW, st.data())
def test_a_message_that_was_cut_or_goes_on_is_no_valid_avro(row: dict[str, Any], data: st.DataObject) -> None:
    message = framed(EVERYTHING, row)
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    longer = message + data.draw(st.binary(min_size=1))

    rows, rules = read(EVERYTHING, KEPT, cut, message, longer)

    assert rules == [IS_AVRO, None, IS_AVRO]
    assert [set(rows[at].values()) for at in (0, 2)] == [{None}, {None}]


@settings(deadline=None)
@given(EVERY_ROW, st.data())
def test_a_message_with_bytes_that_were_changed_is_read_or_refused_but_never_by_half(
    row: dict[str, Any], data: st.DataObject
) -> None:
    message = bytearray(framed(EVERYTHING, row))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    sound = framed(EVERYTHING, row)

    rows, rules = through_the_parser(EVERYTHING, KEPT, [sound, bytes(message), sound])

    assert rules[0] is None and rules[2] is None
    assert rules[1] in {None, IS_AVRO, HAS_SCHEMA, MATCHES}
    assert str(rows[0]) == str(rows[2])
    if rules[1] in {IS_AVRO, HAS_SCHEMA}:
        assert set(rows[1].values()) == {None}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_give_a_row_each(values: list[bytes]) -> None:
    rows, rules = through_the_parser(EVERYTHING, KEPT, [b"\0\0\0\0\1" + value for value in values] + values)

    assert len(rows) == len(rules) == 2 * len(values)


def through_the_parser(
    text: str, schema: pa.Schema, values: list[bytes]
) -> tuple[list[dict[str, Any]], list[str | None]]:
    """Rows and rules as a batch of Spark's is parsed: a value that its column cannot hold is seen there at last."""
    batch = pa.RecordBatch.from_pydict(
        {
            "value": pa.array(values, pa.binary()),
            "received_at": pa.array([0] * len(values), INSTANT),
            "line": pa.array(range(len(values))),
        }
    )
    [parsed] = parser(schema, ("line",), lambda: decoder(schema, {1: text}))([batch])
    return parsed.select(schema.names).to_pylist(), parsed.column("_broken").to_pylist()


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (None, IS_AVRO),
        (b"", IS_AVRO),
        (b"\0", IS_AVRO),
        (b"\0\0\0\0", IS_AVRO),
        (b"\0\0\0\0\1", IS_AVRO),
        (b'{"event_id": "e1"}', IS_AVRO),
        (b"\1\0\0\0\1" + framed(V1, an_event())[5:], IS_AVRO),
        (b"\0\0\0\0\2" + framed(V1, an_event())[5:], HAS_SCHEMA),
        (b"\0\xff\xff\xff\xff", HAS_SCHEMA),
    ],
)
def test_what_is_not_framed_or_names_a_schema_that_nobody_knows_is_told_apart(message: bytes | None, rule: str) -> None:
    sound = framed(V1, an_event())

    rows, rules = read(V1, COLUMNS, sound, message, sound)

    assert rules == [None, rule, None]
    assert set(rows[1].values()) == {None}
    assert rows[0] == rows[2] == {**an_event(), "referrer": None}


UNSOUND = [
    ("boolean", b"\2", "neither true nor false"),
    ("int", b"\x80\x80\x80\x80\x10", "an int of 33 bits"),
    ("long", b"\xff" * 9 + b"\x03", "a long of 66 bits"),
    ("long", b"\x80" * 30 + b"\1", "a long without end"),
    ("string", b"\1", "a length below nothing"),
    ("string", b"\2\xff", "a text that is not UTF-8"),
    ("string", b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", "a text longer than any"),
    (["null", "int"], b"\4", "a third branch of two"),
    (["null", "int"], b"\1", "a branch before the first"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\2", "a symbol that is not there"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\1", "a symbol before the first"),
    ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\0", "nulls without end"),
    ({"type": "array", "items": "int"}, b"\1\4\2\0", "a block that is shorter than it says"),
    ({"type": "array", "items": "int"}, b"\1\1\2\0", "a block of less than nothing"),
]


@pytest.mark.parametrize(("kind", "body", "_what"), UNSOUND, ids=[what for _, _, what in UNSOUND])
def test_a_value_that_no_writer_writes_is_no_valid_avro_whether_it_is_read_or_passed_over(
    kind: Any, body: bytes, _what: str
) -> None:
    message = b"\0\0\0\0\1" + b"\2" + body + b"\2"

    rules = [read(a_schema(kind), pa.schema([("n", pa.int32()), *more]), message)[1] for more in ([], [column(kind)])]

    assert rules == [[IS_AVRO], [IS_AVRO]]


def column(kind: Any) -> tuple[str, pa.DataType]:
    plain = {"boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "string": pa.string()}
    if isinstance(kind, str):
        return "it", plain[kind]
    if isinstance(kind, list):
        return "it", pa.int32()
    return "it", pa.string() if kind["type"] == "enum" else pa.list_(pa.int32())


MILLI = {"type": "long", "logicalType": "timestamp-millis"}
MICRO = {"type": "long", "logicalType": "timestamp-micros"}
DAY = {"type": "int", "logicalType": "date"}
PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}
NO_NUMBERS = ["NaN", "Infinity", "-inf", "1_000", "١٢", "１２", " 12", "12 ", "12\u00a0", "1,5", "0x1f", ""]
UNFIT = [
    ("long", 2**31, pa.int32()),
    ("int", 128, pa.int8()),
    ("long", 2**53 + 1, pa.float64()),
    ("long", 100, pa.decimal128(4, 2)),
    ("double", math.nan, pa.float64()),
    ("double", -math.inf, pa.float64()),
    ("double", 1e39, pa.float32()),
    ("double", math.nan, pa.float32()),
    (MILLI, 253_402_300_800_000, INSTANT),
    (MICRO, -62_135_596_800_000_001, INSTANT),
    (MILLI, 2**62, INSTANT),
    (DAY, 2_932_897, pa.date32()),
    (PRICE, Decimal("1.2345"), pa.decimal128(20, 2)),
    (PRICE, Decimal("12345.0000"), pa.decimal128(6, 2)),
    ("string", "noon", INSTANT),
    ("string", "2025-02-30", pa.date32()),
    ("string", "9999-12-31T23:59:59-14:00", INSTANT),
    *(("string", text, pa.decimal128(10, 2)) for text in NO_NUMBERS),
    ("string", "٢٠٢٥-٠٦-٠١T١٢:٠٠:٠٠Z", INSTANT),
    ("string", " 2025-06-01T12:00:00Z", INSTANT),
    ("string", "20250601T120000Z", INSTANT),
    ("string", "٢٠٢٥-٠٦-٠١", pa.date32()),
    ("string", "2025-W22-7", pa.date32()),
    ("string", "text", pa.int32()),
    ("boolean", True, pa.int32()),
    ("long", 5, INSTANT),
    (MILLI, 5, pa.int64()),
    (["null", "int", "string"], "text", pa.int32()),
    ({"type": "array", "items": "long"}, [1, 2**31], pa.list_(pa.int32())),
    ({"type": "map", "values": "long"}, {"k": 2**31}, pa.map_(pa.string(), pa.int32())),
    ({"type": "record", "name": "In", "fields": [{"name": "a", "type": "long"}]}, {"a": 2**31},
     pa.struct([("a", pa.int32())])),
    ({"type": "record", "name": "In", "fields": [{"name": "a", "type": "long"}]}, {"a": 1}, pa.string()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "held"), UNFIT)
def test_a_value_that_its_column_cannot_hold_breaks_the_schema_and_no_other_row(
    kind: Any, value: Any, held: pa.DataType
) -> None:
    text, schema = a_schema(kind), pa.schema([("it", held), ("n", pa.int32())])
    bad = framed(text, {"before": 0, "it": value, "n": 2})
    fine = framed(a_schema("null"), {"before": 0, "it": None, "n": 1}, number=2)
    batch = pa.RecordBatch.from_pydict(
        {"value": [fine, bad, fine], "received_at": pa.array([0] * 3, INSTANT), "line": [1, 2, 3]}
    )

    [rows] = parser(schema, ("line",), lambda: decoder(schema, {1: text, 2: a_schema("null")}))([batch])

    assert rows.column("_broken").to_pylist() == [None, MATCHES, None]
    assert rows.column("n").to_pylist()[::2] == [1, 1]
    assert rows.column("it")[1].as_py() is None


def test_a_value_that_fits_not_does_not_hide_that_the_message_is_broken() -> None:
    text, schema = a_schema("long"), pa.schema([("it", pa.string()), ("n", pa.int32())])
    message = framed(text, {"before": 0, "it": 5, "n": 2})

    _, rules = read(text, schema, message, message[:-1], message + b"\0")

    assert rules == [MATCHES, IS_AVRO, IS_AVRO]


FIT = [
    ("int", 7, pa.int64(), 7),
    ("long", 7, pa.float64(), 7.0),
    ("long", 7, pa.decimal128(4, 2), Decimal("7.00")),
    ("double", 0.1, pa.float64(), 0.1),
    (MILLI, NOON + timedelta(milliseconds=1), INSTANT, NOON + timedelta(milliseconds=1)),
    (MICRO, datetime(1, 1, 1, tzinfo=UTC), INSTANT, datetime(1, 1, 1, tzinfo=UTC)),
    (MICRO, datetime.max.replace(tzinfo=UTC), INSTANT, datetime.max.replace(tzinfo=UTC)),
    (DAY, date(1969, 12, 31), pa.date32(), date(1969, 12, 31)),
    (PRICE, Decimal("-1.2300"), pa.decimal128(20, 2), Decimal("-1.23")),
    (["null", PRICE], None, pa.decimal128(20, 2), None),
    ("string", "2025-06-01T14:00:00+02:00", INSTANT, NOON),
    ("string", "2025-06-01T12:00:00", INSTANT, NOON),
    ("string", "2025-06-01", pa.date32(), date(2025, 6, 1)),
    ("string", "1.5", pa.decimal128(4, 2), Decimal("1.50")),
    (["null", "int", "string"], 5, pa.int32(), 5),
    ({"type": "array", "items": MILLI}, [NOON], pa.list_(INSTANT), [NOON]),
]


@pytest.mark.parametrize(("kind", "value", "held", "wanted"), FIT)
def test_a_value_is_exactly_what_it_was_in_the_type_of_its_column(
    kind: Any, value: Any, held: pa.DataType, wanted: Any
) -> None:
    text, schema = a_schema(kind), pa.schema([("it", held), ("n", pa.int32())])

    rows, rules = through_the_parser(text, schema, [framed(text, {"before": 0, "it": value, "n": 2})])

    assert (rows, rules) == ([{"it": wanted, "n": 2}], [None])


def test_a_schema_of_no_record_has_no_fields_to_read() -> None:
    _, rules = read('"string"', COLUMNS, b"\0\0\0\0\1\2a", b"\0\0\0\0\1\2")

    assert rules == [MATCHES, IS_AVRO]


def test_a_type_that_holds_itself_deeper_than_can_be_followed_is_no_valid_avro() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "more", "type": ["null", "Tree"]}]}
    text = a_schema(tree)

    _, rules = read(text, pa.schema([("n", pa.int32())]), b"\0\0\0\0\1\2" + b"\2" * 100_000 + b"\0\2")

    assert rules == [IS_AVRO]


def test_values_within_one_another_are_read_to_a_hundred_and_no_deeper() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "more", "type": ["null", "Tree"]}]}
    columns = pa.schema([("n", pa.int32())])

    _, rules = read(a_schema(tree), columns, *(b"\0\0\0\0\1\2" + b"\2" * more + b"\0\2" for more in (99, 100, 99)))

    assert rules == [None, IS_AVRO, None]


class Metered(bytes):
    """A message that counts how often a byte or a part of it is looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return super().__getitem__(at)


MANY = 100_000
NULLS = {"type": "array", "items": "null"}
GREEDY = [
    ("long", b"\xff" * MANY, 20, "a number without end"),
    ("string", b"\xff" * MANY, 20, "a length without end"),
    ("string", b"\xfe" + b"\xff" * 8 + b"\x01" + b"a" * MANY, 20, "a text longer than what is left"),
    ({"type": "array", "items": "long"}, b"\xfe\xff\x7f" + b"\2" * MANY, 20, "more items than bytes are left"),
    ({"type": "map", "values": "null"}, b"\xfe\xff\x7f" + b"\0" * MANY, 20, "more entries than bytes are left"),
    ({"type": "array", "items": NULLS}, b"\x80\x02" + b"\x80\x0a\0" * (MANY // 3), 40, "lists of nulls in a list"),
]


@pytest.mark.parametrize(("kind", "body", "looks", "_what"), GREEDY, ids=[what for *_, what in GREEDY])
def test_a_message_that_claims_more_than_it_has_is_broken_at_once(
    kind: Any, body: bytes, looks: int, _what: str
) -> None:
    message = Metered(b"\0\0\0\0\1\2" + body)

    assert not written_with(a_schema(kind), pa.schema([("n", pa.int32())])).is_sound(message)

    assert message.looks <= looks


def test_a_list_of_items_that_take_no_bytes_is_read_to_a_hundred() -> None:
    text, columns = a_schema(NULLS), pa.schema([("n", pa.int32())])
    messages = [framed(text, {"before": 0, "it": [None] * items, "n": 1}) for items in (100, 101)]

    _, rules = read(text, columns, *messages)

    assert rules == [None, IS_AVRO]


def test_a_decimal_of_as_many_digits_as_a_column_has_is_exact_and_a_longer_one_is_refused() -> None:
    exact = Decimal("-" + "9" * 36 + ".99")
    price = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
    text, schema = a_schema(price), pa.schema([("it", pa.decimal128(38, 2))])
    endless = b"\0\0\0\0\1\2" + b"\x82\x04" + b"\x7f" * 257 + b"\2"

    rows, rules = read(text, schema, framed(text, {"before": 0, "it": exact, "n": 2}), endless)

    assert rules == [None, MATCHES]
    assert rows[0] == {"it": exact}


def test_a_block_that_says_its_size_is_read_as_one_that_does_not() -> None:
    text, schema = a_schema({"type": "array", "items": "int"}), pa.schema([("it", pa.list_(pa.int32()))])

    rows, rules = read(text, schema, b"\0\0\0\0\1" + b"\0" + b"\3\4\2\4" + b"\2\6" + b"\0" + b"\2")

    assert (rows, rules) == ([{"it": [1, 2, 3]}], [None])
