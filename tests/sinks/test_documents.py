"""Rows as documents of MongoDB, and what is kept of one that is refused; without a server."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import bson
import pyarrow as pa
import pytest

from vigie.sinks import NotNow, Refused
from vigie.sinks.dead_letters import LONGEST_LETTER, letter
from vigie.sinks.documents import LARGEST, as_text, codec, documents, written
from vigie.sinks.mongo import judged

NOON = datetime(2025, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def a_batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def encoded(document: Any) -> bytes:
    return bson.encode(document, codec_options=codec())


def refusal(code: int, said: str = "no", index: int = 0, **more: Any) -> dict[str, Any]:
    """What a server answers to a bulk of which it refuses one document."""
    return {"writeErrors": [{"index": index, "code": code, "errmsg": said, **more}], "writeConcernErrors": []}


def test_a_document_has_the_row_s_columns_and_its_key_as_its_id() -> None:
    [document] = documents(a_batch(event_id=["a"], action=["view"]), ("event_id",))

    assert document == {"_id": "a", "event_id": "a", "action": "view"}


def test_several_columns_are_an_object_in_their_order_and_a_null_is_a_value() -> None:
    [document] = documents(a_batch(sensor=["s"], at=pa.array([None], pa.int64())), ("at", "sensor"))

    assert list(document["_id"].items()) == [("at", None), ("sensor", "s")]


@pytest.mark.parametrize(
    ("column", "read_back"),
    [
        (pa.array([NOON], pa.timestamp("us", "UTC")), NOON.replace(microsecond=123_000)),
        (
            pa.array([datetime(1969, 12, 31, 23, 59, 59, 999_000)], pa.timestamp("us")),
            datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
        ),
        (pa.array([-(2**46)], pa.timestamp("ms")), bson.DatetimeMS(-(2**46))),
        (pa.array([True]), True),
        (pa.array([2**62]), 2**62),
        (pa.array([float("inf")]), float("inf")),
        (pa.array([None], pa.timestamp("us", "UTC")), None),
        (pa.array([None], pa.int32()), None),
        (pa.array([date(2024, 2, 29)]), datetime(2024, 2, 29, tzinfo=UTC)),
        (pa.array([Decimal("-12.50")]), bson.Decimal128("-12.50")),
        (pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int32())), {"x": 1}),
        (pa.array([{"at": NOON, "n": None}]), {"at": NOON.replace(microsecond=123_000), "n": None}),
        (pa.array([None], pa.string()), None),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_a_value_is_read_back_as_what_it_was_up_to_milliseconds(column: pa.Array, read_back: Any) -> None:
    [document] = documents(a_batch(k=["a"], value=column), ("k",))

    beyond_python = bson.codec_options.DatetimeConversion.DATETIME_AUTO
    held: dict[str, Any] = bson.decode(
        encoded(document), bson.CodecOptions(tz_aware=True, tzinfo=UTC, datetime_conversion=beyond_python)
    )

    assert held["value"] == read_back


@pytest.mark.parametrize(
    "value",
    [{"\0": 1}, Decimal("9" * 35), 2**63, {1: "a key that is no text"}, object()],
    ids=lambda value: str(type(value)),
)
def test_what_has_no_form_in_bson_is_refused_and_the_rest_is_not(value: Any) -> None:
    odd, good = {"_id": "a", "value": value}, {"_id": "b"}

    sound, forms, [(document, reason)] = written([odd, good])

    assert (sound, [bson.decode(form.raw) for form in forms], document) == ([good], [good], odd)
    assert reason.startswith("it cannot be written as BSON: ")


def test_what_is_larger_than_mongodb_takes_is_refused() -> None:
    room = LARGEST - len(encoded({"_id": ""}))
    fits, does_not = {"_id": "x" * room}, {"_id": "x" * (room + 1)}

    sound, _, [(document, reason)] = written([fits, does_not])

    assert (sound, document) == ([fits], does_not)
    assert reason == "it is too large: 16,777,217 bytes, and MongoDB takes 16,777,216"


def test_a_dead_letter_is_the_same_whenever_the_same_document_is_refused() -> None:
    document = {"_id": "a", "at": NOON, "exact": Decimal("1.5"), "raw": b"\x00"}

    text = as_text(document)

    first, again = letter("events", text, "too large"), letter("events", text, "too large")

    assert first | {"refused_at": None} == again | {"refused_at": None}
    assert letter("others", text, "too large")["_id"] != first["_id"]
    assert json.loads(first["row"])["exact"] == "1.5"
    assert len(encoded(first)) < 1_000


def test_a_dead_letter_of_a_large_document_holds_its_beginning() -> None:
    held = letter("events", as_text({"_id": "a", "text": "x" * 17_000_000}), "too large")

    assert (len(held["row"]), held["characters"]) == (LONGEST_LETTER, 17_000_000 + len('{"_id": "a", "text": ""}'))


def test_a_map_whose_keys_are_no_texts_has_a_dead_letter_too() -> None:
    assert "(1, 2)" in as_text({"_id": "a", "pairs": {(1, 2): 3}})


@pytest.mark.parametrize(
    "said",
    [
        {"said": "E11000 duplicate key error collection: lake.events index: _id_ dup key: { _id: 1 }"},
        {"said": "", "keyPattern": {"_id": 1}},
        {"said": ""},  # after a megabyte of texts
    ],
)
def test_an_id_that_is_there_is_no_fault(said: dict[str, Any]) -> None:
    assert list(judged([{"_id": 1}], refusal(11_000, **said), "events")) == []


@pytest.mark.parametrize(
    "answer",
    [
        refusal(11_000, "index: email_1 dup key", 1),
        refusal(11_000, "", 1, keyPattern={"email": 1}),
        refusal(121, "Document failed validation", 1),
    ],
)
def test_what_the_server_says_of_one_document_is_that_document_s_fault(answer: dict[str, Any]) -> None:
    [(document, reason)] = judged([{"_id": 1}, {"_id": 2}], answer, "events")

    assert document == {"_id": 2}
    assert str(answer["writeErrors"][0]["code"]) in reason


def test_what_passes_is_waited_for() -> None:
    for answer in (refusal(112, "WriteConflict"), {"writeErrors": [], "writeConcernErrors": [{"errmsg": "waiting"}]}):
        with pytest.raises(NotNow):
            list(judged([{"_id": 1}], answer, "events"))


@pytest.mark.parametrize(("code", "do"), [(13, "VIGIE_MONGO"), (14_031, "Mend what it says")])
def test_what_no_document_is_to_blame_for_ends_the_run(code: int, do: str) -> None:
    with pytest.raises(Refused, match=do):
        list(judged([{"_id": 1}], refusal(code), "events"))
