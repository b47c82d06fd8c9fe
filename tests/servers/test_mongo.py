"""Tables delivered to a stand-in for MongoDB."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from bson.decimal128 import Decimal128
from pydantic import SecretStr
from pymongo import MongoClient

from tests.rows import a_batch, a_table, texts_as_they_are
from tests.runs import Job, until
from tests.servers.mongodb import Server, a_server
from tests.tier import nightly
from vigie.contracts import Surroundings, Writer
from vigie.core.delivery import Step
from vigie.errors import BadSetting
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.mongo import CONNECTION, Mongo

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
EVENT = "event_id STRING, at TIMESTAMP, action STRING"
EVENTS = Mongo("events", id="event_id")
MANY = 20_000
PIPELINE = """
from vigie import Pipeline
from vigie.sinks.mongo import Mongo

shop = Pipeline("shop")
orders_raw = shop.source("orders_raw", schema="id STRING, placed TIMESTAMP, euros DOUBLE", key="id")


@shop.silver("orders", reads=orders_raw, schema="id STRING, placed TIMESTAMP, euros DOUBLE",
             event_time="placed", late_by="1 day", unique="id")
def orders(rows):
    "One order."
    return rows


shop.deliver(orders, to=Mongo("orders", id="id", indexes=("placed",)))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_server(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@pytest.fixture
def empty(server: Server) -> Server:
    server.clear()
    return server


def a_writer(server: Server, sink: Mongo = EVENTS) -> Writer:
    around = Surroundings(Settings(mongo=SecretStr(server.address)))
    assert not sink.missing(around)
    return sink.opened(around)


def events(*rows: tuple[Any, ...]) -> pa.Table:
    return a_table(EVENT, *rows)


def test_without_an_address_it_is_off() -> None:
    assert EVENTS.missing(Surroundings(Settings(mongo=None))) == "VIGIE_MONGO is not set"


@pytest.mark.parametrize(
    "address", ["mongo a-secret", "mongodb://me:a-secret@host:27017", "mongodb://me:a-secret@host:port/lake"]
)
def test_an_address_that_is_none_is_refused_without_being_shown(address: str) -> None:
    around = Surroundings(Settings(mongo=SecretStr(address)))

    with pytest.raises(BadSetting, match="it is not an address of MongoDB that names a database") as refusal:
        EVENTS.opened(around)
    assert "a-secret" not in f"{refusal.value} {refusal.value.__cause__}"


def test_a_repeat_of_a_batch_changes_nothing(empty: Server) -> None:
    writer = a_writer(empty)
    batch = events(("a", NOON, "view"), ("b", NOON, "click"))
    writer.write(batch.to_reader(), 0)
    before = empty.all("events")

    writer.write(batch.to_reader(), 0)

    at = datetime(2025, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    assert empty.all("events") == before
    assert before == [
        {"_id": "a", "event_id": "a", "at": at, "action": "view"},
        {"_id": "b", "event_id": "b", "at": at, "action": "click"},
    ]
    assert empty.count("events_dead_letters") == 0


def test_a_row_that_comes_again_with_other_values_leaves_the_first_as_it_is(empty: Server) -> None:
    a_writer(empty).write(events(("a", NOON, "view")).to_reader(), 0)

    a_writer(empty).write(events(("a", NOON, "changed"), ("b", NOON, "click")).to_reader(), 1)

    assert [document["action"] for document in empty.all("events")] == ["view", "click"]


def test_several_columns_make_an_id_and_nulls_in_it_are_equal(empty: Server) -> None:
    writer = a_writer(empty, Mongo("events", id=("event_id", "action")))
    batch = events(("a", NOON, "view"), ("a", NOON, None))

    for number in range(2):
        writer.write(batch.to_reader(), number)

    assert [document["_id"] for document in empty.all("events")] == [
        {"event_id": "a", "action": "view"},
        {"event_id": "a", "action": None},
    ]


def test_every_kind_of_value_is_there_as_it_was(empty: Server) -> None:
    schema = """k STRING, flag BOOLEAN, tiny TINYINT, small SMALLINT, whole INT, big BIGINT, single FLOAT,
        double DOUBLE, exact DECIMAL(12, 3), day DATE, at TIMESTAMP, clock TIMESTAMP_NTZ, raw BINARY,
        many ARRAY<STRING>, named MAP<STRING, DOUBLE>, inside STRUCT<a: INT, at: TIMESTAMP>"""
    full = ("a\tb\0 \u20ac", True, -128, -32768, 7, 2**62, 0.5, float("-inf"), Decimal("123456789.125"),
            date(2024, 2, 29), NOON, datetime(2025, 3, 30, 2, 30), b"\x00\xff", ["x", None], {"y": 1.5},
            (1, NOON))  # fmt: skip
    nulls = ("nulls", *[None] * 15)

    a_writer(empty, Mongo("kinds", id="k")).write(a_table(schema, full, nulls).to_reader(), 0)

    held, empties = (list(document.values())[1:] for document in empty.all("kinds"))
    at = datetime(2025, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    assert held[:8] == list(full[:8])
    assert held[8:12] == [
        Decimal128("123456789.125"),
        datetime(2024, 2, 29, tzinfo=UTC),
        at,
        datetime(2025, 3, 30, 2, 30, tzinfo=UTC),
    ]
    assert held[12:] == [b"\x00\xff", ["x", None], {"y": 1.5}, {"a": 1, "at": at}]
    assert empties == list(nulls)


def test_a_text_that_is_none_is_mended_and_not_a_crash(empty: Server) -> None:
    rows = pa.table({"k": ["a"], "text": texts_as_they_are(b"a\xff")})

    a_writer(empty, Mongo("texts", id="k")).write(rows.to_reader(), 0)

    assert empty.all("texts") == [{"_id": "a", "k": "a", "text": "a\ufffd"}]


def test_what_has_no_form_is_a_dead_letter_and_the_rest_is_written(
    empty: Server, caplog: pytest.LogCaptureFixture
) -> None:
    schema = "k STRING, text STRING, fields MAP<STRING, INT>, exact DECIMAL(38, 0)"
    rows = [
        ("a name with a NUL", "", {"\0": 1}, None),
        ("a number that is too long", "", None, Decimal("9" * 38)),
        ("good", "", {"n": 1}, Decimal(1)),
        ("too large", "x" * 17_000_000, None, None),
    ]
    writer = a_writer(empty, Mongo("odd", id="k"))

    writer.write(a_table(schema, *rows).to_reader(), 0)

    assert [document["k"] for document in empty.all("odd")] == ["good"]
    letters = {json.loads(each["row"])["k"]: each for each in empty.all("odd_dead_letters") if each["characters"] < 999}
    assert "NULL byte" in letters["a name with a NUL"]["reason"]
    assert "it cannot be written as BSON" in letters["a number that is too long"]["reason"]
    [large] = [each for each in empty.all("odd_dead_letters") if each["characters"] > 999]
    assert large["reason"].startswith("it is too large: 17,0")
    assert large["row"].startswith('{"_id": "too large"')
    assert "MongoDB refused 3 rows, which are in odd_dead_letters" in caplog.text


def test_what_the_server_refuses_is_a_dead_letter_once_and_the_rest_is_written(empty: Server) -> None:
    with MongoClient[dict[str, Any]](empty.address) as client:
        client.get_default_database()["events"].create_index(["action"], unique=True)
    writer = a_writer(empty, Mongo("events", id="event_id", dead_letters="refused"))
    rows = a_table(EVENT, ("a", NOON, "view"), ("b", NOON, "view"), ("c", NOON, "click"))

    writer.write(rows.to_reader(), 0)
    before = empty.all("refused")
    writer.write(rows.to_reader(), 0)

    assert [document["_id"] for document in empty.all("events")] == ["a", "c"]
    assert empty.all("refused") == before
    [letter] = before
    assert (json.loads(letter["row"])["event_id"], letter["collection"]) == ("b", "events")
    assert "duplicate key error" in letter["reason"] and "action_1" in letter["reason"]


def test_indexes_are_made_once(empty: Server) -> None:
    writer = a_writer(empty, Mongo("events", id="event_id", indexes=("action", ("action", "at"))))

    for number in range(2):
        writer.write(events(("a", NOON, "view")).to_reader(), number)

    assert sorted(empty.indexes("events")) == [[("_id", 1)], [("action", 1)], [("action", 1), ("at", 1)]]


def test_a_column_that_is_not_there_is_refused_by_name(empty: Server) -> None:
    with pytest.raises(Refused, match="names 'moment', which is no column of the table"):
        writer = a_writer(empty, Mongo("events", id="event_id", indexes=("moment",)))
        writer.write(events(("a", NOON, "x")).to_reader(), 0)


def test_a_server_that_is_away_is_waited_for(empty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONNECTION, "serverSelectionTimeoutMS", 100)
    step, writer = Step("events-to-mongo-0", threading.Event()), a_writer(empty)
    step(a_batch(writer, events(("a", NOON, "view")), 0))
    empty.stop()
    with pytest.raises(NotNow, match="MongoDB is away: 127.0.0.1"):
        indexed = a_writer(empty, Mongo("events", id="event_id", indexes=("at",)))
        indexed.write(events(("b", NOON, "view")).to_reader(), 1)
    back = threading.Timer(1.0, empty.start)
    back.start()

    step(a_batch(writer, events(("b", NOON, "click")), 1))

    back.join()
    assert [document["_id"] for document in empty.all("events")] == ["a", "b"]


def test_a_server_that_stops_in_the_middle_of_a_batch_has_every_document_once_when_it_is_back(empty: Server) -> None:
    batch = a_batch(a_writer(empty), events(*((str(number), NOON, "view") for number in range(MANY))), 0)
    step = Step("events-to-mongo-0", threading.Event())
    failed: list[BaseException] = []

    def deliver() -> None:
        try:
            step(batch)
        except BaseException as problem:
            failed.append(problem)

    delivery = threading.Thread(target=deliver)
    delivery.start()
    until(lambda: empty.count("events") > 0)
    empty.stop()
    empty.start()
    begun = empty.count("events")
    delivery.join()

    assert failed == []
    assert 0 < begun < MANY, "it was in the middle"
    assert empty.count("events") == MANY
    assert empty.count("events_dead_letters") == 0


@nightly
def test_a_run_that_is_killed_in_the_middle_of_a_batch_is_followed_by_one_that_brings_the_rest(
    empty: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MONGO", empty.address)
    pipeline = tmp_path / "shop.py"
    pipeline.write_text(PIPELINE)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    lines = (json.dumps({"id": str(n), "placed": "2025-06-01T12:00:00Z", "euros": n}) for n in range(MANY))
    (inbox / "0.jsonl").write_text("\n".join(lines) + "\n")
    job = Job(str(tmp_path / "lake"), f"inbox:{inbox}", str(pipeline))
    process = job.start()
    until(lambda: empty.count("orders") > 0)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    begun = empty.count("orders")

    code, _, complained = job.finish()

    assert (code, 0 < begun < MANY) == (0, True), complained
    assert empty.count("orders") == MANY
    assert empty.count("orders_dead_letters") == 0


def test_what_is_written_to_the_log_holds_no_secret(empty: Server, caplog: pytest.LogCaptureFixture) -> None:
    address = empty.address.replace("mongodb://", "mongodb://me:a-secret@")
    writer = EVENTS.opened(Surroundings(Settings(mongo=SecretStr(address))))
    caplog.set_level(logging.DEBUG)

    with pytest.raises(Refused) as refusal:  # the stand-in has no users
        writer.write(events(("a", NOON, "view")).to_reader(), 0)

    assert "a-secret" not in f"{refusal.value} {caplog.text}"
