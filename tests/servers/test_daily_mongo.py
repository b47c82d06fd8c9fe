"""A day's statistics out of what was accepted, on the stand-in for MongoDB: the same figures as out of silver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from tests.activity import days
from tests.servers.mongodb import Server, a_server
from vigie.activity import daily
from vigie.errors import RequestError, RunFailed
from vigie.lake import Lake, rows
from vigie.sinks.documents import documents


@pytest.fixture(scope="module")
def mongo() -> Iterator[Server]:
    with a_server() as server:
        yield server


def filled(server: Server, **frames: pl.DataFrame) -> SecretStr:
    """The database with these rows as Mongo() delivers them, a document each; its address."""
    server.clear()
    with MongoClient[dict[str, Any]](server.address) as client:
        for name, frame in frames.items():
            for batch in frame.to_arrow().to_batches():
                client.get_default_database()[f"accepted_{name}"].insert_many(documents(batch, ("event_id",)))
    return SecretStr(server.address)


def test_mongodb_and_silver_come_to_the_same(mongo: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activity, wikis = days.random_events(3_000, 3, seed=1), days.random_changes(2_000, 3, seed=1)
    lake = days.kept(Lake.at(tmp_path), activity, wikis)
    later = days.after(2)
    address = filled(mongo, user_activity=pl.concat([activity, later[0]]), recent_changes=pl.concat([wikis, later[1]]))
    monkeypatch.setattr(daily, "AT_ONCE", 300)
    monkeypatch.setenv("VIGIE_MONGO", address.get_secret_value())

    of_silver = [daily.of_silver(lake, days.day(number)).to_pylist()[0] for number in range(3)]
    codes = [daily.main([str(days.day(number)), "--lake", str(lake)]) for number in range(3)]

    assert codes == [0, 0, 0]
    assert of_silver[1]["events"] > 500
    assert rows(lake.gold(daily.TABLE)) == [row | {"origin": "mongodb"} for row in of_silver]


def test_a_day_that_has_not_come_to_mongodb_whole_is_refused(
    mongo: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = days.kept(Lake.at(tmp_path), *days.after(1))
    address = filled(mongo, user_activity=days.after(1)[0], recent_changes=days.changes(days.a_change()))
    monkeypatch.setenv("VIGIE_MONGO", address.get_secret_value())

    codes = [daily.main([str(days.day(1)), "--lake", str(lake), *more]) for more in ([], ["--unfinished"])]

    assert codes == [2, 0]
    assert "recent_changes up to 2026-03-28 11:50:00 UTC" in capsys.readouterr().err


def test_a_mongodb_without_the_collections_says_what_makes_them(mongo: Server) -> None:
    address = filled(mongo, user_activity=days.random_events(10, 1, seed=1))

    with pytest.raises(RequestError, match="no collection accepted_recent_changes yet.*database lake") as problem:
        daily.of_mongo(address, days.day(0))

    assert problem.value.do == "Make it: vigie run activity, with VIGIE_MONGO set."


def test_a_mongodb_that_is_away_is_named_without_its_address() -> None:
    address = SecretStr("mongodb://ada:a-secret@127.0.0.1:9/lake?serverSelectionTimeoutMS=300")

    with pytest.raises(RunFailed, match="MongoDB does not answer: ServerSelectionTimeoutError") as problem:
        daily.of_mongo(address, days.day(0))

    assert "secret" not in str(problem.value)
