"""Messages as documents: whole, under their own ids; what cannot be decoded or written, byte for byte. No server."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import bson
import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.avro.messages import NOON, V1, V2, V3, an_event, framed
from vigie.avro.reading import FRAME
from vigie.sinks.documents import Bulk
from vigie.sinks.messages import Messages

RECEIVED = datetime(2025, 6, 1, 12, 0, 1, tzinfo=UTC)
SCHEMAS = {1: V1, 2: V2, 3: V3}
AWARE: bson.CodecOptions[dict[str, Any]] = bson.CodecOptions(tz_aware=True, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LONGS, FLOATS = st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | LONGS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def from_kafka(*messages: bytes | None) -> pa.RecordBatch:
    count = len(messages)
    return pa.RecordBatch.from_pydict(
        {
            "value": pa.array(messages, pa.binary()),
            "received_at": pa.array([RECEIVED] * count, pa.timestamp("us", "UTC")),
            "topic": ["t"] * count,
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
        }
    )


def as_lines(*messages: bytes) -> pa.RecordBatch:
    batch = from_kafka(*messages).to_pydict()
    return pa.RecordBatch.from_pydict(
        {
            "value": pa.array(messages, pa.binary()),
            "received_at": pa.array(batch["received_at"], pa.timestamp("us", "UTC")),
            "file": ["a.jsonl"] * len(messages),
            "line": pa.array(range(len(messages)), pa.int64()),
        }
    )


def read_back(bulk: Bulk) -> list[dict[str, Any]]:
    return [bson.decode(form.raw, AWARE) for form in bulk.forms]


def of_json(*messages: bytes, id: str = "id") -> list[dict[str, Any]]:
    bulk = Messages(tuple(id.split(".")), None).bulk(as_lines(*messages))
    assert bulk.refused == []
    return read_back(bulk)


def test_an_avro_message_has_every_field_it_was_written_with_and_where_it_stood() -> None:
    event = an_event(referrer="/", country="FR")

    bulk = Messages(("event_id",), SCHEMAS).bulk(from_kafka(framed(V1, event, 1), framed(V3, event, 3)))

    old, new = read_back(bulk)
    about = {"topic": "t", "partition": 0, "received_at": RECEIVED}
    fields = {"event_id": "e1", "user_id": "ada", "at": NOON, "is_bot": False, "version": 1}
    assert old == {"_id": "e1", **fields, "_vigie": {**about, "offset": 0, "schema_number": 1}}
    assert new == {
        "_id": "e1", **fields, "referrer": "/", "country": "FR", "_vigie": {**about, "offset": 1, "schema_number": 3}
    }  # fmt: skip
    assert list(new) == ["_id", *fields, "referrer", "country", "_vigie"]


@pytest.mark.parametrize(
    ("message", "rule", "number"),
    [
        (b"", "is valid Avro", {}),
        (None, "is valid Avro", {}),
        (b'{"event_id": "e1"}', "is valid Avro", {}),
        (framed(V1, an_event(), 1)[:-1], "is valid Avro", {"schema_number": 1}),
        (framed(V1, an_event(), 1) + b"\0", "is valid Avro", {"schema_number": 1}),
        (framed(V1, an_event(), 9), "has a known schema", {"schema_number": 9}),
    ],
)
def test_what_cannot_be_decoded_is_there_byte_for_byte_with_the_rule_it_broke(
    message: bytes | None, rule: str, number: dict[str, int]
) -> None:
    [document] = read_back(Messages(("event_id",), SCHEMAS).bulk(from_kafka(message)))

    place = {"topic": "t", "partition": 0, "offset": 0}
    assert document == {
        "_id": place,
        "_vigie": {**place, "received_at": RECEIVED, **number, "broken": rule, "value": message},
    }


@settings(deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_an_object_of_json_is_read_back_as_it_was(said: dict[str, Any]) -> None:
    message = json.dumps(said, ensure_ascii=False).encode()

    [document] = of_json(message, id="no such field")

    about = document.pop("_vigie")
    assert document.pop("_id") == {"file": "a.jsonl", "line": 0}
    ours = {"_id", "_vigie"} & said.keys()
    assert document == {name: value for name, value in said.items() if name not in ours}
    assert about.get("value") == (message if ours else None)


@pytest.mark.parametrize("own", ["e1", 7, -(2**63), "0"])
def test_a_text_or_a_whole_number_is_an_id(own: object) -> None:
    assert [each["_id"] for each in of_json(json.dumps({"id": own}).encode())] == [own]


@pytest.mark.parametrize("own", ["", None, True, 1.5, ["e1"], {"a": 1}, 2**63 - 1 + 2**40])
def test_what_is_no_id_leaves_the_message_under_the_place_where_it_stood(own: object) -> None:
    [document] = of_json(json.dumps({"id": own}).encode())

    assert document["_id"] == {"file": "a.jsonl", "line": 0}


def test_a_place_is_never_the_id_of_a_message_whatever_that_calls_itself() -> None:
    place = {"file": "a.jsonl", "line": 1}

    first, second = of_json(json.dumps({"id": str(place)}).encode(), b"broken")

    assert first["_id"] == str(place) != second["_id"] == place


def test_an_id_may_stand_within_another_field() -> None:
    found = of_json(b'{"meta": {"id": "m1"}}', b'{"meta": "m1"}', b"{}", id="meta.id")

    assert [each["_id"] for each in found] == ["m1", {"file": "a.jsonl", "line": 1}, {"file": "a.jsonl", "line": 2}]


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (b"{", "is valid JSON"),
        (b"", "is valid JSON"),
        (b'{"id": "\xff"}', "is valid JSON"),
        (b'{"id": NaN}', "is valid JSON"),
        (b'{"id": "\\ud800"}', "is valid JSON"),
        (b"[" * 5_000 + b"]" * 5_000, "is valid JSON"),
        (b'["e1"]', "matches the schema"),
        (b"null", "matches the schema"),
    ],
)
def test_what_is_no_object_of_json_is_there_byte_for_byte(message: bytes, rule: str) -> None:
    [document] = of_json(message)

    assert (document["_vigie"]["broken"], document["_vigie"]["value"]) == (rule, message)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"\0": 1}, "it cannot be written as BSON"),
        (2**64, "it cannot be written as BSON"),
        (json.loads("[" * 101 + "]" * 101), "it is deeper than 100 values"),
    ],
)
def test_what_mongodb_has_no_form_for_is_there_byte_for_byte_under_its_own_id(value: object, reason: str) -> None:
    message = json.dumps({"id": "e1", "value": value}).encode()

    [document] = of_json(message)

    assert document["_id"] == "e1"
    assert set(document) == {"_id", "_vigie"}
    assert document["_vigie"]["refused"].startswith(reason)
    assert document["_vigie"]["value"] == message


def test_a_field_with_the_name_of_one_of_ours_is_kept_in_the_bytes() -> None:
    taken, own = b'{"_id": "other", "id": "e1"}', b'{"_vigie": 1, "id": "e2"}'

    first, second, third = of_json(taken, own, b'{"_id": "e3", "id": "e3"}')

    assert (first["_id"], first["_vigie"]["value"]) == ("e1", taken)
    assert (second["_id"], second["_vigie"]["value"]) == ("e2", own)
    assert "value" not in third["_vigie"]


def test_what_is_larger_than_mongodb_takes_even_as_bytes_is_refused() -> None:
    bulk = Messages(("id",), None).bulk(as_lines(b'"' + b"x" * (16 << 20) + b'"', b'{"id": "e1"}'))

    assert [document["_id"] for document in read_back(bulk)] == ["e1"]
    [(_, reason)] = bulk.refused
    assert reason.startswith("it is too large")


EVERYTHING = json.dumps(
    {
        "type": "record",
        "name": "Everything",
        "fields": [
            {"name": "id", "type": "string"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "exactly_at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
            {
                "name": "again",
                "type": {
                    "type": "array",
                    "items": {"type": "fixed", "name": "Due", "size": 8, "logicalType": "decimal", "precision": 12},
                },
            },
            {"name": "due", "type": ["null", "Due"]},
            {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["SPADES", "HEARTS"]}},
            {"name": "raw", "type": "bytes"},
            {"name": "map", "type": {"type": "map", "values": ["null", "double", "string"]}},
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
TREES: st.SearchStrategy[Any] = st.deferred(
    lambda: st.fixed_dictionaries({"leaf": st.integers(-9, 9), "more": st.lists(TREES, max_size=2)})
)
ROWS = st.fixed_dictionaries(
    {
        "id": TEXT.filter(bool),
        "at": st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30)).map(
            lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
        ),
        "exactly_at": st.none() | st.integers(-(2**63), 2**63 - 1),
        "day": st.dates(),
        "price": st.decimals(-99_999, 99_999, places=2),
        "again": st.lists(st.decimals(-99_999, 99_999, places=0), max_size=2),
        "due": st.none() | st.decimals(-99_999, 99_999, places=0),
        "suit": st.sampled_from(["SPADES", "HEARTS"]),
        "raw": st.binary(),
        "map": st.dictionaries(NAMES, st.none() | st.floats(allow_nan=False) | TEXT, max_size=3),
        "tree": TREES,
    }
)


def as_bson_has_it(value: Any) -> Any:
    """What fastavro gives, as it is when it was written to BSON and read again."""
    if isinstance(value, dict):
        return {name: as_bson_has_it(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_bson_has_it(inner) for inner in value]
    if type(value).__name__ == "Decimal":
        return bson.Decimal128(value)
    if type(value).__name__ == "date":
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


@settings(deadline=None)
@given(ROWS)
def test_a_record_is_what_fastavro_reads_of_it(row: dict[str, Any]) -> None:
    message = framed(EVERYTHING, row)
    plain = json.loads(EVERYTHING.replace(', "logicalType": "timestamp-micros"', ""))  # microseconds stay numbers
    expected = fastavro.schemaless_reader(io.BytesIO(message[FRAME:]), fastavro.parse_schema(plain), None)

    [document] = read_back(Messages(("id",), {1: EVERYTHING}).bulk(from_kafka(message)))

    del document["_vigie"]
    assert document == {"_id": row["id"], **as_bson_has_it(expected)}


def test_an_instant_beyond_the_years_that_python_knows_is_kept() -> None:
    text = json.dumps({"type": "record", "name": "E", "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]})  # fmt: skip
    message = b"\0\0\0\0\1" + b"\xff" * 9 + b"\1"

    [form] = Messages(("id",), {1: text}).bulk(from_kafka(message)).forms

    held = bson.decode(
        form.raw, AWARE.with_options(datetime_conversion=bson.codec_options.DatetimeConversion.DATETIME_MS)
    )
    assert held["at"] == bson.DatetimeMS(-(2**63))
