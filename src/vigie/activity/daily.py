"""The statistics of one day: counted from accepted events, and kept in a row that a second run of that day replaces.

    python -m vigie.activity.daily 2026-11-20 --lake ./lake

A day that the pipeline has not read to its end is refused: half a day's figures look like a whole day's.
They are MongoDB's where VIGIE_MONGO names one, else silver's. One question is asked of both, by DuckDB, so
that what is counted does not hang on where it lies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

from vigie.activity.accepted import collection_of
from vigie.activity.finished import refuse_unfinished
from vigie.errors import RequestError, RunFailed, VigieError
from vigie.lake import Lake, is_table, opened, reading
from vigie.settings import read_settings

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pymongo.database import Database

TABLE = "activity/daily_statistics"
TRIES = 3  # its files may be put together in that moment
AT_ONCE = 50_000  # documents
INSTANT = pa.timestamp("us", "UTC")

# What the question needs of each table, and what the table is called in it.
NEEDED = {
    "user_activity": pa.schema(
        {"event_timestamp": INSTANT, "user_id": pa.string(), "session_id": pa.string(), "page": pa.string(),
         "is_bot": pa.bool_()}
    ),
    "recent_changes": pa.schema(
        {"event_timestamp": INSTANT, "wiki": pa.string(), "type": pa.string(), "user": pa.string(),
         "is_bot": pa.bool_(), "bytes_changed": pa.int64()}
    ),
}  # fmt: skip

# Its columns are the table's, in this order.
QUESTION = """
SELECT $day::DATE AS day, $origin::TEXT AS origin, users.*, wikis.* FROM (
    SELECT
        count(*) AS events,
        count(DISTINCT user_id) AS users,
        count(DISTINCT session_id) AS sessions,
        count(*) FILTER (is_bot) AS bot_events,
        count(DISTINCT user_id) FILTER (is_bot) AS bots,
        (SELECT page FROM user_activity GROUP BY page ORDER BY count(*) DESC, page LIMIT 1) AS busiest_page,
        (SELECT hour(event_timestamp) FROM user_activity GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 1) AS busiest_hour
    FROM user_activity
) AS users, (
    SELECT
        count(*) AS changes,
        count(*) FILTER (type IN ('edit', 'new')) AS edits,
        count(*) FILTER (type IN ('edit', 'new') AND is_bot) AS bot_edits,
        count(DISTINCT "user") FILTER (type IN ('edit', 'new')) AS editors,
        count(DISTINCT wiki) AS wikis,
        coalesce(sum(bytes_changed), 0)::BIGINT AS bytes_changed
    FROM recent_changes
) AS wikis
"""


def of_silver(lake: Lake, day: date) -> pa.Table:
    """The statistics of a day, from the rows that silver accepted."""
    start, end = _bounds(day)
    that_day = (pc.field("event_timestamp") >= start) & (pc.field("event_timestamp") < end)
    with _database() as database:
        for name, schema in NEEDED.items():
            path = _silver(lake, name)
            with reading(path):
                rows = opened(path).to_pyarrow_dataset().scanner(schema.names, filter=that_day).to_reader()
                database.register("rows", rows)
                database.execute(f"CREATE TABLE {name} AS FROM rows")
        return _counted(database, day, "silver")


def newest_of_silver(lake: Lake, day: date) -> dict[str, datetime | None]:
    """The newest event of each table; files whose events all lie before the end of the day are read only when no
    other is there."""
    _, end = _bounds(day)
    found = {}
    for name in NEEDED:
        path = _silver(lake, name)
        with reading(path):
            rows = opened(path).to_pyarrow_dataset()
            of_later = rows.to_table(["event_timestamp"], filter=pc.field("event_timestamp") >= end)
            times = of_later if of_later.num_rows else rows.to_table(["event_timestamp"])
        found[name] = pc.max(times["event_timestamp"]).as_py()
    return found


def _silver(lake: Lake, name: str) -> Path:
    path = lake.silver(name)
    if not is_table(path):
        raise RequestError(
            f"there is no table silver/{name} yet", where=str(path), do="Make it: vigie run activity --once"
        )
    return path


def of_mongo(address: SecretStr, day: date) -> pa.Table:
    """The statistics of a day, from the documents of what silver accepted."""
    start, end = _bounds(day)
    with _database() as database, _accepted(address) as there:
        for name, schema in NEEDED.items():
            documents = there[collection_of(name)].find(
                {"event_timestamp": {"$gte": start, "$lt": end}},
                {"_id": False} | dict.fromkeys(schema.names, True),
            )
            _taken(database, name, documents, schema)
        return _counted(database, day, "mongodb")


def newest_of_mongo(address: SecretStr) -> dict[str, datetime | None]:
    """The newest event of each collection, by its index. Deliveries follow silver in its order."""
    with _accepted(address) as there:
        newest = {name: there[collection_of(name)].find_one(sort=[("event_timestamp", -1)]) for name in NEEDED}
    return {name: None if document is None else document["event_timestamp"] for name, document in newest.items()}


@contextmanager
def _accepted(address: SecretStr) -> Iterator[Database[dict[str, Any]]]:
    """The database that deliveries fill; RunFailed when it does not answer, without its address."""
    from pymongo import MongoClient, errors

    from vigie.sinks.mongo import CONNECTION, check

    check(address)
    try:
        with MongoClient[dict[str, Any]](address.get_secret_value(), tz_aware=True, **CONNECTION) as client:
            there = client.get_default_database()
            for collection in map(collection_of, NEEDED):
                if collection not in there.list_collection_names():
                    raise RequestError(
                        f"there is no collection {collection} yet",
                        where=f"database {there.name} of VIGIE_MONGO",
                        do="Make it: vigie run activity, with VIGIE_MONGO set.",
                    )
            yield there
    except errors.PyMongoError as problem:
        raise RunFailed(
            f"MongoDB does not answer: {type(problem).__name__}",
            where="VIGIE_MONGO",
            do="Look whether it runs, and at name and password; then run the day again.",
        ) from problem


def keep(lake: Lake, statistics: pa.Table) -> None:
    """Put a day's row into the table, in place of the one that is there."""
    path = lake.gold(TABLE)
    for _ in range(TRIES - 1):
        with suppress(CommitFailedError):
            return _replace(path, statistics)
    try:
        return _replace(path, statistics)
    except CommitFailedError as problem:
        raise RunFailed(
            "others wrote the table at the same time, again and again", where=str(path), do="Run the day again."
        ) from problem


