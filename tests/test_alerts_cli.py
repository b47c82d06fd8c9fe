"""What a person types about alerts: which there are, why, who knows of them, and what other settings would raise."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner, Result

from vigie.alerts import Alert, Event, alert_id
from vigie.backtest import backtest
from vigie.cli import app
from vigie.commands import ACK, SILENCE, UNSILENCE, Command, Silences, give, given, silenced_until
from vigie.core.alerts.watch import Watchman
from vigie.explaining import explain
from vigie.graph import Graph
from vigie.lake import Lake, rows
from vigie.pipeline import load
from vigie.scoring import Fault, score
from vigie.watchbook import Watchbook

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FULL = """
from vigie import Pipeline
from vigie.detectors import Above, AboveUsual, Below, InARow, Outlier, Rising, Silent, Stuck, SuddenChange

mine = Pipeline("mine")
raw = mine.source("raw", schema="sensor_id STRING, t TIMESTAMP, c DOUBLE", key="sensor_id")


@mine.silver(
    "readings", reads=raw, schema="sensor_id STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="10 minutes",
    unique=("sensor_id", "t"),
)
def readings(rows):
    return rows


watched = mine.watch(readings, key="sensor_id")
watched.alert("HIGH", Above("c", 30, clears_at=29), severity="critical")
watched.alert("SILENT", Silent("10 minutes"))
watched.alert("JUMP", SuddenChange("c", by=5), severity="info")
"""
MORE = """
watched.alert("LOW", Below("c", 15, clears_at=16))
watched.alert("USUAL", AboveUsual("c", deviations=2, readings=5, over="10 minutes"))
watched.alert("OUTLIER", Outlier("c", z=3, readings=5, over="10 minutes"))
watched.alert("THREE", InARow("c > 26", times=3))
watched.alert("RISING", Rising("c", over="40s", by=0.1, dips=0.5))
watched.alert("STUCK", Stuck("c", over="2 minutes"))
"""

Reading = tuple[str, float, float]  # key, seconds after noon, value


def vigie(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def listed(*args: str) -> list[dict[str, Any]]:
    shown = vigie(*args, "--json")
    assert shown.exit_code == 0, shown.stderr
    found: list[dict[str, Any]] = json.loads(shown.stdout)
    return found


def a_pipeline(folder: Path, text: str = FULL) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def arrive(lake: Lake, readings: Iterable[Reading]) -> None:
    columns = list(zip(*readings, strict=True))
    times = pa.array([NOON + timedelta(seconds=at) for at in columns[1]], pa.timestamp("us", "UTC"))
    table = pa.table({"sensor_id": list(columns[0]), "t": times, "c": pa.array(columns[2], pa.float64())})
    write_deltalake(str(lake.silver("readings")), table, mode="append")


def watched(lake: Lake, graph: Graph, *batches: Iterable[Reading]) -> None:
    """Readings arrive, and each batch is judged as a run would."""
    for batch in batches:
        arrive(lake, batch)
        watchman = Watchman(lake, graph, graph.watches[0])
        while watchman.look() is not None:
            pass
        watchman.silences()
        watchman.put_all()


class Scene:
    """A pipeline and a lake: `a` was silent, then hot by a jump; `b` was hot, and is cool again."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = str(folder / "mine.py")
        self.lake = Lake.at(folder / "lake")

    @classmethod
    def made(cls, folder: Path) -> Scene:
        scene = cls(folder)
        watched(
            scene.lake,
            load(a_pipeline(folder)).graph(),
            [("a", 0, 20.0), ("b", 0, 31.0), ("b", 30, 29.5)],
            [("b", 60, 28.0), ("a", 700, 21.0), ("b", 690, 28.0), ("a", 730, 31.0)],
        )
        return scene

    def alerts(self, *args: str) -> Result:
        return vigie("alerts", self.pipeline, *args, "--lake", str(self.lake))

    def listed(self, *args: str) -> list[dict[str, Any]]:
        return listed("alerts", self.pipeline, *args, "--lake", str(self.lake))

    def id_of(self, rule: str, key: str) -> str:
        [found] = self.listed("--rule", rule, "--key", key)
        return str(found["alert_id"])

    def explained(self, rule: str, key: str) -> dict[str, Any]:
        shown = self.alerts("explain", self.id_of(rule, key), "--json")
        assert shown.exit_code == 0, shown.stderr
        found: dict[str, Any] = json.loads(shown.stdout)
        return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(Scene.made(tmp_path_factory.mktemp("scene")).pipeline).parent


