"""How well the rules of the sensors pipeline see what is wrong: a day of labelled faults, judged by the real watch.

Each rule is held to the kinds of fault that it is there for:

    HIGH_TEMP          hot                          LOW_TEMP         cold
    HIGH_HUMIDITY      damp                         THREE_IN_A_ROW   hot, cold, damp
    SUDDEN_CHANGE      spike, change                OFF_COURSE       change, rise, hot, cold
    DYNAMIC_THRESHOLD  hot, rise                    UNUSUALLY_WARM   hot, rise
    OUTLIER            spike, change, hot, cold     FAR_FROM_MEDIAN  spike, change, hot, cold
    RISING             rise                         WARMING          rise
    STUCK              stuck                        SILENT           silent

A fault is found when an alert of the rule is open during it; the delay is from its first reading to the opening, in
the time of the readings. An alert is false when its sensor had no fault of any kind while it was open, nor so shortly
before that the rule still looked back to it: a spike is an outlier too, and so is the step back from a stuck value.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deltalake import write_deltalake
from rich.console import Console
from rich.table import Table

from bench.figure import drawn
from bench.silver import commits
from vigie.core.alerts.watch import Watchman
from vigie.feed import Simulation
from vigie.graph import Rule
from vigie.lake import Lake, rows
from vigie.scoring import Fault
from vigie.sensors.pipeline import sensors

HOUSE = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
HELD_TO = {
    "HIGH_TEMP": {"hot"},
    "LOW_TEMP": {"cold"},
    "HIGH_HUMIDITY": {"damp"},
    "THREE_IN_A_ROW": {"hot", "cold", "damp"},
    "SUDDEN_CHANGE": {"spike", "change"},
    "DYNAMIC_THRESHOLD": {"hot", "rise"},
    "OUTLIER": {"spike", "change", "hot", "cold"},
    "RISING": {"rise"},
    "UNUSUALLY_WARM": {"hot", "rise"},
    "FAR_FROM_MEDIAN": {"spike", "change", "hot", "cold"},
    "WARMING": {"rise"},
    "OFF_COURSE": {"change", "rise", "hot", "cold"},
    "STUCK": {"stuck"},
    "SILENT": {"silent"},
}
START = 1_795_219_200
WEEK_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert of a rule."""

    rule: str
    key: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """How one rule did."""

    rule: str
    kinds: tuple[str, ...]
    faults: int
    found: int
    alerts: int
    false: int
    false_a_week: float  # by sensor
    delay_s: float | None  # the median
    delay_p95_s: float | None

    @property
    def recall(self) -> float:
        return self.found / self.faults

    @property
    def precision(self) -> float:
        return 1 - self.false / self.alerts if self.alerts else 1.0


@dataclass(frozen=True, slots=True)
class Exam:
    """What is simulated, for how long, and how much of it (seconds of event time) one look at silver judges."""

    simulation: Simulation
    hours: float
    look_s: float

    @property
    def ends(self) -> datetime:
        return datetime.fromtimestamp(self.simulation.start, UTC) + timedelta(hours=self.hours)


def scoring(seed: int, interval: float, hours: float, look_s: float) -> int:
    """Make a day, watch it, say how each rule did, and draw it; 1 when a rule says nothing of what it is for."""
    labels: list[dict[str, Any]] = []
    faulty = Simulation(START, keys=1_000, interval=interval, seed=seed, faults=0.02, label=labels.append)
    exam = Exam(faulty, hours, look_s)
    with tempfile.TemporaryDirectory(prefix="vigie-scoring-") as folder:
        alerts = watched(Lake(Path(folder)), exam)
    faults = [fault for fault in map(_fault, labels) if fault.since < exam.ends]
    rules = {rule.name: rule for rule in sensors.graph().watches[0].rules}
    scores = [scored(exam, rules[name], kinds, faults, alerts) for name, kinds in HELD_TO.items() if name in rules]
    _report(exam, scores)
    return 0 if all(score.found for score in scores) else 1