def _replace(path: Path, statistics: pa.Table) -> None:
    if not is_table(path):
        write_deltalake(str(path), statistics, mode="error")
        return
    table = opened(path)
    held = table.to_pyarrow_table()
    others = held.filter(pc.field("day") != statistics["day"][0])
    days = pa.concat_tables([others, statistics.cast(held.schema)]).sort_by("day")
    if days != held.sort_by("day"):
        write_deltalake(table, days, mode="overwrite")


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("LOAD icu")  # it is inside DuckDB's wheel; without it there are no time zones
        database.execute("SET TimeZone = 'UTC'")
        yield database


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)


def _taken(
    database: duckdb.DuckDBPyConnection, name: str, documents: Iterator[dict[str, Any]], schema: pa.Schema
) -> None:
    database.register("rows", schema.empty_table())
    database.execute(f"CREATE TABLE {name} AS FROM rows")
    while some := list(islice(documents, AT_ONCE)):
        database.register("rows", pa.Table.from_pylist(some, schema))
        database.execute(f"INSERT INTO {name} FROM rows")


def _counted(database: duckdb.DuckDBPyConnection, day: date, origin: str) -> pa.Table:
    return database.sql(QUESTION, params={"day": day, "origin": origin}).to_arrow_table()


def _has_begun(day: date) -> None:
    """RequestError for a day of the future."""
    today = datetime.now(UTC).date()
    if day > today:
        raise RequestError(f"{day} has not begun: in UTC it is {today}", do="Name a day that is over, as yesterday.")


def main(words: list[str]) -> int:
    """What a person or a scheduler types; the exit code."""
    asked = argparse.ArgumentParser(prog="python -m vigie.activity.daily", description="The statistics of one day.")
    asked.add_argument("day", type=date.fromisoformat, metavar="DAY", help="a day in UTC, for example 2026-11-20")
    asked.add_argument("--lake", help="the lake's folder; ./lake, or VIGIE_LAKE, unless said")
    asked.add_argument("--unfinished", action="store_true", help="count it though not all of it was read yet")
    said = asked.parse_args(words)
    try:
        _has_begun(said.day)
        settings = read_settings()
        lake = Lake.at(said.lake or settings.lake)
        if not said.unfinished:
            newest = newest_of_mongo(settings.mongo) if settings.mongo else newest_of_silver(lake, said.day)
            refuse_unfinished(said.day, _bounds(said.day)[1], newest)
        statistics = of_mongo(settings.mongo, said.day) if settings.mongo else of_silver(lake, said.day)
        keep(lake, statistics)
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code
    [row] = statistics.to_pylist()
    sys.stdout.write("".join(f"{name:>14}  {value}\n" for name, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