@pytest.fixture
def scene(first: Path, tmp_path: Path) -> Scene:
    return Scene(Path(shutil.copytree(first, tmp_path / "scene")))


def test_alerts_are_listed_open_first_and_then_the_newest(scene: Scene) -> None:
    found = [(alert["rule"], alert["key"], alert["closed_at"] is None) for alert in scene.listed()]

    assert found == [
        ("HIGH", "a", True),
        ("JUMP", "a", True),
        ("SILENT", "b", False),
        ("SILENT", "a", False),
        ("HIGH", "b", False),
    ]


def test_the_columns_of_the_list_are_those_of_the_table_and_what_was_said_since(scene: Scene) -> None:
    alert = scene.listed("--rule", "HIGH", "--key", "a")[0]

    assert list(alert) == [
        "alert_id", "rule", "key", "severity", "opened_at", "closed_at", "value", "threshold", "message", "evidence",
        "suppressed_by", "raised_at", "acknowledged_at", "note", "silenced_until",
    ]  # fmt: skip
    assert (alert["severity"], alert["value"], alert["threshold"]) == ("critical", 31.0, 30.0)
    assert alert["opened_at"] == "2026-11-21T12:12:10Z"
    assert alert["evidence"]["detector"] == "Above(column='c', limit=30, clears_at=29)"


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (["--open"], 2),
        (["--rule", "SILENT"], 2),
        (["--key", "b"], 2),
        (["--severity", "info"], 1),
        (["--limit", "3"], 3),
        (["--open", "--rule", "SILENT"], 0),
    ],
)
def test_a_list_can_be_narrowed(scene: Scene, flags: list[str], count: int) -> None:
    assert len(scene.listed(*flags)) == count


def test_the_table_ends_with_the_counts_by_rule_and_leaves_out_columns_that_say_nothing(scene: Scene) -> None:
    shown = scene.alerts()

    assert "2  HIGH (1 open)" in shown.stdout
    assert "2  SILENT\n" in shown.stdout
    assert "closed_at" in shown.stdout
    assert "acknowledged_at" not in shown.stdout


def test_an_alert_is_acknowledged_once_by_the_beginning_of_its_id(scene: Scene) -> None:
    known = scene.id_of("HIGH", "a")

    first = scene.alerts("ack", known[:10], "--note", "the heating")
    scene.alerts("ack", known)

    assert first.stdout.startswith(f"Acknowledged: alert {known}")
    [said] = given(scene.lake, "mine")
    assert (said.verb, said.alert_id, said.note) == (ACK, known, "the heating")
    assert scene.listed("--rule", "HIGH", "--open")[0]["acknowledged_at"] is not None
    assert "acknowledged_at" in scene.alerts().stdout
    assert ": the heating" in scene.alerts("explain", known).stdout


def test_an_id_that_is_none_is_refused_with_the_nearest(scene: Scene) -> None:
    known = scene.id_of("HIGH", "a")
    wrong = known[:-1] + ("0" if known[-1] != "0" else "1")

    shown = scene.alerts("ack", wrong)

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert f"has no alert '{wrong}'" in shown.stderr
    assert f"Did you mean {known}?" in shown.stderr


def test_the_beginning_of_several_ids_is_refused_with_all_of_them(scene: Scene) -> None:
    shown = scene.alerts("explain", "")

    assert shown.exit_code == 2
    assert "5 alerts begin with ''" in shown.stderr


