import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Context, Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vigie.core.ingest.parsing import decoder, parser
from vigie.graph import IS_JSON, MATCHES

SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("count", pa.int32()),
        ("big", pa.int64()),
        ("speed", pa.float64()),
        ("on", pa.bool_()),
        ("parts", pa.list_(pa.int32())),
        ("inner", pa.struct([("$schema", pa.string())])),
    ]
)

EXACT = Context(1_000_000)


def verdict(value: bytes | None) -> str | None:
    _, [rule] = decoder(SCHEMA)(pa.array([value], pa.binary()))
    return rule


@pytest.mark.parametrize(
    "value",
    [
        b"", b" ", b"null garbage", b"{", b'{"name": "a"', b"{'name': 'a'}", b'{"speed": NaN}', b'{"speed": Infinity}',
        b'{"name": "a"} x', b'{"name": "a"}{"name": "b"}', b'{"name": "a"},', b"\x00", b'{"name": "\xff"}',
        b'{"unknown": "\xff"}', b'{"name": "a\x00b"}', b'{"count": 01}', b'{"count": +1}', b'{"a": 1,}',
        b"\xef\xbb\xbf{}",
        b"// no\n{}", b"[" * 100_000, b'{"count": "x", ', b"\xff" * 10, None,
    ],
)  # fmt: skip
def test_what_is_not_strictly_one_json_text_breaks_that_rule(value: bytes | None) -> None:
    assert verdict(value) == IS_JSON


@pytest.mark.parametrize(
    "value",
    [
        b"[]", b"1", b'"text"', b"null", b'{"name": 1}', b'{"count": 1.5}', b'{"count": 1.0}', b'{"count": "1"}',
        b'{"count": 3000000000}', b'{"big": 9223372036854775808}', b'{"speed": "fast"}', b'{"speed": 1e999}',
        b'{"on": "true"}', b'{"on": 1}', b'{"parts": 1}', b'{"parts": [1, "2"]}', b'{"inner": {"$schema": 1}}',
        b'{"name": "\\ud800"}', b'{"big": ' + b"9" * 10_000 + b"}",
    ],
)  # fmt: skip
def test_json_of_other_types_breaks_the_schema(value: bytes) -> None:
    assert verdict(value) == MATCHES


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b' {"name": null} ',
        b'{"more": {"x": [NaN]}}'.replace(b"NaN", b"1"),
        b'{"speed": 1}',
        b'{"parts": [1, null]}',
    ],
)
def test_missing_null_and_unknown_fields_are_fine(value: bytes) -> None:
    assert verdict(value) is None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            "count": st.none() | st.integers(-(2**31), 2**31 - 1),
            "big": st.none() | st.integers(-(2**63), 2**63 - 1),
            "speed": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "on": st.none() | st.booleans(),
            "parts": st.none() | st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)),
            "inner": st.none() | st.fixed_dictionaries({"$schema": st.none() | st.just("s")}),
        },
    )
)
def test_what_pythons_own_json_writes_is_read_back(message: dict[str, object]) -> None:
    rows, [rule] = decoder(SCHEMA)(pa.array([json.dumps(message).encode()]))

    assert rule is None
    for at, field in enumerate(SCHEMA):
        assert getattr(rows[0], f"f{at}") == message.get(field.name)


UNHOLDABLE = [
    ("price", "12345678901"),
    ("price", '"1.234"'),
    ("price", '"NaN"'),
    ("price", '"1e99999999999999999999"'),
    ("price", "1e99999999999999999999"),
    ("price", "true"),
    ("price", "[1]"),
    ("price", "1e-999999999"),
    ("price", "1e999999999"),
    ("price", "1e-77"),
    ("price", "1." + "0" * 200 + "1"),
    ("rough", "1e39"),
    ("rough", "-1e39"),
    ("rough", "1e300"),
    ("at", '"9999-12-31T23:59:59-14:00"'),
    ("at", '"0001-01-01T00:00:00+14:00"'),
]
KINDS = {"price": pa.decimal128(10, 2), "rough": pa.float32(), "at": pa.timestamp("us", tz="UTC")}


def parsed(schema: pa.Schema, values: list[bytes]) -> pa.RecordBatch:
    batch = pa.RecordBatch.from_pydict(
        {
            "value": pa.array(values, pa.binary()),
            "received_at": pa.array([0] * len(values), pa.timestamp("us", tz="UTC")),
            "line": pa.array(range(len(values))),
        }
    )
    [rows] = parser(schema, ("line",))([batch])
    return rows


@pytest.mark.parametrize(
    ("kind_of", "message"),
    [
        (lambda kind: kind, '{"it": %s, "n": %d}'),
        (pa.list_, '{"it": [null, %s], "n": %d}'),
        (lambda kind: pa.map_(pa.string(), kind), '{"it": {"k": %s, "none": null}, "n": %d}'),
        (lambda kind: pa.struct([("in", kind), ("other", kind)]), '{"it": {"in": %s}, "n": %d}'),
        (
            lambda kind: pa.list_(pa.struct([("in", pa.map_(pa.string(), kind))])),
            '{"it": [{"in": {"k": %s}}], "n": %d}',
        ),
    ],
    ids=["alone", "in a list", "in a map", "in a struct", "deep within"],
)
@pytest.mark.parametrize(("name", "text"), UNHOLDABLE)
def test_a_number_that_its_column_cannot_hold_breaks_the_schema_and_no_other_row(
    kind_of: Callable[[pa.DataType], pa.DataType], message: str, name: str, text: str
) -> None:
    good = '"2026-11-21T12:00:00Z"' if name == "at" else "1.5"
    schema = pa.schema([("it", kind_of(KINDS[name])), ("n", pa.int32())])

    rows = parsed(schema, [(message % each).encode() for each in ((good, 1), (text, 2), (good, 3))])

    assert rows.column("_broken").to_pylist() == [None, MATCHES, None]
    assert rows.column("n").to_pylist()[::2] == [1, 3]
    assert rows.column("it")[0] == rows.column("it")[2]
    assert rows.column("it")[0].is_valid


