"""JSON messages to framed Avro: what fastavro reads of them is what they said."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.avro.messages import NOON, V1, V2, a_schema
from vigie.address import Inbox, Kafka
from vigie.avro.writing import encoder
from vigie.errors import BadSetting, RequestError
from vigie.feed import Tick
from vigie.feeding import framed
from vigie.graph import Place, Source

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SAID = {"event_id": "e1", "user_id": "ada", "at": "2025-06-01T12:00:00.000Z", "is_bot": False, "version": 1}


def reread(text: str, message: bytes) -> Any:
    body = io.BytesIO(message[5:])
    row = schemaless_reader(body, parse_schema(json.loads(text)), None)
    assert body.read() == b""
    return row


def said(**fields: Any) -> bytes:
    return json.dumps({**SAID, **fields}).encode()


@settings(deadline=None)
@given(
    TEXT, TEXT, st.datetimes(timezones=st.just(UTC)), st.booleans(), st.integers(-(2**31), 2**31 - 1), st.none() | TEXT
)
def test_what_json_says_is_what_avro_says(
    event_id: str, user_id: str, at: datetime, is_bot: bool, version: int, referrer: str | None
) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    fields = {"event_id": event_id, "user_id": user_id, "at": at.isoformat(), "is_bot": is_bot, "version": version}
    message = json.dumps(fields if referrer is None else {**fields, "referrer": referrer}).encode()

    [first, second] = [encoder(text, number)(message) for text, number in ((V1, 1), (V2, 70_000))]

    assert (first[:5], second[:5]) == (b"\0\0\0\0\1", b"\0\0\1\x11\x70")
    assert reread(V1, first) == {**fields, "at": at}
    assert reread(V2, second) == {**fields, "at": at, "referrer": referrer or ""}


VALUES = [
    ({"type": "long", "logicalType": "timestamp-micros"}, "2025-06-01T12:00:00.000001Z", NOON.replace(microsecond=1)),
    ({"type": "long", "logicalType": "timestamp-millis"}, "2025-06-01T14:00:00+02:00", NOON),
    ({"type": "long", "logicalType": "timestamp-millis"}, "2025-06-01T12:00:00", NOON),
    (["null", {"type": "long", "logicalType": "timestamp-millis"}], "2025-06-01T12:00:00", NOON),
    ({"type": "array", "items": {"type": "long", "logicalType": "timestamp-millis"}}, ["2025-06-01T12:00:00"], [NOON]),
    ({"type": "int", "logicalType": "date"}, "2025-06-01", date(2025, 6, 1)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "1.25", Decimal("1.25")),
    (["null", "long", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}], 1.25, Decimal("1.25")),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
    ({"type": "map", "values": ["null", "double"]}, {"a": 1, "b": None}, {"a": 1.0, "b": None}),
    (["null", {"type": "record", "name": "In", "fields": [{"name": "a", "type": "int"}]}], {"a": 1}, {"a": 1}),
    (["null", "string"], None, None),
    ("float", 0.5, 0.5),
]


@pytest.mark.parametrize(("kind", "value", "wanted"), VALUES)
def test_a_value_is_written_as_its_type_has_it(kind: Any, value: Any, wanted: Any) -> None:
    text = a_schema(kind)

    message = encoder(text, 1)(json.dumps({"before": 1, "it": value, "n": 2, "unknown": [1]}).encode())

    assert reread(text, message) == {"before": 1, "it": wanted, "n": 2}


def test_a_field_that_may_be_null_may_be_missing() -> None:
    text = a_schema(["null", "string"])

    assert reread(text, encoder(text, 1)(b'{"before": 1, "n": 2}'))["it"] is None


BROKEN = [
    b"", b"{", b"null", b"[]", said()[:-1], said() + b"x", said().replace(b'"', b"'"), said(is_bot="no"),
    said(version=2**31), said(version="1"), said(version=1.5), said(event_id=None), said(at="noon"), said(at=5),
    b'{"event_id": "e1"}', said().replace(b"ada", b"\xff"), said(user_id={"a": 1}), said(x=1).replace(b"1}", b"NaN}"),
]  # fmt: skip


@pytest.mark.parametrize("text", ["1_000", "١٢٥", " 1.25", "NaN"])
def test_a_text_that_only_python_reads_as_a_number_is_no_decimal(text: str) -> None:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    message = json.dumps({"before": 1, "it": text, "n": 2}).encode()

    assert encoder(a_schema(price), 1)(message) == message


@pytest.mark.parametrize("message", BROKEN)
def test_a_message_that_the_schema_cannot_hold_goes_as_it_is(message: bytes) -> None:
    assert encoder(V1, 1)(message) == message


def test_the_first_message_that_does_not_fit_is_told_of_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    encode = encoder(V1, 1)

    with caplog.at_level(logging.WARNING):
        encode(said(is_bot="no"))
        encode(b"{")

    assert [record.message for record in caplog.records] == [
        "A message does not fit its schema, and goes as it is, as others like it: Expected `bool`, got `str` - at "
        "`$.is_bot`"
    ]


def a_source(format: str = "avro") -> Source:
    return Source("events", "event_id STRING", None, Place("mine.py", 7), format=format)


def test_messages_go_to_an_inbox_as_the_json_that_they_are() -> None:
    ticks = [Tick(0.0, [(b"k", b"{}")])]

    assert list(framed(a_source(), iter(ticks), Inbox(Path("inbox")))) == ticks
    assert list(framed(a_source("json"), iter(ticks), Kafka("127.0.0.1:1", "t"))) == ticks


def test_a_schema_to_write_with_is_refused_where_json_is_written() -> None:
    with pytest.raises(BadSetting, match="messages are written as JSON there") as refused:
        framed(a_source(), iter([]), Inbox(Path("inbox")), schema="v2.avsc")

    assert refused.value.where == "--schema v2.avsc"


def test_a_source_without_a_schema_cannot_be_fed_to_kafka_and_is_told_how() -> None:
    with pytest.raises(RequestError, match="says of no schema to write with") as refused:
        framed(a_source(), iter([]), Kafka("127.0.0.1:1", "t"))

    assert (refused.value.where, "avro=" in refused.value.do) == ("mine.py:7", True)
