import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.engine.parsing import IS_JSON, MATCHES, decoder, parser

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


@pytest.mark.parametrize("value", [b'{"price": 12345678901}', b'{"price": "1.234"}', b'{"rough": 1e300}'])
def test_a_number_that_its_column_cannot_hold_breaks_the_schema_and_no_other_row(value: bytes) -> None:
    schema = pa.schema([("price", pa.decimal128(10, 2)), ("rough", pa.float32())])
    batch = pa.RecordBatch.from_pydict(
        {
            "value": pa.array([b'{"price": 1.5, "rough": 2}', value]),
            "received_at": pa.array([0, 0], pa.timestamp("us", tz="UTC")),
            "line": pa.array([1, 2]),
        }
    )

    [parsed] = parser(schema, ("line",))([batch])

    assert parsed.column("_broken").to_pylist() == [None, MATCHES]
    assert parsed.column("rough").to_pylist()[0] == 2


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