def watched(lake: Lake, exam: Exam) -> list[Raised]:
    """The alerts of the pipeline's watch over a simulated day that goes into silver in small commits."""
    graph = sensors.graph()
    watch = replace(graph.watches[0], quiet=None)  # nobody is at work in these buildings
    silver = lake.silver("sensor_readings")
    watchman: Watchman | None = None
    for readings in commits(exam.simulation, exam.hours, exam.look_s):
        write_deltalake(str(silver), readings, mode="append")
        watchman = watchman or Watchman(lake, graph, watch)
        watchman.look()
        watchman.silences()
    if watchman is not None:
        watchman.put_all()
    return [
        Raised(row["rule"], row["key"], row["opened_at"], row["closed_at"] or exam.ends)
        for row in rows(lake.alerts(graph.name))
    ]


def scored(exam: Exam, rule: Rule, kinds: set[str], faults: Sequence[Fault], alerts: Iterable[Raised]) -> Score:
    """How a rule did against all faults, of which those of some kinds that were over in time are its own to find."""
    own = [alert for alert in alerts if alert.rule == rule.name]
    by_key: dict[str, list[Raised]] = {}
    for alert in own:
        by_key.setdefault(alert.key, []).append(alert)
    excused: set[Raised] = set()
    delays, wanted = [], 0
    for fault in faults:
        theirs = by_key.get(fault.key, [])
        excused |= {alert for alert in theirs if _follows(alert, fault, _aftermath(exam, rule))}
        if fault.kind in kinds and fault.until < exam.ends:
            wanted += 1
            opened = [alert.since for alert in theirs if _follows(alert, fault)]
            delays += [max(0.0, (min(opened) - fault.since).total_seconds())] if opened else []
    false = len(own) - len(excused)
    weeks = exam.simulation.keys * timedelta(hours=exam.hours).total_seconds() / WEEK_S
    return Score(
        rule.name,
        tuple(sorted(kinds)),
        wanted,
        len(delays),
        len(own),
        false,
        false / weeks,
        statistics.median(delays) if delays else None,
        statistics.quantiles(delays, n=20, method="inclusive")[-1] if len(delays) > 1 else None,
    )


def _aftermath(exam: Exam, rule: Rule) -> timedelta:
    """For how long after a fault the rule still looks back to it."""
    judgement = rule.detector.judgement
    looks_back = judgement.looks_back if judgement else timedelta()
    return looks_back + timedelta(seconds=2 * exam.simulation.interval)


def _follows(alert: Raised, fault: Fault, aftermath: timedelta = timedelta()) -> bool:
    return alert.since <= fault.until + aftermath and alert.until >= fault.since


def _fault(label: dict[str, Any]) -> Fault:
    since, until = (datetime.fromisoformat(label[name]) for name in ("from", "to"))
    return Fault(label["kind"], label["sensor_id"], since, until)


def _report(exam: Exam, scores: Sequence[Score]) -> None:
    simulation = exam.simulation
    table = Table(
        "rule", "held to", "faults", "recall", "alerts", "false", "precision", "false a sensor and week",
        "median delay", "95th",
        title=f"{simulation.keys:,} sensors for {exam.hours:g} hours, a reading each {simulation.interval:g} s, "
        f"{simulation.faults:.0%} of them touched, looked at every {exam.look_s:g} s; seed {simulation.seed}",
    )  # fmt: skip
    for score in scores:
        table.add_row(
            score.rule, ", ".join(score.kinds), str(score.faults), f"{score.recall:.1%}", str(score.alerts),
            str(score.false), f"{score.precision:.1%}", f"{score.false_a_week:.2f}",
            _minutes(score.delay_s), _minutes(score.delay_p95_s),
        )  # fmt: skip
    Console(width=160).print(table)
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sensors": simulation.keys,
        "hours": exam.hours,
        "interval_s": simulation.interval,
        "look_s": exam.look_s,
        "seed": simulation.seed,
        "faults": simulation.faults,
        "rules": [asdict(score) | {"recall": score.recall, "precision": score.precision} for score in scores],
    }
    (RESULTS / "scoring.json").write_text(json.dumps(said, indent=1))
    (HOUSE / "docs" / "scoring.svg").write_text(drawn(said))


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f} min"
