"""The schemas by which a delivery reads bronze: never guessed while they are asked for, and the same a second time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from tests.avro.messages import DDL, V1, V2, an_event, framed
from tests.rows import a_table
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.ingest.avro_schemas import FollowedSchemas
from vigie.core.ledger import Ledger
from vigie.core.notes import JsonNotes
from vigie.disk import write_whole
from vigie.graph import Place, Source
from vigie.lake import Lake
from vigie.sinks import NotNow

SOURCE = Source("events_raw", DDL, "user_id", Place("shop.py", 1), format="avro")


class ALake:
    """A lake in which the source has been read so far."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake.at(folder)
        self._ledger = Ledger(self.lake.ledger("shop"), "shop", "embedded")

    def keep(self, number: int, text: str) -> None:
        write_whole(self.lake.schemas("shop", SOURCE.name) / f"{number}.avsc", text)

    def done(self, batch: int) -> None:
        self._ledger.write([], Stamp(SOURCE.name, batch))

    def followed(self, source: Source = SOURCE) -> FollowedSchemas:
        notes = JsonNotes(self.lake.notes("shop") / "events_raw-to-mongomessages-0" / "schemas")
        done = partial(tables.last_batch, self.lake.ledger("shop"), SOURCE.name)
        return FollowedSchemas(source, self.lake.schemas("shop", source.name), notes, done)


@pytest.fixture
def a_lake(tmp_path: Path) -> ALake:
    return ALake(tmp_path)


def bronze(*rows: tuple[int, int | None]) -> pa.Table:
    """A message of each schema, in each batch; one that names none is broken."""
    messages = [("t", b"broken" if number is None else framed(V1, an_event(), number), batch) for batch, number in rows]
    return a_table("topic STRING, value BINARY, batch BIGINT", *messages)


def test_schemas_that_the_lake_keeps_are_those_of_a_batch(a_lake: ALake) -> None:
    a_lake.keep(1, V1)
    followed = a_lake.followed()
    first = followed(bronze((0, 1), (0, None)), 0)
    a_lake.keep(2, V2)

    second = followed(bronze((1, 2)), 1)

    assert (first, second) == ({1: V1}, {1: V1, 2: V2})


def test_a_schema_that_is_still_being_asked_for_is_waited_for(a_lake: ALake) -> None:
    followed = a_lake.followed()
    a_lake.done(2)

    with pytest.raises(NotNow, match="schema 7 is still being asked for"):
        followed(bronze((3, 7)), 0)

    a_lake.keep(7, V1)
    assert followed(bronze((3, 7)), 0) == {7: V1}


def test_a_schema_that_is_not_to_be_had_stays_unknown_to_its_batch(a_lake: ALake) -> None:
    a_lake.done(3)
    assert a_lake.followed()(bronze((3, 7)), 0) == {}

    a_lake.keep(7, V1)

    assert a_lake.followed()(bronze((3, 7)), 0) == {}, "it is read a second time, after a crash"
    assert a_lake.followed()(bronze((4, 7)), 1) == {7: V1}


def test_lines_are_json_and_so_is_a_source_that_says_so(a_lake: ALake) -> None:
    lines = a_table("file STRING, value BINARY", ("a.jsonl", b"{}"))
    of_json = Source("events_raw", DDL, "user_id", Place("shop.py", 1))

    assert a_lake.followed()(lines, 0) is None
    assert a_lake.followed(of_json)(bronze((0, 1)), 0) is None
