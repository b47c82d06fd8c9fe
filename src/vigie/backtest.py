"""What other settings would have raised: all readings of a watched table judged again, by the same words, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from tempfile import gettempdir
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from vigie.alerts import alert_id
from vigie.detectors import Silent
from vigie.detectors.judgement import Judgement
from vigie.detectors.judging import Turn, changes
from vigie.detectors.readings import instant
from vigie.errors import RequestError
from vigie.graph import Detector, Graph, Rule, Watch
from vigie.instants import MICROSECOND
from vigie.lake import Lake, is_table, opened, reading
from vigie.listing import Listing
from vigie.retuning import Retuned, retuned
from vigie.scoring import Fault, Score, score

AT_ONCE = 1_000_000  # readings, of as many whole keys as they are of
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that a rule would have opened. One that was still open at the last reading has no `closed_at`."""

    alert_id: str
    rule: str
    key: str
    opened_at: datetime
    closed_at: datetime | None
    value: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule as it is declared and as it was tried, with the alerts of both."""

    rule: str
    declared: str
    tried: str
    before: tuple[Raised, ...]
    after: tuple[Raised, ...]
    scores: tuple[Score, Score] | None

    @property
    def more(self) -> list[Raised]:
        """Alerts of what was no alert before."""
        return _apart(self.after, self.before)

    @property
    def fewer(self) -> list[Raised]:
        """Alerts of what is none any more."""
        return _apart(self.before, self.after)

    @property
    def moved(self) -> list[Raised]:
        """Alerts of what was one before, opened at another reading."""
        known = {alert.alert_id for alert in (*self.before, *self.more)}
        return [alert for alert in self.after if alert.alert_id not in known]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a backtest found, rule by rule."""

    trials: tuple[Trial, ...]

    def said(self) -> list[dict[str, Any]]:
        """An object for each rule, for programs."""
        return [
            {
                "rule": trial.rule,
                "declared": trial.declared,
                "tried": trial.tried,
                "alerts_before": len(trial.before),
                "alerts_after": len(trial.after),
                "more": [asdict(alert) for alert in trial.more],
                "fewer": [asdict(alert) for alert in trial.fewer],
                "moved": [asdict(alert) for alert in trial.moved],
                **_scored(trial),
            }
            for trial in self.trials
        ]

    def told(self, limit: int) -> Iterator[str | Listing]:
        """Lines and tables for a person; at most `limit` alerts of each."""
        for trial in self.trials:
            yield f"{trial.rule}: {trial.declared} -> {trial.tried}"
        columns = ("rule", "alerts_before", "alerts_after", "more", "fewer", "moved")
        lines = [(t.rule, *map(len, (t.before, t.after, t.more, t.fewer, t.moved))) for t in self.trials]
        yield Listing(columns, lines)
        for trial in self.trials:
            for word, alerts in (("more", trial.more), ("fewer", trial.fewer)):
                if alerts:
                    shown = f", the first {limit}" if len(alerts) > limit else ""
                    yield f"{trial.rule}: {len(alerts):,} {word}{shown}"
                    yield Listing.of([asdict(alert) for alert in alerts[:limit]])
            if trial.scores:
                yield from _told(trial.rule, *trial.scores)


