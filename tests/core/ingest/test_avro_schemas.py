"""The schemas of a source as they are kept: asked for once, waited for, and the same for a batch that runs twice."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.avro.messages import DDL, V1, V2, an_event, framed
from tests.core.loops import run
from tests.runs import an_inbox
from vigie import Pipeline
from vigie.avro.registry import Registry, RegistryAway
from vigie.backoff import Clock
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Engine
from vigie.core.ingest.avro_schemas import PATIENCE_S, Schemas, met_in
from vigie.core.left_undone import LeftUndone
from vigie.core.notes import JsonNotes
from vigie.errors import LakeDamaged, RunFailed
from vigie.lake import Lake, rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class AskedRegistry(Registry):
    """One that answers as it is told, and counts what it was asked."""

    def __init__(self, *answers: str | None | RegistryAway) -> None:
        super().__init__("http://127.0.0.1:1")
        object.__setattr__(self, "answers", list(answers))
        object.__setattr__(self, "asked", [])

    answers: list[Any]
    asked: list[int]

    def schema(self, number: int) -> str | None:
        self.asked.append(number)
        answer = self.answers.pop(0)
        if isinstance(answer, RegistryAway):
            raise answer
        return str(answer) if answer is not None else None


class NumberedRegistry(Registry):
    """One that has these schemas; it counts what it is asked, and how much at once."""

    def __init__(self, *texts: str, meets: int = 1) -> None:
        super().__init__("http://127.0.0.1:1")
        object.__setattr__(self, "texts", dict(enumerate(texts, 1)))
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "barrier", threading.Barrier(meets))

    texts: dict[int, str]
    asked: list[int]
    barrier: threading.Barrier

    def schema(self, number: int) -> str | None:
        self.asked.append(number)
        self.barrier.wait(5)
        return self.texts.get(number)


class Turned:
    """A clock that is turned by whoever waits by it."""

    def __init__(self, then: Callable[[threading.Event], object] = lambda _: None) -> None:
        self.now = 0.0
        self.clock = Clock(lambda: self.now, self.wait)
        self._then = then

    def wait(self, ending: threading.Event, seconds: float) -> None:
        self.now += seconds
        self._then(ending)


AWAY = RegistryAway("the schema registry does not answer: refused")


def schemas(folder: Path, registry: Registry, clock: Clock | None = None) -> Schemas:
    return Schemas(folder / "kept", registry, JsonNotes(folder / "notes"), clock=clock)


def test_a_schema_is_asked_for_once_and_kept_for_a_run_without_a_registry(tmp_path: Path) -> None:
    registry = AskedRegistry(V1, V2)
    first = schemas(tmp_path, registry)

    known = [first.of_batch(0, {1}), first.of_batch(1, {1, 7}), first.of_batch(2, set())]

    assert known == [{1: V1}, {1: V1, 7: V2}, {1: V1, 7: V2}]
    assert registry.asked == [1, 7]
    assert schemas(tmp_path, AskedRegistry()).of_batch(3, {1, 7}) == {1: V1, 7: V2}


def test_a_batch_that_is_read_twice_knows_what_it_knew_and_a_later_one_knows_more(tmp_path: Path) -> None:
    registry = NumberedRegistry(V1)
    first = schemas(tmp_path, registry)

    before = first.of_batch(4, {1, 2})
    registry.texts[2] = V2
    later = first.of_batch(5, {2})
    again = schemas(tmp_path, AskedRegistry()).of_batch(4, {1, 2})

    assert before == again == {1: V1}
    assert later == {1: V1, 2: V2}


def test_schemas_that_are_new_are_asked_for_eight_at_a_time(tmp_path: Path) -> None:
    registry = NumberedRegistry(*[V1] * 16, meets=8)

    known = schemas(tmp_path, registry).of_batch(0, range(1, 17))

    assert sorted(known) == sorted(registry.asked) == list(range(1, 17))


def test_a_batch_that_names_any_number_of_schemas_asks_for_a_thousand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = NumberedRegistry(V1, V2)
    kept = schemas(tmp_path, registry)

    known = [kept.of_batch(0, range(1, 100_000)), kept.of_batch(0, range(1, 100_000))]

    assert known == [{1: V1, 2: V2}] * 2
    assert sorted(registry.asked) == list(range(1, 1_001))
    assert len([each for each in caplog.records if each.levelno == logging.WARNING]) == 2, "not a line for each"


def test_a_registry_that_is_away_is_not_asked_for_everything_before_it_is_waited_for(tmp_path: Path) -> None:
    time, registry = Turned(then=threading.Event.set), AskedRegistry(*[AWAY] * 100)

    with pytest.raises(LeftUndone):
        schemas(tmp_path, registry, time.clock).of_batch(0, range(100))

    assert len(registry.asked) <= 8


@pytest.mark.parametrize("text", ["{", '"quux"', '{"type": "record", "name": "R", "fields": [{"name": "a"}]}'])
def test_a_schema_that_cannot_be_read_is_not_known(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert schemas(tmp_path, AskedRegistry(text)).of_batch(0, {3}) == {}

    assert "Schema 3 of http://127.0.0.1:1 cannot be read" in caplog.messages[0]
    assert "messages that name it go to quarantine" in caplog.messages[1]
    assert list((tmp_path / "kept").glob("*")) == []


def test_a_registry_that_is_away_is_asked_again_until_it_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time = Turned()

    known = schemas(tmp_path, AskedRegistry(*[AWAY] * 5, V1), time.clock).of_batch(0, {1})

    assert known == {1: V1}
    waits = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(waits) == 5
    assert all("Waiting for schema 1: the schema registry does not answer" in wait for wait in waits)
    assert 0 < time.now < PATIENCE_S


def test_a_registry_that_stays_away_ends_the_run_and_nothing_is_written_down(tmp_path: Path) -> None:
    time = Turned()

    with pytest.raises(RunFailed, match="schema 1 was waited for for 10 minutes") as ended:
        schemas(tmp_path, AskedRegistry(*[AWAY] * 100), time.clock).of_batch(0, {1})

    assert time.now >= PATIENCE_S
    assert "start again: the run goes on where it stopped, and nothing is lost" in ended.value.do
    assert schemas(tmp_path, AskedRegistry(V1)).of_batch(0, {1}) == {1: V1}


def test_a_stop_is_heard_while_a_registry_is_waited_for(tmp_path: Path) -> None:
    time = Turned(then=threading.Event.set)

    with pytest.raises(LeftUndone):
        schemas(tmp_path, AskedRegistry(AWAY, AWAY), time.clock).of_batch(0, {1})


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff"])
def test_a_schema_that_was_kept_and_is_damaged_is_named(tmp_path: Path, damage: bytes) -> None:
    schemas(tmp_path, AskedRegistry(V1)).of_batch(0, {1})
    (tmp_path / "kept" / "1.avsc").write_bytes(damage)

    with pytest.raises(LakeDamaged, match="a schema that was kept is damaged") as refused:
        schemas(tmp_path, AskedRegistry())

    assert refused.value.where.endswith("1.avsc")


def test_a_note_of_what_a_batch_did_not_know_is_there_only_when_there_was_something(tmp_path: Path) -> None:
    kept = schemas(tmp_path, AskedRegistry(V1, None))

    kept.of_batch(0, {1})
    kept.of_batch(1, {2})

    [note] = (tmp_path / "notes").rglob("*.json")
    assert (note.name, json.loads(note.read_text())) == ("1.json", {"unknown": [2]})


MESSAGES = [framed(V1, an_event(), 7), framed(V1, an_event(), 70_000), b"\0\xff\xff\xff\xff", b"\0\0\0\0", b"\0", b"",
            b"{}", b"\1\0\0\0\1xx", None, framed(V1, an_event(), 7)]  # fmt: skip
NAMED = {7, 70_000, 2**32 - 1}


def test_the_schemas_that_messages_name_are_told_from_those_that_name_none() -> None:
    assert met_in(pa.chunked_array([pa.array(MESSAGES, pa.binary())])) == NAMED


def a_shop(*tables: str) -> Pipeline:
    shop = Pipeline("shop")
    raw = shop.source("events_raw", schema=DDL, format="avro")

    def rows_as_they_are(rows: DataFrame) -> DataFrame:
        """One event."""
        return rows

    for table in tables:
        shop.silver(table, reads=raw, schema="event_id STRING, referrer STRING")(rows_as_they_are)
    return shop


def test_a_table_that_is_added_reads_old_messages_by_the_schemas_that_were_kept(engine: Engine, tmp_path: Path) -> None:
    sound = [framed(V1, an_event(), 1), framed(V2, an_event(event_id="e2", referrer="/"), 2)]
    folder = an_inbox(tmp_path / "inbox", [*sound, b"\0\0\0\0\3", b"{}"])

    for tables, registry in (("first",), NumberedRegistry(V1, V2)), (("first", "second"), AskedRegistry()):
        kept = schemas(tmp_path, registry)
        run(tmp_path / "lake", engine, a_shop(*tables), Inbox(folder), schemas={"events_raw": kept})

    lake = Lake(tmp_path / "lake")
    for table in ("first", "second"):
        taken = sorted((row["event_id"], row["referrer"]) for row in rows(lake.silver(table)))
        aside = [row for row in rows(lake.quarantine("shop")) if row["table"] == f"silver/{table}"]
        assert taken == [("e1", None), ("e2", "/")]
        assert sorted((row["value"], row["rules"]) for row in aside) == [
            (b"\0\0\0\0\3", ["has a known schema"]),
            (b"{}", ["is valid Avro"]),
        ]


def test_messages_of_every_kind_are_asked_for_the_schemas_that_they_name(engine: Engine, tmp_path: Path) -> None:
    registry = NumberedRegistry(V1)
    folder = an_inbox(tmp_path / "inbox", [message for message in MESSAGES if message is not None])

    kept = schemas(tmp_path, registry)
    run(tmp_path / "lake", engine, a_shop("first"), Inbox(folder), schemas={"events_raw": kept})

    assert set(registry.asked) == NAMED
