"""A watch at work: it follows a silver table commit by commit, and writes down which alerts open and close.

It needs no Spark. What it does with a version of silver follows from the versions up to it alone: after a crash it
starts from its last note, reads the past from silver again, and finds the same alerts under the same ids.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vigie.alerts import ALERTS, CLOSED, EVENTS, INSTANT, OPENED, Alert, Event, alert_id, standing, table_of
from vigie.core.alerts.alert_log import AlertLog
from vigie.core.alerts.alert_table import AlertTable
from vigie.core.alerts.history import PLACE, Past
from vigie.core.alerts.suppression import QuietTimes
from vigie.core.alerts.unsent import watch_name
from vigie.core.delta import changes, tables
from vigie.core.delta.tables import Stamp
from vigie.detectors import Silent, judging
from vigie.detectors.judgement import Judgement
from vigie.detectors.judging import Turn
from vigie.disk import write_whole
from vigie.duration import parse_duration
from vigie.errors import BadDeclaration
from vigie.graph import Gold, Graph, Rule, Watch
from vigie.instants import MICROSECOND, instant, micros
from vigie.lake import Lake, opened, quoted
from vigie.oneline import on_one_line

KEY = pa.schema([("key", pa.string())])
MOST_ROWS = 500_000  # of silver that are judged at once


@dataclass(frozen=True, slots=True)
class Teller:
    """Who is told what a watch does: the name of each commit once it stands, and each alert that opens or closes."""

    committed: Callable[[str], None] = lambda _name: None
    alert: Callable[[Event], None] = lambda _event: None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at silver came to."""

    rows: int
    overtaken: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Readings that are judged at once: what a version of silver brought, or of that version what is up to a moment.
    `received` is when the newest of them was, and `floor` what every later one is told to be late by, in microseconds
    after 1970, where these are known."""

    stamp: Stamp
    version: int
    read_to: int | None
    rows: pa.Table
    received: int | None = None
    floor: int | None = None


class Watchman:
    """One watch of a pipeline in a lake."""

    def __init__(
        self,
        lake: Lake,
        graph: Graph,
        watch: Watch,
        teller: Teller | None = None,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._graph = graph
        self._watched = graph.read_by(watch)
        self._time = str(graph.silver_of(watch).event_time)
        self._is_in_order = isinstance(self._watched, Gold)  # what closes together stands in no order of its own
        self.name = watch_name(self._watched.name, watch)
        self._path = lake.path(self._watched.table)
        self._events = lake.alert_events(graph.name)
        self._alerts = lake.alerts(graph.name)
        self._note = lake.checkpoint(graph.name, self.name) / "note.json"
        self._watch = watch
        self._rules = {rule.name: rule for rule in watch.rules}
        self._judgements: dict[str, Judgement] = {
            rule.name: judgement for rule in watch.rules if (judgement := rule.detector.judgement) is not None
        }
        self._silences = [(rule, rule.detector.span) for rule in watch.rules if isinstance(rule.detector, Silent)]
        self._quiet = QuietTimes(lake.silver(graph.silver_of(watch.quiet).name), watch.quiet) if watch.quiet else None
        self._teller = teller or Teller()
        self._most_rows = most_rows
        self._waiting: deque[_Part] = deque()
        self._table = AlertTable(self._alerts, lambda: self._teller.committed(f"{self.name} alerts"))
        self._begin()

    def _begin(self) -> None:
        tables.ensure(self._events, EVENTS, "alert_events", self._graph.name)
        tables.ensure(self._alerts, ALERTS, "alerts", self._graph.name)
        self._received: int | None = None  # when the newest reading was, by the wall's clock
        self._floor: int | None = None
        self.version, self._read_to = self._noted()
        log = AlertLog(self._events, self.name)
        self._ahead = log.newest_version()
        self._open = {(alert.rule, alert.key): alert for alert in log.open_at(self.version, self._read_to)}
        self._table.restore(log.standing())
        # From the oldest row that silver may still take.
        span = self._looks_back() + parse_duration(str(self._watched.late_by))
        self._past = Past(self._schema(), span, self._path, self._watch.key, self._time)
        if self.version >= 0:
            self._past.recall(self.version, self._read_to, self._floor)
            self._write(list(self._abandoned()), None)

    def _abandoned(self) -> Iterator[Event]:
        """The ends of what is open of rules that are no longer declared: nothing would ever close it."""
        for rule, key in [name for name in self._open if name[0] not in self._rules]:
            yield self._closed(rule, key, self._past.newest or 0, self.version)

    def _noted(self) -> tuple[int, int | None]:
        """How far it has come: to the end of a version of silver, or, in that version, to a moment.

        The first time it follows silver from its first version. Where that can no longer be read, it takes silver as
        it is now, in the order of time.
        """
        if self._note.exists():
            note = json.loads(self._note.read_text())
            changes.check(self._path, note["silver_version"])
            self._received, self._floor = note.get("received"), note.get("floor")
            return note["silver_version"], note.get("read_to")
        if changes.follows(self._path, -1):
            return -1, None
        return self._write_note(tables.version(self._path), changes.EARLIEST)

    def _write_note(self, version: int, read_to: int | None) -> tuple[int, int | None]:
        note = {"silver": self._watched.name, "silver_version": version}
        known = {"read_to": read_to, "received": self._received, "floor": self._floor}
        write_whole(self._note, json.dumps(note | {name: at for name, at in known.items() if at is not None}))
        return version, read_to

    def unheard(self, now: datetime) -> timedelta:
        """How long ago the newest reading was received by the broker or the folder that we read."""
        if self._received is None:
            return timedelta()
        return max(timedelta(), timedelta(microseconds=micros(now) - self._received))

    def _looks_back(self) -> timedelta:
        """As far as any rule does."""
        return max((judgement.looks_back for judgement in self._judgements.values()), default=timedelta())

    def _schema(self) -> pa.Schema:
        there = pa.schema(opened(self._path).schema().to_arrow())
        columns = dict.fromkeys(name for rule in self._watch.rules for name in rule.detector.columns)
        if self._watch.quiet is not None:
            columns[self._watch.quiet.on] = None
        if missing := [name for name in (self._watch.key, self._time, *columns) if name not in there.names]:
            raise BadDeclaration(
                f"'{self._watched.table}' is watched, and has no {', '.join(missing)}",
                where=str(self._watch.place),
                do=f"It has: {', '.join(there.names)}.",
            )
        own = [(name, there.field(name).type) for name in columns]
        return pa.schema([("key", pa.string()), ("moment", pa.int64()), *own])

    def look(self) -> Look | None:
        """Judge what silver has gained since the last look; none when it gained nothing."""
        if not self._waiting:
            self._waiting.extend(self._parts())
        if not self._waiting:
            self._table.put_what_is_due()
            return None
        part = self._waiting.popleft()
        overtaken, events, newest = 0, list[Event](), self._past.newest
        for rows in self._past.rounds(part.rows, are_ordered=not self._is_in_order):
            overtaken += self._past.arrived(rows)
            events += self._judged(rows, part.version)
            self._past.remember(rows)
        events += self._raised(part.version) if part.rows.num_rows else []
        self._write(events, part.stamp)
        if self._past.newest != newest:
            now = micros(datetime.now(UTC))
            self._received = now if part.received is None else min(part.received, now)
        if (floor := newest if part.floor is None else part.floor) is not None:
            self._past.forget(floor)
        self._floor = part.floor
        self.version, self._read_to = self._write_note(part.version, part.read_to)
        self._teller.committed(f"{self.name} note")
        return Look(part.rows.num_rows, overtaken, tuple(events))

    def _parts(self) -> Iterator[_Part]:
        if self._read_to is not None:
            yield from self._of_the_start(self._read_to)
            return
        until = self._ahead if self._ahead > self.version else None
        gain = changes.gained(self._path, self.version, self._most_rows, until)
        if gain is None:
            return
        commits = [(version, rows) for version, rows in self._read(gain) if len(rows)]
        newest = [(pc.max(rows["moment"]).as_py(), -version) for version, rows in commits]
        received = gain.received[-max(newest)[1]] if newest else None  # of the first that brought the newest
        rows = pa.concat_tables([self._none(), *(rows for _, rows in commits)])
        yield _Part(Stamp(self.name, gain.version), gain.version, None, rows, received, gain.floor)

    def _of_the_start(self, read_to: int) -> Iterator[_Part]:
        """The next readings, in the order of time, of what silver held when the watch was first set up."""
        app = f"{self.name} start"
        ahead = tables.last_batch(self._events, app) + changes.EARLIEST
        until = ahead if ahead > read_to else self._past.next_moment(self.version, read_to, self._most_rows)
        if until is None:
            yield _Part(Stamp(app, 0), self.version, None, self._none())
        else:
            rows = self._past.between(self.version, read_to, until).sort_by("moment")
            yield _Part(Stamp(app, until - changes.EARLIEST), self.version, until, rows)

    def _none(self) -> pa.Table:
        return self._past.schema.empty_table()

    def catch_up(self, stop: threading.Event) -> None:
        """Judge all that silver holds, and who is silent at the end of it."""
        while not stop.is_set():
            if self.look() is None:
                self.silences()
                break
        self.put_all()

    def is_anybody_silent(self, ahead: timedelta) -> bool:
        """Whether `silences` would look at anything: somebody is silent of whom that is not known, or an alert that
        was marked waits for what was going on to be over."""
        if self._past.newest is None:
            return False
        now = self._past.newest + ahead // MICROSECOND
        marked = any(alert.suppressed_by is not None for alert in self._open.values())
        return marked or any(self._unknown(rule, span, now) for rule, span in self._silences)

    def silences(self, ahead: timedelta = timedelta()) -> tuple[Event, ...]:
        """The keys that have been silent for too long, when so much time has gone by since the newest reading."""
        if self._past.newest is None:
            return ()
        now = self._past.newest + ahead // MICROSECOND
        events = [event for rule, span in self._silences for event in self._silent(rule, span, now)]
        events += self._raised(self.version, ahead)
        self._write(events, None)
        return tuple(events)

    def _read(self, gain: changes.Gain) -> list[tuple[int, pa.Table]]:
        own = self._past.schema.names[2:]
        columns = [self._watch.key, self._time, *own]
        schema = pa.schema([("key", pa.string()), ("moment", INSTANT), *list(self._past.schema)[2:]])
        parts = [(version, _timed(part)) for version, part in changes.by_version(self._path, gain, columns, schema)]
        if self._is_in_order:
            return [(version, part.sort_by("moment")) for version, part in parts]
        return parts

    def _judged(self, arrived: pa.Table, version: int) -> Iterator[Event]:
        """What opens and closes with readings of which none was overtaken by another of them, in the order of time.

        One that was overtaken before is judged too, by what was before it; it ends nothing that began after it.
        """
        database = self._past.database
        own = ", ".join(map(quoted, [*self._past.schema.names, PLACE]))
        database.execute(
            f"""CREATE OR REPLACE TABLE readings AS
            SELECT {own}, false AS is_new FROM past WHERE key IN (SELECT key FROM arrived)
                AND moment >= (SELECT min(moment) FROM arrived) - {self._looks_back() // MICROSECOND}
            UNION ALL SELECT {own}, true AS is_new FROM arrived"""
        )
        firing = {name: micros(alert.opened_at) for name, alert in self._open.items()}
        turns = judging.changes(database, self._judgements, firing)
        turns += [turn for rule, span in self._silences for turn in self._gaps(rule, span)]
        places = self._places([turn.key for turn in turns if turn.fires], arrived)
        for turn in sorted(turns, key=lambda turn: (turn.moment, turn.rule, turn.key)):
            if turn.fires:
                yield self._opened(self._marked(self._found(turn, version), places), version)
            elif (turn.rule, turn.key) in self._open:
                yield self._closed(turn.rule, turn.key, turn.moment, version)

    def _gaps(self, rule: Rule, span: timedelta) -> Iterator[Turn]:
        """The silences that a reading ended: those that were known, and those of which nothing was known.

        A known one ends with any reading: its clock may have been ahead of readings that were under way.
        """
        longest, seconds = span // MICROSECOND, span.total_seconds()
        self._past.database.register(
            "silent", pa.table({"key": [key for name, key in self._open if name == rule.name]}, KEY)
        )
        found = self._past.database.execute(
            """SELECT key, moment, before, is_known FROM (
                SELECT key, moment, before IS NULL AND key IN (SELECT key FROM silent) AS is_known,
                    coalesce(before, heard_at) AS before
                FROM (SELECT *, lag(moment) OVER (PARTITION BY key ORDER BY moment) AS before FROM fresh))
            WHERE is_known OR moment - before > $1 ORDER BY moment, key""",
            [longest],
        ).fetchall()
        for key, moment, before, is_known in found:
            if not is_known:
                yield Turn(rule.name, key, before + longest, True, seconds, seconds)
            yield Turn(rule.name, key, moment, False, seconds, seconds)

    def _silent(self, rule: Rule, span: timedelta, now: int) -> Iterator[Event]:
        unknown = self._unknown(rule, span, now)
        places = self._places([key for key, _ in unknown], self._none())
        for key, moment in unknown:
            seconds = span.total_seconds()
            turn = Turn(rule.name, key, moment + span // MICROSECOND, True, seconds, seconds)
            yield self._opened(self._marked(self._found(turn, self.version), places), self.version)

    def _unknown(self, rule: Rule, span: timedelta, now: int) -> list[tuple[str, int]]:
        """The keys that are silent for longer than a span without an alert that says so, and when each was heard."""
        quiet = self._past.database.execute(
            "SELECT key, moment FROM heard WHERE $1 - moment > $2 ORDER BY moment, key", [now, span // MICROSECOND]
        ).fetchall()
        return [(key, moment) for key, moment in quiet if (rule.name, key) not in self._open]

    def _raised(self, version: int, ahead: timedelta = timedelta()) -> Iterator[Event]:
        """The alerts that were marked, and are still open now that what was going on is over."""
        marked = [alert for alert in self._open.values() if alert.suppressed_by is not None]
        if self._quiet is None or not marked:
            return
        now = instant(self._past.newest)
        assert now is not None
        places = self._places([alert.key for alert in marked], self._none())
        for alert in marked:
            if self._quiet.covering(places.get(alert.key), now + ahead) is None:
                yield self._opened(replace(alert, suppressed_by=None, raised_at=datetime.now(UTC)), version)

    def _places(self, keys: list[str], arrived: pa.Table) -> dict[str, str]:
        """Where each of these keys was last heard of, if that is what silences it."""
        if self._quiet is None or not keys:
            return {}
        self._quiet.look()
        return self._past.newest_of(self._quiet.on, keys, arrived)

    def _marked(self, alert: Alert, places: dict[str, str]) -> Alert:
        if self._quiet is None:
            return alert
        return replace(alert, suppressed_by=self._quiet.covering(places.get(alert.key), alert.opened_at))

    def _found(self, turn: Turn, version: int) -> Alert:
        rule, at = self._rules[turn.rule], instant(turn.moment)
        assert at is not None
        said = rule.detector.says(turn.value or 0.0, turn.threshold or 0.0)
        message = f"{rule.name} at {on_one_line(turn.key)}: {said}"
        return Alert(
            alert_id(self._graph.name, rule.name, turn.key, at), rule.name, turn.key, rule.severity, at, turn.value,
            turn.threshold, message, json.dumps(self._evidence(rule, version)),
            datetime.now(UTC),
        )  # fmt: skip

    def _opened(self, alert: Alert, version: int) -> Event:
        self._open[alert.rule, alert.key] = alert
        return Event(OPENED, alert, self.name, version)

    def _evidence(self, rule: Rule, version: int) -> dict[str, Any]:
        """What was looked at: all that silver held of the key at a version, up to the reading that opened the alert."""
        return {
            "detector": repr(rule.detector),
            "table": self._watched.table,
            "key": self._watch.key,
            "event_time": self._time,
            "silver_version": version,
        }

    def _closed(self, rule: str, key: str, moment: int, version: int) -> Event:
        at = instant(moment)
        assert at is not None
        return Event(CLOSED, self._open.pop((rule, key)).closed(at), self.name, version)

    def _write(self, events: list[Event], stamp: Stamp | None) -> None:
        if not events:
            return
        if stamp is None:
            tables.append_again(table_of(events), self._events)
        else:
            tables.append_arrow(table_of(events), self._events, stamp)
        self._teller.committed(f"{self.name} events")
        self._table.put(standing(events).values())
        for event in events:
            self._teller.alert(event)

    def put_all(self) -> None:
        """Bring the table of alerts up to date, before this is left."""
        self._table.put_all()


def _timed(rows: pa.Table) -> pa.Table:
    """The rows that have a key and a moment, in microseconds."""
    rows = rows.filter(pc.and_(pc.is_valid(rows["key"]), pc.is_valid(rows["moment"])))
    return rows.set_column(1, "moment", rows["moment"].cast(pa.int64()))
