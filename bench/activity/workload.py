"""What is measured with activity, and what both programs must make of the events."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pyarrow as pa
from polars.testing import assert_frame_equal
from pymongo import MongoClient

from bench.activity.handwritten import BRONZE, DEVICES, PER_MINUTE, SESSIONS, SILVER, TOP_PAGES
from bench.activity.messages import SCHEMA, SCHEMA_ID, events, messages
from bench.activity.pipeline import COLLECTION
from bench.comparison import must_hold, same_rows, same_windows
from bench.programs import Limit, Program
from bench.speed import broker, keep, ran
from bench.workload import Workload
from tests.servers.mongodb import a_server
from tests.servers.registry import a_registry

SAID = """SELECT DISTINCT ON (said ->> 'event_id') said ->> 'event_id' AS event_id, said ->> 'user_id' AS user_id,
    said ->> 'action' AS action, said ->> 'page' AS page,
    CAST(said ->> 'timestamp' AS TIMESTAMPTZ) AS moment FROM (SELECT CAST(value AS JSON) AS said FROM sent)"""
COUNTED = """SELECT * FROM (
        SELECT time_bucket(INTERVAL 1 MINUTE, moment) AS window_start, action, page, count(*) AS events,
            count(DISTINCT user_id) AS distinct_users FROM said GROUP BY ALL)
    WHERE window_start + INTERVAL 11 MINUTE <= (SELECT max(moment) FROM said) ORDER BY window_start, action, page"""


def compare(lakes: Sequence[Path], rows: int) -> None:
    """SystemExit, or what an assertion does, unless the newest lake holds what DuckDB makes of the messages, and both
    programs made the same tables."""
    is_right(lakes[-1], rows)
    if len(lakes) < 2:
        return
    by_hand, ours = lakes
    same_rows(lakes, SILVER)
    same_windows(lakes, PER_MINUTE, by=["action", "page"])
    same_windows(lakes, DEVICES, by=["device"])
    same_windows(lakes, TOP_PAGES, by=["rank"])
    _same_sessions(by_hand, ours)


def is_right(lake: Path, rows: int) -> tuple[int, int]:
    """Raise unless a lake holds what DuckDB makes of the JSON from which the messages were framed; how many events
    those are, and of how many users."""
    sent = pa.table({"value": pa.array([value.decode() for _, value in events(rows)])})
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("sent", sent)
        database.execute(f"CREATE TABLE said AS {SAID}")
        [(different, users)] = database.execute("SELECT count(*), count(DISTINCT user_id) FROM said").fetchall()
        counted = pl.DataFrame(database.sql(COUNTED).to_arrow_table())
    must_hold(lake, BRONZE, rows)
    must_hold(lake, SILVER, different)
    made = pl.read_delta(str(lake / PER_MINUTE)).sort("window_start", "action", "page")
    assert_frame_equal(made.select(counted.columns), counted, check_dtypes=False)
    return different, users


def _same_sessions(by_hand: Path, ours: Path) -> None:
    """Raise unless the sessions are the same. Of one that is longer than an hour Vigie tells the end alone."""
    hand, own = (pl.read_delta(str(lake / SESSIONS)).sort("session_id", "event_timestamp") for lake in (by_hand, ours))
    whole = own.filter("is_whole").drop("is_whole")
    if whole.is_empty():
        raise SystemExit(f"{SESSIONS} is empty: there are too few messages for a session to be over")
    assert_frame_equal(hand.join(own, on=["session_id", "event_timestamp"], how="anti"), hand.clear())
    both = hand.join(whole, on=["session_id", "event_timestamp"], how="semi").select(whole.columns)
    assert_frame_equal(both, whole)


@contextmanager
def registry() -> Iterator[None]:
    """A schema registry that knows the schema of the messages by the number that is in them."""
    with a_registry() as server:
        if (given := server.put("user-activity-value", SCHEMA)) != SCHEMA_ID:
            raise SystemExit(f"the registry calls its first schema {given}, and the messages call it {SCHEMA_ID}")
        os.environ["VIGIE_REGISTRY"] = server.url
        yield


def delivered(rows: int) -> int:
    """Vigie alone, with a MongoDB beside it: print how long it took; SystemExit unless all of it is right there too."""
    with broker() as kafka, registry(), a_server() as mongo, TemporaryDirectory(prefix="vigie-bench-") as folder:
        topic = ACTIVITY.loaded(kafka, rows)
        os.environ["VIGIE_MONGO"] = mongo.address
        outcome = ran("vigie", ACTIVITY.vigie, (kafka.servers, topic), rows, Path(folder))
        different, users = is_right(Path(folder), rows)
        with MongoClient[dict[str, object]](mongo.address) as client:
            documents = client.get_default_database()[COLLECTION]
            held = documents.count_documents({}), len(documents.distinct("user_id"))
    if held != (different, users):
        raise SystemExit(f"MongoDB holds {held} events and users, and should hold {different, users}")
    print(f"{rows:,} messages are {different:,} events of {users:,} users, in silver and in MongoDB")
    keep(f"delivered-{rows}", {"rows": rows, "run": asdict(outcome)})
    return 0


PROGRAMS = (
    Program("pyspark", "PySpark by hand", "bench.activity.handwritten"),
    Program("vigie", "Vigie", "bench.activity.pipeline"),
)
ACTIVITY = Workload(
    "activity",
    1_000_000,
    "user-activity-{}".format,
    messages,
    PROGRAMS,
    (Limit(("pyspark",), 3.0),),
    compare,
    registry,
)