def backtest(  # noqa: PLR0913  (each says what is tried, where, or who is told)
    graph: Graph,
    called: str,
    lake: Lake,
    settings: Sequence[str],
    *,
    faults: Sequence[Fault] | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> Tried:
    """Judge all that the lake holds with the rules as they are declared, and with these settings instead.

    `called` is what a person types for the pipeline, and a setting is `RULE=VALUE` or `RULE.SETTING=VALUE`. `say` is
    told how far it is.
    """
    trials = []
    for change in retuned(graph, settings):
        before, after = _Judge(graph, called, lake, change).raised(say)
        scores = None if faults is None else (score(before, faults), score(after, faults))
        trials.append(Trial(change.rule.name, repr(change.rule.detector), repr(change.detector), before, after, scores))
    return Tried(tuple(trials))


class _Judge:
    """One rule, as it is declared and as it is tried, before all readings of its table."""

    def __init__(self, graph: Graph, called: str, lake: Lake, change: Retuned) -> None:
        self._graph = graph
        self._watch: Watch = change.watch
        self._watched = graph.read_by(change.watch)
        self._time = str(graph.silver_of(change.watch).event_time)
        self._rule: Rule = change.rule
        self._path = lake.path(self._watched.table)
        self._ways: dict[str, Detector] = {BEFORE: change.rule.detector, AFTER: change.detector}
        if not is_table(self._path):
            raise RequestError(
                f"there is no {self._watched.table} yet", where=str(self._path), do=f"Make it: vigie run {called}"
            )
        self._columns = list(dict.fromkeys(name for detector in self._ways.values() for name in detector.columns))
        there = pa.schema(opened(self._path).schema().to_arrow()).names
        if missing := [name for name in self._columns if name not in there]:
            raise RequestError(
                f"{self._watched.table} has no column '{missing[0]}'", where=repr(change.detector),
                do=f"It has: {', '.join(there)}.",
            )  # fmt: skip

    def raised(self, say: Callable[[str], None]) -> tuple[tuple[Raised, ...], tuple[Raised, ...]]:
        """The alerts of the rule as it is declared, and as it is tried."""
        database = duckdb.connect(config={"temp_directory": gettempdir()})
        with reading(self._path):
            dataset = opened(self._path).to_pyarrow_dataset()
            shares = max(1, -(-dataset.count_rows() // AT_ONCE))
            newest = self._newest(dataset)
            turns = []
            for share in range(shares):
                say(f"{self._rule.name}: judging part {share + 1} of {shares}")
                turns += self._share(database, dataset, share, shares, newest)
        database.close()
        turns.sort(key=lambda turn: (turn.moment, turn.key))
        before, after = (self._alerts(turn for turn in turns if turn.rule == way) for way in self._ways)
        return before, after

    def _newest(self, dataset: Any) -> int | None:
        newest = None
        for batch in dataset.scanner(columns=[self._time]).to_batches():
            found = pc.max(batch.column(0)).cast(pa.timestamp("us", "UTC")).cast(pa.int64()).as_py()
            newest = found if newest is None else newest if found is None else max(newest, found)
        return newest

    def _share(
        self, database: duckdb.DuckDBPyConnection, dataset: Any, share: int, shares: int, newest: int | None
    ) -> list[Turn]:
        """What each way of the rule says of a share of the keys."""
        key, time = pc.field(self._watch.key), pc.field(self._time)
        columns = {"key": key.cast(pa.string()), "moment": time.cast(pa.int64())}
        columns |= {name: pc.field(name) for name in self._columns}
        rows = dataset.scanner(columns=columns, filter=key.is_valid() & time.is_valid()).to_reader()
        database.register("rows", rows)
        database.execute(
            f"""CREATE OR REPLACE TABLE readings AS SELECT *, 0 AS _place, true AS is_new FROM rows
            WHERE hash(key) % {shares} = {share}"""
        )
        database.unregister("rows")
        judgements: dict[str, Judgement] = {
            way: judgement for way, detector in self._ways.items() if (judgement := detector.judgement) is not None
        }
        turns = changes(database, judgements, {})
        for way, detector in self._ways.items():
            if isinstance(detector, Silent) and newest is not None:
                turns += self._silences(database, way, detector, newest)
        return turns

    def _silences(self, database: duckdb.DuckDBPyConnection, way: str, detector: Silent, newest: int) -> Iterator[Turn]:
        """The silences that a reading ended, and those that last until the newest reading of all."""
        span, seconds = detector.span // MICROSECOND, detector.span.total_seconds()
        found = database.execute(
            """SELECT key, moment, next FROM (
                SELECT key, moment, lead(moment) OVER (PARTITION BY key ORDER BY moment) AS next FROM readings)
            WHERE coalesce(next, $1) - moment > $2""",
            [newest, span],
        ).fetchall()
        for key, moment, following in found:
            yield Turn(way, key, moment + span, True, seconds, seconds)
            if following is not None:
                yield Turn(way, key, following, False, seconds, seconds)

    def _alerts(self, turns: Iterable[Turn]) -> tuple[Raised, ...]:
        """From a way's turns, in the order of time, the alerts that open and close with them."""
        begun: dict[str, Turn] = {}
        over: list[Raised] = []
        for turn in turns:
            if turn.fires:
                begun[turn.key] = turn
            elif turn.key in begun:
                over.append(self._one(begun.pop(turn.key), turn.moment))
        still = [self._one(turn, None) for turn in begun.values()]
        return tuple(sorted([*over, *still], key=lambda alert: (alert.opened_at, alert.key)))

    def _one(self, turn: Turn, closed: int | None) -> Raised:
        at, rule = instant(turn.moment), self._rule.name
        known, closed_at = alert_id(self._graph.name, rule, turn.key, at), None if closed is None else instant(closed)
        return Raised(known, rule, turn.key, at, closed_at, turn.value, turn.threshold)


def _apart(these: Iterable[Raised], those: Iterable[Raised]) -> list[Raised]:
    """Those of these alerts that were open when none of the others of their key was."""
    of_key: dict[str, list[Raised]] = {}
    for alert in those:
        of_key.setdefault(alert.key, []).append(alert)
    return [alert for alert in these if not any(_meet(alert, other) for other in of_key.get(alert.key, ()))]


def _meet(one: Raised, other: Raised) -> bool:
    return (one.closed_at is None or other.opened_at < one.closed_at) and (
        other.closed_at is None or one.opened_at < other.closed_at
    )


def _scored(trial: Trial) -> dict[str, Any]:
    if trial.scores is None:
        return {}
    before, after = trial.scores
    recall = {
        kind: {"faults": count, "before": before.recall(kind), "after": after.recall(kind)}
        for kind, count in sorted(before.faults.items())
    }
    return {"precision_before": before.precision, "precision_after": after.precision, "recall": recall}


def _told(rule: str, before: Score, after: Score) -> Iterator[str | Listing]:
    yield f"{rule}: alerts that met a fault (precision), and faults of each kind that it found (recall)"
    lines: list[tuple[str, int, float | None, float | None]] = [
        ("precision", before.alerts, before.precision, after.precision)
    ]
    kinds = sorted(before.found.keys() | after.found.keys())
    lines += [(f"recall of {kind}", before.faults[kind], before.recall(kind), after.recall(kind)) for kind in kinds]
    yield Listing(("measure", "of", "before", "after"), lines)