@pytest.mark.parametrize("text", ["1.5", "1.500", '"1.5"', "15e-1", "1.5" + "0" * 300])
def test_a_decimal_is_what_it_was_however_it_was_written(text: str) -> None:
    [price] = parsed(pa.schema([("price", pa.decimal128(10, 2))]), [b'{"price": %s}' % text.encode()]).column("price")

    assert price.as_py() == Decimal("1.5")


def test_nothing_is_nothing_whatever_its_exponent() -> None:
    rows = parsed(pa.schema([("price", pa.decimal128(10, 2))]), [b'{"price": 0e-999999999}', b'{"price": 0e9}'])

    assert rows.column("_broken").to_pylist() == [None, None]
    assert rows.column("price").to_pylist() == [0, 0]


SPELLED = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
LOOKS_NUMERIC = st.text(st.sampled_from("0123456789+-._eE ,xInfNa\t\u00a0\u0661\u0662\uff11\u00b2"), max_size=8)


@given(LOOKS_NUMERIC | st.from_regex(SPELLED, fullmatch=True))
@example("1_000")
@example("١٢")
@example("１２")
@example(" 12")
@example("Infinity")
@example("-inf")
@example("1.e2")
def test_a_text_is_a_decimal_where_it_spells_a_number_in_plain_digits(text: str) -> None:
    schema = pa.schema([("price", pa.decimal128(38, 10))])

    rows = parsed(schema, [json.dumps({"price": text}).encode()])

    [broken], [held] = rows.column("_broken").to_pylist(), rows.column("price").to_pylist()
    if not SPELLED.fullmatch(text):
        assert (broken, held) == (MATCHES, None)
    elif broken is None:
        assert Fraction(held) == Fraction(text.removesuffix(".").replace(".e", "e").replace(".E", "E"))


PLAIN_KINDS = {
    pa.timestamp("us", tz="UTC"): re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
    ),
    pa.date32(): re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    pa.int64(): re.compile(r"(?!)"),
    pa.float64(): re.compile(r"(?!)"),
    pa.bool_(): re.compile(r"(?!)"),
}
DAYS = r"(2025|٢٠٢٥|[+]2025|0000)[-/ ]?(W22|0[16]|٠٦|13)[-/]?(01|٣٠|7)"
HOURS = r"[Tt ](12|24|١٢):?(00|60)(:(00|60))?([.,][0-9]{1,9})?(Z|z|[+-]01(:?00)?)?"
LOOKS_LIKE_TIME = st.from_regex(f"{DAYS}({HOURS})?", fullmatch=True)


@given(LOOKS_LIKE_TIME | LOOKS_NUMERIC, st.sampled_from(list(PLAIN_KINDS)))
def test_no_text_is_a_value_but_in_the_one_form_that_the_docs_name(text: str, kind: pa.DataType) -> None:
    rows = parsed(pa.schema([("it", kind)]), [json.dumps({"it": text}).encode()])

    [broken] = rows.column("_broken").to_pylist()
    assert broken == MATCHES or PLAIN_KINDS[kind].fullmatch(text)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(1, 38), st.integers(0, 38))
def test_a_decimal_column_holds_a_number_exactly_or_not_at_all(number: Decimal, precision: int, scale: int) -> None:
    scale = min(scale, precision)
    schema = pa.schema([("price", pa.decimal128(precision, scale))])

    rows = parsed(schema, [b'{"price": "%s"}' % str(number).encode()])

    [broken], [held] = rows.column("_broken").to_pylist(), rows.column("price").to_pylist()
    fits = number == 0 or (
        number.normalize(EXACT).as_tuple().exponent >= -scale and number.adjusted() < precision - scale  # type: ignore[operator]
    )
    assert (broken is None) == fits
    assert held == (number if fits else None)


@pytest.mark.parametrize("text", ["3.4028235e38", "-3.4028235e38", "1e-60"])
def test_a_float_is_rounded_but_never_to_infinity(text: str) -> None:
    rows = parsed(pa.schema([("rough", pa.list_(pa.float32()))]), [b'{"rough": [%s]}' % text.encode()])

    assert rows.column("_broken").to_pylist() == [None]
    assert math.isfinite(rows.column("rough").to_pylist()[0][0])


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59"])
def test_the_first_and_last_instants_that_readers_can_name_are_held(text: str) -> None:
    rows = parsed(pa.schema([("at", pa.timestamp("us", tz="UTC"))]), [b'{"at": "%s"}' % text.encode()])

    assert rows.column("_broken").to_pylist() == [None]
    assert rows.column("at").to_pylist() == [datetime.fromisoformat(text).replace(tzinfo=UTC)]


def test_json_nested_deeper_than_can_be_read_breaks_the_rule_of_json() -> None:
    assert verdict(b'{"unknown": ' + b"[" * 3_000 + b"]" * 3_000 + b"}") == IS_JSON


@given(st.lists(st.binary(max_size=30)))
def test_any_bytes_give_a_row_each_and_agree_with_pythons_own_json(values: list[bytes]) -> None:
    rows, rules = decoder(SCHEMA)(pa.array(values, pa.binary()))

    assert len(rows) == len(rules) == len(values)
    for value, rule in zip(values, rules, strict=True):
        assert (rule == IS_JSON) == (not is_strict_json(value))


def is_strict_json(value: bytes) -> bool:
    def refuse(text: str) -> float:
        raise ValueError(text)

    try:
        json.loads(value.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True