def test_a_rule_is_silenced_for_a_while_and_listed_so_until_that_is_ended(scene: Scene) -> None:
    said = scene.alerts("silence", "--rule", "HIGH", "--for", "2h")
    while_silent = scene.listed("--rule", "HIGH")
    scene.alerts("unsilence", "--rule", "HIGH")

    assert said.stdout.startswith("Silenced: rule HIGH until ")
    [silence, end] = given(scene.lake, "mine")
    assert (silence.verb, end.verb) == (SILENCE, UNSILENCE)
    assert silence.until is not None and silence.until - silence.at == 2 * HOUR
    assert all(alert["silenced_until"] for alert in while_silent)
    assert not any(alert["silenced_until"] for alert in scene.listed())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["silence"], "it is not said what to silence"),
        (["silence", "--rule", "HIHG"], "Did you mean HIGH?"),
        (["silence", "--rule", "HIGH", "--for", "soon"], "'soon' is not a span of time"),
        (["silence", "--rule", "HIGH", "--for", "0s"], "lasts for more than nothing"),
        (["unsilence", "--rule", "HIGH"], "nothing is silenced"),
        (["ack"], "it is not said which alert to ack"),
        (["list", "--for", "2h"], "`list` takes no --for"),
        (["explain", "x", "--rule", "HIGH"], "`explain` takes no --rule"),
        (["--severity", "bad"], "Say one of info, warning, critical"),
        (["--rule", "high"], "Did you mean HIGH?"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(scene: Scene, args: list[str], words: str) -> None:
    shown = scene.alerts(*args)

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert words in shown.stderr
    assert given(scene.lake, "mine") == ()


def test_a_word_that_is_no_verb_is_exit_2(scene: Scene) -> None:
    assert scene.alerts("hush").exit_code == 2


def test_a_silence_that_is_narrower_is_not_ended_alone_where_a_wider_one_holds(scene: Scene) -> None:
    scene.alerts("silence", "--rule", "HIGH")

    shown = scene.alerts("unsilence", "--rule", "HIGH", "--key", "a")

    assert shown.exit_code == 2
    assert "rule HIGH at a is not silenced by itself" in shown.stderr
    assert "Silenced are: rule HIGH." in shown.stderr


def test_a_pipeline_that_watches_nothing_says_how_to_begin(tmp_path: Path) -> None:
    shown = vigie("alerts", a_pipeline(tmp_path, FULL.partition("watched =")[0]), "--lake", str(tmp_path / "lake"))

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "pipeline 'mine' watches nothing" in shown.stderr
    assert 'watched = mine.watch(TABLE, key="COLUMN")' in shown.stderr


def test_a_lake_without_alerts_says_which_command_makes_them(tmp_path: Path) -> None:
    pipeline = a_pipeline(tmp_path)

    shown = vigie("alerts", pipeline, "--lake", str(tmp_path / "lake"))

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "there are no alerts of pipeline 'mine' yet" in shown.stderr
    assert f"vigie run {pipeline}" in shown.stderr


def test_a_quiet_lake_has_an_empty_list(tmp_path: Path) -> None:
    pipeline, lake = a_pipeline(tmp_path), Lake.at(tmp_path / "lake")
    watched(lake, load(pipeline).graph(), [("a", 0, 20.0)])

    shown = vigie("alerts", pipeline, "--lake", str(lake))

    assert shown.exit_code == 0
    assert "There are none." in shown.stdout
    assert listed("alerts", pipeline, "--lake", str(lake)) == []


def test_a_rule_can_be_silenced_before_anything_ran(tmp_path: Path) -> None:
    shown = vigie("alerts", a_pipeline(tmp_path), "silence", "--key", "a", "--lake", str(tmp_path / "lake"))

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Silenced: key a until")


def test_explain_gives_the_rows_that_the_rule_looked_at_and_marks_where_it_fired(scene: Scene) -> None:
    said = scene.explained("JUMP", "a")

    assert [(row["c"], row["value"], row["verdict"]) for row in said["readings"]] == [
        (21.0, 0.0, "clears"),
        (31.0, 10.0, "opens the alert"),
    ]
    assert said["readings"][1]["threshold"] == 5.0
    assert (said["agrees"], said["as_of"]) == (True, said["alert"]["evidence"]["silver_version"])


def test_explain_is_a_page_that_names_rule_limit_rows_and_what_else_was_open(scene: Scene) -> None:
    shown = scene.alerts("explain", scene.id_of("JUMP", "a"))

    assert shown.exit_code == 0
    assert "SuddenChange(column='c', by=5, within='1 minute')" in shown.stdout
    assert "value         10, against 5" in shown.stdout
    assert "opens the alert" in shown.stdout
    assert "rule now" not in shown.stdout
    assert "Other alerts of a that were open then\n" in shown.stdout
    assert scene.id_of("HIGH", "a") in shown.stdout


def test_explain_of_a_silence_gives_the_last_reading_and_the_one_that_ended_it(scene: Scene) -> None:
    said = scene.explained("SILENT", "a")

    assert [(row["t"], row["value"]) for row in said["readings"]] == [
        ("2026-11-21T12:00:00Z", 600.0),
        ("2026-11-21T12:11:40Z", 700.0),
    ]
    assert said["agrees"]


def test_explain_tells_a_rule_that_was_changed_since_and_judges_by_the_one_that_raised_the_alert(scene: Scene) -> None:
    Path(scene.pipeline).write_text(FULL.replace('Above("c", 30, clears_at=29)', 'Above("c", 25)'))

    said = scene.explained("HIGH", "a")

    assert said["rule_then"] == "Above(column='c', limit=30, clears_at=29)"
    assert said["rule_now"] == "Above(column='c', limit=25, clears_at=None)"
    assert said["readings"][-1]["threshold"] == 30.0


def test_explain_of_a_rule_that_is_gone_still_judges(scene: Scene) -> None:
    Path(scene.pipeline).write_text(FULL.replace('watched.alert("JUMP"', 'watched.alert("LEAP"'))

    shown = scene.alerts("explain", scene.id_of("JUMP", "a"))

    assert "is no longer declared" in shown.stdout
    assert "opens the alert" in shown.stdout


def test_explain_does_not_show_what_came_after_it_was_judged(scene: Scene) -> None:
    arrive(scene.lake, [("a", 710, 99.0)])  # too late: a newer one of its key was judged

    said = scene.explained("JUMP", "a")

    assert [row["c"] for row in said["readings"]] == [21.0, 31.0]


def test_explain_shows_a_reading_that_was_overtaken_and_seen_nevertheless(tmp_path: Path) -> None:
    pipeline, lake = a_pipeline(tmp_path), Lake.at(tmp_path / "lake")
    watched(lake, load(pipeline).graph(), [("a", 0, 20.0), ("a", 60, 20.0)], [("a", 30, 99.0), ("a", 90, 31.0)])
    [jump] = listed("alerts", pipeline, "--rule", "JUMP", "--lake", str(lake))

    shown = vigie("alerts", pipeline, "explain", jump["alert_id"], "--json", "--lake", str(lake))

    said = json.loads(shown.stdout)
    assert (said["agrees"], said["readings"][-1]["value"]) == (True, jump["value"])
    assert [row["c"] for row in said["readings"]] == [20.0, 99.0]


def test_explain_finds_the_very_value_and_limit_of_every_rule(tmp_path: Path) -> None:
    pipeline, lake = a_pipeline(tmp_path, FULL + MORE), Lake.at(tmp_path / "lake")
    graph = load(pipeline).graph()
    watched(lake, graph, *at_random(7))
    book = Watchbook(graph, pipeline, lake, NOON)
    of_rule = {alert["rule"]: alert["alert_id"] for alert in book.alerts()}

    explained = [explain(book, known) for known in of_rule.values()]

    assert of_rule.keys() == {rule.name for rule in graph.watches[0].rules}
    assert all(each.agrees and each.as_of is not None for each in explained)


def test_explain_says_so_when_the_rule_does_not_fire_again_on_what_is_left(scene: Scene) -> None:
    known = scene.id_of("JUMP", "a")
    silver = DeltaTable(str(scene.lake.silver("readings")))
    silver.delete("sensor_id = 'a' AND c = 21.0")
    silver.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    shown = scene.alerts("explain", known)

    assert shown.exit_code == 0, shown.stderr
    assert "opened the alert, and now clears" in shown.stdout
    assert "Asked again of these readings, the rule does not say the same" in shown.stdout


def test_explain_says_so_when_silver_as_it_was_is_gone(scene: Scene) -> None:
    silver = DeltaTable(str(scene.lake.silver("readings")))
    silver.optimize.compact()
    silver.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    said, shown = scene.explained("JUMP", "a"), scene.alerts("explain", scene.id_of("JUMP", "a"))

    assert said["as_of"] is None
    assert [row["c"] for row in said["readings"]] == [21.0, 31.0]
    assert "which it looked at, was tidied away" in shown.stdout


def test_explain_tells_what_was_said_since(scene: Scene) -> None:
    known = scene.id_of("HIGH", "a")
    scene.alerts("ack", known)
    scene.alerts("silence", "--key", "a")

    shown = scene.alerts("explain", known)

    assert "\nacknowledged" in shown.stdout
    assert "\nsilent now    until" in shown.stdout


def an_event(rule: str = "HIGH", key: str = "a") -> Event:
    known = alert_id("mine", rule, key, NOON)
    return Event("opened", Alert(known, rule, key, "info", NOON, 1.0, 1.0, "", "{}", NOON), "watch", 0)


@pytest.mark.parametrize(
    ("rule", "key", "holds"),
    [("HIGH", None, True), (None, "a", True), ("HIGH", "a", True), ("HIGH", "b", False), ("JUMP", None, False)],
)
def test_a_silence_is_of_a_rule_of_a_key_or_of_both(rule: str | None, key: str | None, holds: bool) -> None:
    silence = Command(NOON, SILENCE, rule=rule, key=key, until=NOON + HOUR)

    assert (silenced_until([silence], "HIGH", "a", NOON) is not None) is holds


def test_what_was_found_while_its_rule_was_silenced_is_covered_and_its_end_too(tmp_path: Path) -> None:
    lake, silences = Lake(tmp_path), Silences(Lake(tmp_path), "mine")
    event = an_event()

    before = silences.cover(event)
    give(lake, "mine", Command(NOON - HOUR, SILENCE, rule="HIGH", until=NOON + HOUR))
    after = silences.cover(event), silences.cover(replace(event, event="closed")), silences.cover(an_event("JUMP"))

    assert (before, *after) == (False, True, True, False)


def test_a_silence_begins_when_it_is_said_and_ends_at_its_time() -> None:
    silence = Command(NOON, SILENCE, rule="HIGH", until=NOON + HOUR)

    held = [silenced_until([silence], "HIGH", "a", NOON + hours * HOUR) is not None for hours in (-1, 0, 0.5, 1)]

    assert held == [False, True, True, False]


def test_the_end_of_a_silence_ends_those_of_its_rule_at_any_key_and_no_wider_one() -> None:
    of_both = Command(NOON, SILENCE, rule="HIGH", key="a", until=NOON + HOUR)
    of_key = Command(NOON, SILENCE, key="a", until=NOON + 2 * HOUR)
    end = Command(NOON, UNSILENCE, rule="HIGH")

    assert silenced_until([of_both, end], "HIGH", "a", NOON) is None
    assert silenced_until([of_both, of_key, end], "HIGH", "a", NOON) == NOON + 2 * HOUR
    assert silenced_until([end, of_both], "HIGH", "a", NOON) == NOON + HOUR


def test_commands_given_at_once_all_stand(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    said = [Command(NOON + timedelta(seconds=at), ACK, f"{at}") for at in range(8)]

    threads = [threading.Thread(target=give, args=(lake, "mine", command)) for command in said]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert given(lake, "mine") == tuple(said)


def at_random(seed: int) -> list[list[Reading]]:
    """Readings of some keys that come in order, in batches, with gaps, jumps, plateaus and nights."""
    chance = Random(seed)
    readings: list[Reading] = []
    for key in "abcde":
        at, value = chance.uniform(0, 30), chance.uniform(18, 25)
        while at < 4000:
            readings.append((key, at, round(value, 1)))
            at += chance.choice([10, 10, 10, 20, 30, 700 if chance.random() < 0.1 else 10])
            value += chance.choice([0, 0, 0, 0.2, 0.5, -0.4, chance.uniform(-9, 9)])
    readings.sort(key=lambda reading: reading[1])
    cuts = sorted(chance.sample(range(1, len(readings)), 6))
    return [readings[a:b] for a, b in zip([0, *cuts], [*cuts, len(readings)], strict=True)]


@pytest.mark.parametrize(("seed", "at_once"), [(0, 1_000_000), (1, 300)])
def test_a_backtest_of_what_is_declared_gives_the_very_alerts_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, at_once: int
) -> None:
    monkeypatch.setattr("vigie.backtest.AT_ONCE", at_once)
    pipeline, lake = a_pipeline(tmp_path, FULL + MORE), Lake.at(tmp_path / "lake")
    graph = load(pipeline).graph()
    watched(lake, graph, *at_random(seed))
    same = ["HIGH=30", "SILENT=10m", "JUMP=5", "LOW=15", "USUAL=2", "OUTLIER=3", "THREE=3", "RISING=40s", "STUCK=2m"]

    tried = backtest(graph, pipeline, lake, same)

    raised = {(row["alert_id"], row["closed_at"], row["value"], row["threshold"]) for row in rows(lake.alerts("mine"))}
    assert len(raised) > 50
    for alerts in ("before", "after"):
        found = [alert for trial in tried.trials for alert in getattr(trial, alerts)]
        assert {(each.alert_id, each.closed_at, each.value, each.threshold) for each in found} == raised
        assert len(found) == len(raised)


def test_a_backtest_says_how_many_alerts_more_or_fewer_and_which(scene: Scene) -> None:
    shown = vigie("backtest", scene.pipeline, "--set", "HIGH=30.9", "--set", "JUMP=20", "--lake", str(scene.lake))
    [high, jump] = listed(
        "backtest", scene.pipeline, "--set", "HIGH=28.5", "--set", "JUMP=20", "--lake", str(scene.lake)
    )

    assert shown.exit_code == 0
    assert "JUMP: 1 fewer" in shown.stdout
    assert (high["alerts_before"], high["alerts_after"], high["more"], high["fewer"]) == (2, 2, [], [])
    assert (jump["alerts_before"], jump["alerts_after"], len(jump["fewer"])) == (1, 0, 1)
    assert jump["fewer"][0]["alert_id"] == scene.id_of("JUMP", "a")


def test_an_alert_that_opens_at_another_reading_has_moved_and_is_neither_more_nor_fewer(scene: Scene) -> None:
    [silent] = listed("backtest", scene.pipeline, "--set", "SILENT=11m", "--lake", str(scene.lake))

    assert (silent["alerts_before"], silent["alerts_after"], silent["more"]) == (2, 1, [])
    assert [alert["key"] for alert in silent["fewer"]] == ["b"]
    assert [(alert["key"], alert["opened_at"]) for alert in silent["moved"]] == [("a", "2026-11-21T12:11:00Z")]


def test_the_limit_moves_together_with_where_the_alert_clears(scene: Scene) -> None:
    [high] = listed("backtest", scene.pipeline, "--set", "HIGH=28", "--lake", str(scene.lake))
    [own] = listed(
        "backtest", scene.pipeline, "--set", "HIGH=28", "--set", "HIGH.clears_at=20", "--lake", str(scene.lake)
    )

    assert high["tried"] == "Above(column='c', limit=28, clears_at=27)"
    assert own["tried"] == "Above(column='c', limit=28, clears_at=20)"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("HIHG=28", "Did you mean HIGH?"),
        ("HIGH.limt=28", "Did you mean limit?"),
        ("HIGH", "'HIGH' sets nothing"),
        ("HIGH=", "'HIGH=' sets nothing"),
        ("HIGH=warm", "'warm' is no number"),
        ("HIGH=nan", "'nan' is no number to compare with"),
        ("HIGH.clears_at=31", "it clears at 31, which is above its limit of 30"),
        ("JUMP=-1", "by is -1: it must be a number above 0"),
        ("SILENT=soon", "'soon' is not a span of time"),
        ("HIGH.column=d", "has no column 'd'"),
    ],
)
def test_a_setting_that_cannot_be_tried_is_refused(scene: Scene, setting: str, words: str) -> None:
    shown = vigie("backtest", scene.pipeline, "--set", setting, "--lake", str(scene.lake))

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert words in shown.stderr


