"""Why an alert was raised: the readings that its rule looked at, judged again by the same words."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from vigie import detectors
from vigie.commands import silenced_until
from vigie.detectors import Silent
from vigie.detectors.judgement import Judgement
from vigie.detectors.judging import judged
from vigie.detectors.readings import instant
from vigie.errors import LakeDamaged
from vigie.graph import Detector, Graph
from vigie.lake import Lake, opened, reading
from vigie.listing import Listing, text_of
from vigie.oneline import on_one_line
from vigie.watchbook import Row, Watchbook, page

LAST = 40  # readings that a person is shown
OPENED_HERE = "opens the alert"


@dataclass(frozen=True, slots=True)
class Explanation:
    """An alert, and all that can be said of why it was raised and what happened since.

    `readings` are rows of silver in the order of time, each with what the rule made of it. `as_of` is the version of
    silver that they are of; none when that version is gone, and they are as they are now. `agrees` says whether the
    rule gives the same value and limit when it is asked again; none when it cannot be asked.
    """

    alert: Row
    rule_then: str
    rule_now: str | None
    readings: tuple[Row, ...]
    columns: tuple[str, ...]
    as_of: int | None
    agrees: bool | None
    silenced_then_until: datetime | None
    others: tuple[Row, ...]

    def said(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {name: value for name, value in asdict(self).items() if name != "columns"}

    def told(self) -> Iterator[str | Listing]:
        """All of it, for a person: lines and tables."""
        alert = self.alert
        yield f"{alert['message']}\n"
        yield f"alert         {alert['alert_id']}  {alert['severity']}, {_lasted(alert)}"
        yield f"rule          {self.rule_then}"
        if self.rule_now != self.rule_then:
            yield f"rule now      {self.rule_now or 'is no longer declared'}"
        yield f"value         {text_of(alert['value'])}, against {text_of(alert['threshold'])}"
        yield f"found         {text_of(alert['raised_at'])}"
        yield from (f"{name:<13} {text}" for name, text in self._since())
        yield f"\nThe readings of {on_one_line(alert['key'])} that the rule looked at{self._of()}"
        shown = self.readings[-LAST:]
        if len(shown) < len(self.readings):
            yield f"The last {len(shown)} of {len(self.readings)}; --json gives all."
        yield Listing.of(shown, self.columns)
        if self.agrees is False:
            yield (
                "Asked again of these readings, the rule does not say the same: they are not all that it saw, or it "
                "ranks them among those of other keys.\n"
            )
        yield f"Other alerts of {on_one_line(alert['key'])} that were open then" + ("" if self.others else ": none")
        if self.others:
            yield page(self.others)

    def _since(self) -> Iterator[tuple[str, str]]:
        alert = self.alert
        if alert["suppressed_by"]:
            yield "suppressed", f"by {alert['suppressed_by']}: nobody was told"
        if self.silenced_then_until:
            yield "silenced", f"when it was found, until {text_of(self.silenced_then_until)}: nobody was told"
        if alert["silenced_until"]:
            yield "silent now", f"until {text_of(alert['silenced_until'])}"
        if alert["acknowledged_at"]:
            note = f": {on_one_line(alert['note'])}" if alert["note"] else ""
            yield "acknowledged", f"{text_of(alert['acknowledged_at'])}{note}"

    def _of(self) -> str:
        table = self.alert["evidence"]["table"]
        version = self.alert["evidence"]["silver_version"]
        if self.as_of is None:
            return f" ({table} as it is now: version {version}, which it looked at, was tidied away)"
        return f" ({table} at version {self.as_of})"


def explain(book: Watchbook, start: str) -> Explanation:
    """Explain the alert whose id begins so."""
    alert = book.find(start)
    evidence = alert["evidence"]
    now = _declared(book.graph, alert["rule"])
    then = _written(evidence["detector"], book.graph)
    seen = _Seen(book.lake, alert, then)
    columns = (evidence["event_time"], *(then.columns if then else ()), "value", "threshold", "verdict")
    others = (other for other in book.alerts() if other["key"] == alert["key"] and _open_at(other, alert["opened_at"]))
    return Explanation(
        alert,
        evidence["detector"],
        None if now is None else repr(now),
        tuple(seen.readings),
        columns,
        seen.as_of,
        seen.agrees(),
        silenced_until(book.commands, alert["rule"], alert["key"], alert["raised_at"]),
        tuple(other for other in others if other["alert_id"] != alert["alert_id"]),
    )


class _Seen:
    """What a rule saw of a key when it opened an alert, with what it makes of it."""

    def __init__(self, lake: Lake, alert: Row, detector: Detector | None) -> None:
        self._alert = alert
        self._evidence = alert["evidence"]
        self._path = lake.path(self._evidence["table"])
        self._detector = detector
        self._columns = detector.columns if detector else ()
        self.as_of: int | None = self._evidence["silver_version"]
        try:
            self.readings = self._judged(self._rows(self.as_of, alert["opened_at"]))
        except (LakeDamaged, FileNotFoundError):
            self.as_of = None
            self.readings = self._judged(self._rows(None, alert["opened_at"]))

    def agrees(self) -> bool | None:
        if self._detector is None:
            return None
        opening = [row for row in self.readings if row["verdict"].startswith(OPENED_HERE)]
        return any(_same(row, self._alert, "value") and _same(row, self._alert, "threshold") for row in opening)

    def _rows(self, version: int | None, until: datetime) -> pa.Table:
        """The rows of the key that matter to the opening, up to an instant, as of a version."""
        dataset = opened(self._path, version).to_pyarrow_dataset()
        time, since = pc.field(self._evidence["event_time"]), self._alert["opened_at"] - 2 * self._span()
        key = pc.field(self._evidence["key"]).cast(pa.string())
        wanted = (time >= _instant(since)) & (time <= _instant(until)) & (key == self._alert["key"])
        with reading(self._path):
            found: pa.Table = dataset.to_table(filter=wanted)
        return found

    @property
    def _judgement(self) -> Judgement | None:
        return None if self._detector is None or isinstance(self._detector, Silent) else self._detector.judgement

    def _span(self) -> timedelta:
        """How far back the rule looks; a reading is judged anew from as far before it."""
        if isinstance(self._detector, Silent):
            return self._detector.span
        return self._judgement.looks_back if self._judgement else timedelta()

    def _judged(self, found: pa.Table) -> list[Row]:
        found = found.sort_by(self._evidence["event_time"])
        rows: list[Row] = found.to_pylist()
        if isinstance(self._detector, Silent):
            return list(self._gaps(rows))
        verdicts = self._verdicts(found, self._judgement) if rows and self._judgement else {}
        since = self._alert["opened_at"] - self._span()
        return [
            {**row, **verdicts.get(index, {"value": None, "threshold": None, "verdict": ""})}
            for index, row in enumerate(rows)
            if row[self._evidence["event_time"]] >= since
        ]

    def _verdicts(self, found: pa.Table, judgement: Judgement) -> dict[int, Row]:
        """What the rule says of each row, by its place."""
        moments = found[self._evidence["event_time"]].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        named = {
            "key": pa.array([self._alert["key"]] * found.num_rows, pa.string()),
            "moment": moments,
            "_place": pa.array([0] * found.num_rows),
            "is_new": pa.array([True] * found.num_rows),
            **{name: found[name] for name in self._columns},
        }
        opening = self._alert["opened_at"]
        with duckdb.connect() as database:
            database.register("arrived", pa.table(named))
            database.execute("CREATE TABLE readings AS FROM arrived")
            said = {verdict.moment: verdict for verdict in judged(database, judgement)}
        verdicts = {}
        for index, moment in enumerate(moments.to_pylist()):
            if (of_it := said.get(moment)) is None:
                continue
            verdict = "fires" if of_it.fires else "clears" if of_it.clears else "neither"
            if instant(moment) == opening:
                verdict = OPENED_HERE if of_it.fires else f"opened the alert, and now {verdict}"
            verdicts[index] = {"value": of_it.value, "threshold": of_it.threshold, "verdict": verdict}
        return verdicts

    def _gaps(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The last reading before a silence, and the one that ended it, with the seconds since the one before."""
        time, closed = self._evidence["event_time"], self._alert["closed_at"]
        limit = self._span().total_seconds()
        for last in rows[-1:]:
            yield {**last, "value": limit, "threshold": limit, "verdict": f"{OPENED_HERE}: nothing came after it"}
            for row in [] if closed is None else self._rows(None, closed).to_pylist():
                if row[time] == closed:
                    gap = (closed - last[time]).total_seconds()
                    yield {**row, "value": gap, "threshold": limit, "verdict": "ends the silence"}


