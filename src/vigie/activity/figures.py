"""What the page of activity shows: one set of questions, asked of MongoDB's documents or of silver's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vigie.activity.accepted import collection_of
from vigie.dashboard.reading import Slice
from vigie.errors import RequestError, RunFailed

if TYPE_CHECKING:
    from pandas import DataFrame
    from pymongo import MongoClient
    from pymongo.database import Database

    from vigie.dashboard.view import View

Stage = dict[str, Any]

HALF_AN_HOUR, A_DAY = timedelta(minutes=30), timedelta(days=1)
MINUTE, LATELY = timedelta(minutes=1), timedelta(minutes=5)
TOP = 10
PATIENCE_MS = 2_000  # somebody waits for the page

EVENTS = Slice(
    "silver/user_activity",
    ("event_timestamp", "user_id", "action", "page", "is_bot"),
    by="event_timestamp",
    last=HALF_AN_HOUR,
)
CHANGES = Slice(
    "silver/recent_changes",
    ("event_timestamp", "wiki", "type", "user", "is_bot", "bytes_changed"),
    by="event_timestamp",
    last=HALF_AN_HOUR,
)
BY_DEVICE = Slice("gold/activity/devices_per_minute", ("window_start", "window_end", "device", "events"),
                  by="window_end", last=A_DAY)  # fmt: skip
BY_WIKI = Slice("gold/activity/edits_per_minute", ("window_start", "window_end", "wiki", "edits"),
                by="window_end", last=A_DAY)  # fmt: skip

CLOCK = "(SELECT max(event_timestamp) AS newest FROM accepted)"
IS_EDIT = "type IN ('edit', 'new')"
EDIT: Stage = {"$match": {"type": {"$in": ["edit", "new"]}}}
THE_MINUTE = {"$dateToString": {"format": "%Y-%m-%dT%H:%M:00Z", "date": "$event_timestamp"}}
BOT = {"$sum": {"$cond": ["$is_bot", 1, 0]}}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of accepted rows, in SQL and as an aggregation; both give the same columns, named here in order.

    In SQL the rows are called `accepted`. The stages begin with the documents of the last half hour, and are told the
    newest instant among them.
    """

    of: Slice
    sql: str
    stages: Callable[[datetime], list[Stage]]
    columns: tuple[str, ...]


def of_silver(view: View, question: Question) -> DataFrame:
    """The answer of the lake's silver tables; NotYet when there is no such table."""
    return view.ask(question.sql, accepted=question.of)


class Accepted:
    """The collections of MongoDB that silver's rows are delivered to."""

    def __init__(self, client: MongoClient[Stage]) -> None:
        self._client = client
        with answering():
            self._database: Database[Stage] = client.get_default_database()
        self.name = self._database.name

    @classmethod
    def at(cls, address: str) -> Accepted:
        from pymongo import MongoClient

        from vigie.sinks.mongo import CONNECTION

        with answering():
            return cls(MongoClient(address, tz_aware=True, **CONNECTION | {"serverSelectionTimeoutMS": PATIENCE_MS}))

    def close(self) -> None:
        self._client.close()

    def check(self) -> None:
        """RunFailed when nobody answers."""
        with answering():
            self._client.admin.command("ping")

    def ask(self, question: Question) -> DataFrame:
        """The answer of its documents; RequestError when there is none yet."""
        import pandas as pd

        name = collection_of(question.of.table.rpartition("/")[2])
        time = str(question.of.by)
        with answering():
            newest = self._database[name].find_one(sort=[(time, -1)], projection=[time])
            if newest is None:
                raise RequestError(
                    f"there is no document in the collection {name} yet",
                    where=f"MongoDB, database {self.name}",
                    do="Documents come with the run: `vigie run activity`, with VIGIE_MONGO set.",
                )
            recent = {"$match": {time: {"$gt": newest[time] - HALF_AN_HOUR}}}
            found = list(self._database[name].aggregate([recent, *question.stages(newest[time])]))
        answer = pd.DataFrame(found, columns=list(question.columns))
        return answer.assign(newest=newest[time]) if "newest" in question.columns else answer


def windows(view: View, gold: Slice, what: str) -> DataFrame:
    """The closed windows of the last day: `window_start`, `window_end`, what they are of, and their `events`."""
    counted = gold.columns[-1]
    return view.ask(
        f"SELECT window_start, window_end, {what}, {counted} AS events FROM windows ORDER BY ALL", windows=gold
    )


@contextmanager
def answering() -> Iterator[None]:
    """RunFailed when MongoDB does not answer, without its address, which may hold a password."""
    from pymongo.errors import PyMongoError

    try:
        yield
    except PyMongoError as problem:
        raise RunFailed(
            f"MongoDB does not answer: {type(problem).__name__}",
            where="VIGIE_MONGO",
            do="Look whether it runs, and at name and password. Without VIGIE_MONGO this page reads silver.",
        ) from problem