def test_a_backtest_of_an_empty_lake_names_the_command_that_fills_it(tmp_path: Path) -> None:
    pipeline = a_pipeline(tmp_path)

    shown = vigie("backtest", pipeline, "--set", "HIGH=28", "--lake", str(tmp_path / "lake"))

    assert shown.exit_code == 2
    assert "there is no silver/readings yet" in shown.stderr
    assert f"vigie run {pipeline}" in shown.stderr


def test_with_labels_a_backtest_says_precision_and_recall_before_and_after(scene: Scene, tmp_path: Path) -> None:
    labels = tmp_path / "faults.jsonl"
    labels.write_text(
        '{"kind": "hot", "sensor_id": "a", "from": "2026-11-21T12:12:10Z", "to": "2026-11-21T12:12:10Z"}\n'
        '{"kind": "hot", "sensor_id": "c", "from": "2026-11-21T12:12:10", "to": "2026-11-21T12:12:10"}\n'
    )
    args = ["backtest", scene.pipeline, "--set", "HIGH=31", "--labels", str(labels), "--lake", str(scene.lake)]

    [high], shown = listed(*args), vigie(*args)

    assert (high["precision_before"], high["precision_after"]) == (0.5, None)
    assert high["recall"] == {"hot": {"faults": 2, "before": 0.5, "after": 0.0}}
    assert "recall of hot" in shown.stdout