def _declared(graph: Graph, name: str) -> Detector | None:
    """The detector that stands under a name in the pipeline as it is now."""
    return next((rule.detector for watch in graph.watches for rule in watch.rules if rule.name == name), None)


def _written(text: str, graph: Graph) -> Detector | None:
    """The detector that was written down as `Above(column='c', limit=30)`: one of Vigie's, or one of the pipeline's
    own; none when there is no such kind any more."""
    kinds = {type(rule.detector).__name__: type(rule.detector) for watch in graph.watches for rule in watch.rules}
    kinds |= {name: getattr(detectors, name) for name in detectors.__all__}
    call = ast.parse(text, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in kinds:
        return None
    settings = {str(setting.arg): ast.literal_eval(setting.value) for setting in call.keywords}
    try:
        made: Detector = kinds[call.func.id](**settings)
    except TypeError:
        return None  # that kind has other settings now
    return made


def _open_at(alert: Row, at: datetime) -> bool:
    return alert["opened_at"] <= at and (alert["closed_at"] is None or alert["closed_at"] > at)


def _same(row: Row, alert: Row, name: str) -> bool:
    one, other = row[name], alert[name]
    return one is other if one is None or other is None else math.isclose(one, other, rel_tol=1e-9)


def _lasted(alert: Row) -> str:
    if alert["closed_at"] is None:
        return f"open since {text_of(alert['opened_at'])}"
    return f"open from {text_of(alert['opened_at'])} to {text_of(alert['closed_at'])}"


def _instant(at: datetime) -> pa.Scalar:
    return pa.scalar(at, pa.timestamp("us", "UTC"))
