"""The sink for MongoDB beside a bare loop of pymongo over the same documents, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import SecretStr
from pymongo import MongoClient, WriteConcern
from rich.console import Console
from rich.table import Table

from bench.speed import keep
from tests.servers.mongodb import a_server
from vigie.contracts import Surroundings
from vigie.settings import Settings, read_settings
from vigie.sinks.mongo import Mongo

if TYPE_CHECKING:
    from pymongo.collection import Collection

LEAST = 0.7
AT_ONCE = 10_000  # as many as a sink is given together
WARM_UP = 20_000
USERS, SESSIONS, PAGES = 5_000, 40_000, 200
BEGAN = datetime(2025, 6, 1, tzinfo=UTC)

Document = dict[str, Any]


def mongo(rows: int, rounds: int) -> int:
    """Print how many documents a second each writes; 1 when the sink is not nearly as fast as the bare loop.

    They go to VIGIE_MONGO when it is set, to collections of their own, and else to a stand-in with a memory alone.
    """
    runs: list[tuple[str, float]] = []
    documents = [an_event(number) for number in range(rows)]
    table = pa.Table.from_pylist(documents)
    with _address() as address, MongoClient[Document](address) as client:
        database = client.get_default_database(write_concern=WriteConcern("majority"))
        around = Surroundings(Settings(mongo=SecretStr(address)))
        bare, own = database["vigie_bench_bare"], database["vigie_bench_sink"]
        sink = Mongo(own.name, id="event_id").opened(around)
        _timed(bare, lambda: by_hand(bare, documents[:WARM_UP]), min(rows, WARM_UP))
        _timed(own, lambda: sink.write(table.slice(0, WARM_UP).to_reader(AT_ONCE), 0), min(rows, WARM_UP))
        for turn in range(rounds):
            runs.append(("pymongo alone", rows / _timed(bare, lambda: by_hand(bare, documents), rows)))
            runs.append(("Mongo()", rows / _timed(own, partial(sink.write, table.to_reader(AT_ONCE), turn), rows)))
    return _report(rows, runs)


def an_event(number: int) -> Document:
    """One row of silver/user_activity, the same on every machine."""
    return {
        "event_id": f"0198c0de-{number:08x}-7abc-8def-{number * 2_654_435_761 % 2**48:012x}",
        "user_id": f"user-{number * 7919 % USERS:05}",
        "session_id": f"session-{number * 104_729 % SESSIONS:08}",
        "event_timestamp": BEGAN + timedelta(milliseconds=number),
        "action": ("view", "click", "scroll", "search", "purchase")[number % 5],
        "page": f"/products/{number * 31 % PAGES}",
        "device": ("mobile", "desktop", "tablet")[number % 3],
        "is_bot": number % 20 == 0,
        "schema_version": 1 + number % 2,
    }


def by_hand(collection: Collection[Document], documents: list[Document]) -> None:
    for start in range(0, len(documents), AT_ONCE):
        collection.insert_many(
            [{"_id": each["event_id"], **each} for each in documents[start : start + AT_ONCE]], ordered=False
        )


def _timed(collection: Collection[Document], write: Callable[[], None], rows: int) -> float:
    """Seconds until as many documents are in a collection that was empty."""
    collection.drop()
    began = time.monotonic()
    write()
    seconds = time.monotonic() - began
    held = collection.count_documents({})
    collection.drop()  # or the next turn would share the server's memory with it
    if held != rows:
        raise SystemExit(f"{collection.name} holds {held:,} documents, and not {rows:,}")
    return seconds


@contextmanager
def _address() -> Iterator[str]:
    chosen = read_settings().mongo
    if chosen is not None:
        yield chosen.get_secret_value()
    else:
        with a_server() as server:
            yield server.address


def _report(rows: int, runs: list[tuple[str, float]]) -> int:
    table = Table("", "documents/s", title=f"{rows:,} documents to MongoDB")
    for who, rate in runs:
        table.add_row(who, f"{rate:,.0f}")
    Console().print(table)
    bare, sink = ([rate for who, rate in runs if who == name] for name in ("pymongo alone", "Mongo()"))
    ratio = statistics.median(own / alone for own, alone in zip(sink, bare, strict=True))
    print(f"Mongo() writes {ratio:.2f} times as many as pymongo alone (median); it must be {LEAST:g} at least.")
    keep(f"mongo-{rows}", {"documents": rows, "ratio": ratio, "bare": bare, "sink": sink})
    return 1 if ratio < LEAST else 0