@pytest.mark.parametrize("line", ["{}", "no JSON", '{"kind": "hot", "sensor_id": "a", "from": "noon", "to": 3}'])
def test_a_line_that_is_no_label_is_named(scene: Scene, tmp_path: Path, line: str) -> None:
    (tmp_path / "faults.jsonl").write_text(line)

    shown = vigie(
        "backtest", scene.pipeline, "--set", "HIGH=31", "--labels", str(tmp_path / "faults.jsonl"),
        "--lake", str(scene.lake),
    )  # fmt: skip

    assert shown.exit_code == 2
    assert "faults.jsonl:1" in shown.stderr


def test_an_alert_is_right_when_it_was_open_during_a_fault_of_its_key() -> None:
    alert = an_event().alert
    before = Fault("early", "a", NOON - HOUR, NOON - HOUR / 2)
    during = Fault("met", "a", NOON - HOUR, NOON)
    elsewhere = Fault("met", "b", NOON, NOON)

    found = score([alert], [before, during, elsewhere])

    assert (found.precision, found.recall("early"), found.recall("met")) == (1.0, 0.0, 0.5)


def test_alerts_their_log_and_the_commands_can_be_queried(scene: Scene) -> None:
    scene.alerts("silence", "--rule", "HIGH")

    for table, count in (("alerts", 5), ("alert_events", 8), ("commands", 1)):
        found = listed("query", f"SELECT count(*) AS n FROM vigie.mine_{table}", "--lake", str(scene.lake))
        assert found == [{"n": count}]


def test_what_is_watched_is_drawn_with_its_rules(scene: Scene) -> None:
    text, mermaid, svg = (vigie("graph", scene.pipeline, "--form", form).stdout for form in ("text", "mermaid", "svg"))

    assert "alerts by sensor_id" in text
    assert "HIGH  critical: Above(column='c', limit=30, clears_at=29)" in text
    assert '    d0(["alerts by sensor_id"])\n    n0 --> n1\n    n1 --> d0' in mermaid
    assert ">alerts by sensor_id</text>" in svg
