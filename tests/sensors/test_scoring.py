"""`python -m bench scoring`: what counts as found and what as false, and silver as the pipeline would fill it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from bench.figure import drawn
from bench.scoring import HELD_TO, Exam, Raised, Score, scored, watched
from bench.silver import commits
from tests.sensors.feeds import a_feed, a_simulation
from vigie.detectors import Outlier
from vigie.graph import Place, Rule
from vigie.lake import Lake
from vigie.scoring import Fault
from vigie.sensors.kinds import KINDS
from vigie.sensors.pipeline import sensors

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TWELVE_HOURS = Exam(a_simulation(NOON.timestamp(), keys=1_000), hours=12, look_s=900)
RULE = Rule("OUTLIER", Outlier("temperature_c", over="30 minutes"), "info", Place("here.py", 1))


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def a_fault(kind: str = "spike", key: str = "s1", since: float = 0, until: float = 1) -> Fault:
    return Fault(kind, key, minutes(since), minutes(until))


def an_alert(rule: str = "OUTLIER", key: str = "s1", since: float = 0, lasting: float = 1) -> Raised:
    return Raised(rule, key, minutes(since), minutes(since + lasting))


def a_score(faults: list[Fault], alerts: list[Raised]) -> Score:
    return scored(TWELVE_HOURS, RULE, {"spike"}, faults, alerts)


def test_a_fault_is_found_by_an_alert_of_the_rule_at_its_sensor_and_the_delay_is_from_its_first_reading() -> None:
    score = a_score([a_fault(until=5), a_fault(since=200, until=205)], [an_alert(since=2), an_alert(since=203)])

    assert (score.faults, score.found, score.recall, score.precision) == (2, 2, 1.0, 1.0)
    assert score.delay_s == pytest.approx(150)


@pytest.mark.parametrize("alert", [an_alert(rule="STUCK"), an_alert(key="s2"), an_alert(since=2)])
def test_a_fault_is_not_found_by_another_rule_at_another_sensor_or_after_it(alert: Raised) -> None:
    assert a_score([a_fault()], [alert]).found == 0


def test_an_alert_in_another_kind_of_fault_is_not_false_and_finds_nothing() -> None:
    score = a_score([a_fault(), a_fault("hot", "s2")], [an_alert(key="s2")])

    assert (score.faults, score.found, score.alerts, score.false) == (1, 0, 1, 0)


@pytest.mark.parametrize(("since", "false"), [(31.5, 0), (33, 1), (-20, 1)])
def test_an_alert_is_false_when_the_rule_no_longer_looks_back_to_a_fault(since: float, false: int) -> None:
    score = a_score([a_fault()], [an_alert(since=since)])

    assert score.false == false
    assert score.precision == 1 - false


def test_a_fault_that_outlasts_the_feed_excuses_alerts_and_is_not_asked_for() -> None:
    score = a_score([a_fault(), a_fault(key="s2", until=800)], [an_alert(key="s2", since=30)])

    assert (score.faults, score.false) == (1, 0)


def test_every_rule_of_the_pipeline_is_held_to_kinds_that_there_are() -> None:
    assert HELD_TO.keys() == {rule.name for rule in sensors.graph().watches[0].rules}
    assert set().union(*HELD_TO.values()) <= KINDS.keys()


def test_silver_has_what_the_pipeline_accepts_and_each_reading_once() -> None:
    feed = a_feed(0.1, hours=2)

    tables = list(commits(a_simulation(keys=200, faults=0.1), 2, 300))

    assert len(tables) == 24
    found = [row for table in tables for row in table.select(["sensor_id", "event_timestamp"]).to_pylist()]
    known = {(row["sensor_id"], f"{row['event_timestamp']:%Y-%m-%dT%H:%M:%SZ}") for row in found}
    untouched = feed.sound.keys() - {each for label in feed.labels for each in feed.under(label)}
    assert len(known) == len(found)
    assert untouched <= known
    for label in feed.labels:
        if label["kind"] in {"silent", "out_of_range", "malformed"}:
            assert not known & set(feed.under(label))
    assert all(pc.max(table["temperature_c"]).as_py() <= 50 for table in tables)


def test_the_rules_of_the_pipeline_watch_what_is_simulated(tmp_path: Path) -> None:
    raised = watched(Lake(tmp_path), Exam(a_simulation(keys=40, faults=0.1), hours=1, look_s=600))

    assert {"HIGH_TEMP", "SUDDEN_CHANGE", "SILENT"} <= {alert.rule for alert in raised} <= HELD_TO.keys()


def test_the_figure_has_a_row_for_each_rule() -> None:
    rule: dict[str, Any] = {
        "rule": "STUCK", "kinds": ["stuck"], "recall": 0.9, "precision": 1.0, "delay_s": 1800.0, "delay_p95_s": None,
    }  # fmt: skip

    svg = drawn({"sensors": 1000, "interval_s": 30.0, "hours": 24.0, "rules": [rule, {**rule, "rule": "SILENT"}]})

    assert svg.count("<rect") == 1 + 2 + 2 * 2
    assert "STUCK" in svg and "SILENT" in svg and "90.0%" in svg and "30.0 min" in svg