def _pulse(of: Slice, who: str, where: str = "true", *only: Stage) -> Question:
    """One row: `newest`, how many `events` there were in the last minute and in the one `before`, and of the last five
    minutes the `users`, `all_events` and `bot_events`."""
    sql = f"""
    SELECT newest, count(*) FILTER (event_timestamp > newest - INTERVAL 1 MINUTE) AS events,
        count(*) FILTER (event_timestamp <= newest - INTERVAL 1 MINUTE
            AND event_timestamp > newest - INTERVAL 2 MINUTES) AS before,
        count(DISTINCT "{who}") AS users, count(*) AS all_events, count(*) FILTER (is_bot) AS bot_events
    FROM accepted, {CLOCK} WHERE {where} AND event_timestamp > newest - INTERVAL 5 MINUTES GROUP BY newest
    """
    columns = ("newest", "events", "before", "users", "all_events", "bot_events")

    def stages(newest: datetime) -> list[Stage]:
        at = "$event_timestamp"
        now = {"$gt": [at, newest - MINUTE]}
        then = {"$and": [{"$lte": [at, newest - MINUTE]}, {"$gt": [at, newest - 2 * MINUTE]}]}
        counted = {"events": {"$sum": {"$cond": [now, 1, 0]}}, "before": {"$sum": {"$cond": [then, 1, 0]}},
                   "all_events": {"$sum": 1}, "bot_events": BOT}  # fmt: skip
        return [
            {"$match": {"event_timestamp": {"$gt": newest - LATELY}}},
            *only,
            {"$group": {"_id": f"${who}", **counted}},
            {"$group": {"_id": None, "users": {"$sum": 1}, **_sums("events", "before", "all_events", "bot_events")}},
        ]

    return Question(of, sql, stages, columns)


def _minutes(of: Slice, who: str, where: str = "true", *only: Stage) -> Question:
    """Each whole minute: its `events`, the `bot_events` among them, and how many different `users`."""
    sql = f"""
    SELECT time_bucket(INTERVAL 1 MINUTE, event_timestamp) AS minute, count(*) AS events,
        count(*) FILTER (is_bot) AS bot_events, count(DISTINCT "{who}") AS users
    FROM accepted, {CLOCK}
    WHERE {where} AND minute > newest - INTERVAL 30 MINUTES AND minute + INTERVAL 1 MINUTE <= newest
    GROUP BY minute ORDER BY minute
    """

    def stages(newest: datetime) -> list[Stage]:
        running = newest.replace(second=0, microsecond=0)
        whole = {"$gte": running - HALF_AN_HOUR + MINUTE, "$lt": running}
        return [
            {"$match": {"event_timestamp": whole}},
            *only,
            {"$group": {"_id": {"minute": THE_MINUTE, "who": f"${who}"}, "events": {"$sum": 1}, "bot_events": BOT}},
            {"$group": {"_id": "$_id.minute", "users": {"$sum": 1}, **_sums("events", "bot_events")}},
            {"$sort": {"_id": 1}},
            {"$project": {"minute": {"$toDate": "$_id"}, "events": 1, "bot_events": 1, "users": 1}},
        ]

    return Question(of, sql, stages, ("minute", "events", "bot_events", "users"))


def _by(of: Slice, what: str, who: str, top: int) -> Question:
    """What there is most of in the last half hour: `events`, `bot_events` among them, and how many `users`."""
    sql = f"""
    SELECT {what}, count(*) AS events, count(*) FILTER (is_bot) AS bot_events, count(DISTINCT "{who}") AS users
    FROM accepted GROUP BY {what} ORDER BY events DESC, {what} LIMIT {top}
    """

    def stages(_newest: datetime) -> list[Stage]:
        return [
            {"$group": {"_id": {"what": f"${what}", "who": f"${who}"}, "events": {"$sum": 1}, "bot_events": BOT}},
            {"$group": {"_id": "$_id.what", "users": {"$sum": 1}, **_sums("events", "bot_events")}},
            {"$sort": {"events": -1, "_id": 1}},
            {"$limit": top},
            {"$project": {what: "$_id", "events": 1, "bot_events": 1, "users": 1}},
        ]

    return Question(of, sql, stages, (what, "events", "bot_events", "users"))


def _wikis(top: int) -> Question:
    """The wikis with the most edits in the last half hour: `edits`, `bot_edits` among them, how many different `users`
    made them, and the `bytes_changed`."""
    sql = f"""
    SELECT wiki, count(*) AS edits, count(*) FILTER (is_bot) AS bot_edits, count(DISTINCT "user") AS users,
        coalesce(sum(bytes_changed), 0)::BIGINT AS bytes_changed
    FROM accepted WHERE {IS_EDIT} GROUP BY wiki ORDER BY edits DESC, wiki LIMIT {top}
    """
    made = {"edits": {"$sum": 1}, "bot_edits": BOT, "bytes_changed": {"$sum": "$bytes_changed"}}

    def stages(_newest: datetime) -> list[Stage]:
        return [
            EDIT,
            {"$group": {"_id": {"wiki": "$wiki", "who": "$user"}, **made}},
            {"$group": {"_id": "$_id.wiki", "users": {"$sum": 1}, **_sums(*made)}},
            {"$sort": {"edits": -1, "_id": 1}},
            {"$limit": top},
            {"$project": {"wiki": "$_id", "users": 1, **dict.fromkeys(made, 1)}},
        ]

    return Question(CHANGES, sql, stages, ("wiki", "edits", "bot_edits", "users", "bytes_changed"))


def _sums(*names: str) -> Stage:
    return {name: {"$sum": f"${name}"} for name in names}


USERS_NOW = _pulse(EVENTS, "user_id")
EDITS_NOW = _pulse(CHANGES, "user", IS_EDIT, EDIT)
EVENTS_BY_MINUTE = _minutes(EVENTS, "user_id")
EDITS_BY_MINUTE = _minutes(CHANGES, "user", IS_EDIT, EDIT)
ACTIONS = _by(EVENTS, "action", "user_id", 2 * TOP)
PAGES = _by(EVENTS, "page", "user_id", TOP)
WIKIS = _wikis(TOP)
