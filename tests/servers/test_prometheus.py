"""A run that a real Prometheus scrapes: what it then knows is what the lake says, and rules and pages can ask it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runs import an_inbox, until
from tests.servers.postgresql import a_server
from tests.sinks.receivers import Hooks, a_free_port
from vigie.lake import Lake, rows
from vigie.monitoring.pages import PAGES

CONFIG = Path(__file__).parents[2] / "config"
VIGIE = str(Path(sys.executable).with_name("vigie"))
awaited = partial(until, seconds=120)  # for Spark on a machine that has other things to do
PARTS = ("accepted", "quarantined", "duplicate", "late")
# Warm ones, one that is no JSON, one that comes twice; then one that is too late.
PIPELINE = """
from pyspark.sql import functions as F

from vigie import Pipeline
from vigie.detectors import Above
from vigie.sinks.webhook import Webhook

stove = Pipeline("stove")
heat = stove.source("heat", schema="id STRING, t TIMESTAMP, c DOUBLE", key="id")


@stove.silver(
    "readings", reads=heat, schema="id STRING, t TIMESTAMP, c DOUBLE", event_time="t", late_by="1 minute",
    unique=("id", "t"),
)
def readings(rows):
    return rows


@stove.gold("means", reads=readings, late_by="1 minute")
def means(rows):
    return rows.groupBy(F.window("t", "1 minute"), "id").agg(F.avg("c").alias("mean_c"))


watched = stove.watch(readings, key="id")
watched.alert("HOT", Above("c", 30), severity="critical")
watched.deliver(to=Webhook())
"""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"'{name}' is not on this machine. Install Debian's package: apt-get install prometheus")
    return found


def promtool(*words: str, given: str | None = None) -> str:
    """What promtool says; it must be content."""
    answer = subprocess.run([program("promtool"), *words], input=given, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def a_reading(key: str, seconds: int, c: float) -> bytes:
    return json.dumps({"id": key, "t": f"2025-06-01T12:{seconds // 60:02}:{seconds % 60:02}Z", "c": c}).encode()


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes twice a second, by the configuration that ships but for the address."""

    url: str

    def get(self, path: str, **asked: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/{path}?{urllib.parse.urlencode(asked)}") as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("api/v1/query", query=expression)["result"]
        return found

    def figures(self, expression: str, label: str) -> dict[str, float]:
        return {each["metric"][label]: float(each["value"][1]) for each in self.ask(expression)}

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready"):
                return True
        except OSError:
            return False


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    shutil.copytree(CONFIG / "prometheus", folder)
    settings = yaml.safe_load((folder / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{a_free_port()}"
    flags = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program("prometheus"), *flags, f"--web.listen-address={address}"], stderr=log)
        server = Prometheus(f"http://{address}")
        try:
            until(server.is_ready)
            yield server
        finally:
            process.terminate()
            process.wait(30)


@dataclass(frozen=True)
class Scene:
    """A run that is scraped, and what it said up to a moment at which nothing more is on its way."""

    prometheus: Prometheus
    lake: Lake
    scraped: str
    log: list[str]
    status: dict[str, Any]
    hooks: Hooks


def ended(run: subprocess.Popen[bytes]) -> None:
    """What must not outlive the test, whatever became of it."""
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(30)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    (folder / "stove.py").write_text(PIPELINE)
    lake = Lake(folder / "lake")
    inbox = lake.inbox("heat")
    twice = a_reading("a", 0, 20)
    an_inbox(inbox, [twice, twice, a_reading("a", 400, 31), a_reading("b", 400, 35), b'{"id": 1'])
    port = a_free_port()
    hooks = Hooks(lambda before: (503, {"Retry-After": "0"}) if before < 2 else (200, {}))
    command = [VIGIE, "run", "stove.py", "--lake", "lake", "--metrics-port", str(port), "--log-format", "json"]
    with ExitStack() as closing:
        closing.enter_context(hooks.running())
        around = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_") or "CACHE" in name}
        environment = {**around, "VIGIE_WEBHOOK_URL": hooks.url}
        log = closing.enter_context((folder / "log").open("w"))
        run = subprocess.Popen(command, cwd=folder, env=environment, stderr=log, start_new_session=True)
        closing.callback(ended, run)
        server = closing.enter_context(prometheus(folder / "prometheus", f"127.0.0.1:{port}"))
        awaited(lambda: server.figures("vigie_rows_read_total", "table").get("silver/readings") == 5)
        (inbox / "later.jsonl").write_bytes(a_reading("a", 100, 20) + b"\n")
        awaited(lambda: server.figures('vigie_rows_total{outcome="late"}', "table").get("silver/readings") == 1)
        awaited(lambda: len(hooks.taken()) == 2)
        for last in ("vigie_batch_duration_seconds_count", "vigie_deliveries_total", "vigie_watermark_age_seconds"):
            awaited(partial(server.ask, f"count_over_time({last}[5m]) > 2"))  # then all that were scraped have a rate
        shown = [VIGIE, "status", "stove.py", "--lake", "lake", "--json"]
        status = subprocess.run(shown, cwd=folder, capture_output=True, text=True, check=True)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            scraped = page.read().decode()
        yield Scene(server, lake, scraped, (folder / "log").read_text().splitlines(), json.loads(status.stdout), hooks)
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 0, (folder / "log").read_text()


def totals(lake: Lake) -> dict[str, dict[str, int]]:
    """What the ledger says of the tables that promise an equation."""
    entries = [entry for entry in rows(lake.ledger("stove")) if entry["accepted"] is not None]
    tables = {entry["table"] for entry in entries}
    return {
        table: {part: sum(entry[part] for entry in entries if entry["table"] == table) for part in ("read", *PARTS)}
        for table in tables
    }


def test_prometheus_knows_what_the_ledger_says(scene: Scene) -> None:
    told = totals(scene.lake)

    assert told["silver/readings"] == {"read": 6, "accepted": 3, "quarantined": 1, "duplicate": 1, "late": 1}
    for table, parts in told.items():
        read = scene.prometheus.figures(f'vigie_rows_read_total{{table="{table}"}}', "table")
        outcomes = scene.prometheus.figures(f'vigie_rows_total{{table="{table}"}}', "outcome")
        assert (read[table], outcomes) == (parts["read"], {part: parts[part] for part in PARTS})


def test_what_is_scraped_keeps_prometheus_own_rules(scene: Scene) -> None:
    assert promtool("check", "metrics", given=scene.scraped) == ""


def test_every_measure_was_scraped_with_a_value(scene: Scene) -> None:
    names = set(re.findall(r"^# TYPE (vigie_\w+) (?!histogram)", scene.scraped, re.MULTILINE))
    names |= {f"{name}_count" for name in re.findall(r"^# TYPE (vigie_\w+) histogram", scene.scraped, re.MULTILINE)}

    known = set(scene.prometheus.get("api/v1/label/__name__/values"))

    assert len(names) == 15
    assert names - known == set()


def test_alerts_and_their_delivery_are_measured(scene: Scene) -> None:
    ask = scene.prometheus.figures
    delivered = ask("vigie_deliveries_total", "delivery")
    [name] = delivered

    assert ask("vigie_open_alerts", "rule") == {"HOT": 2}
    assert ask('vigie_alert_turns_total{turn="opened"}', "rule") == {"HOT": 2}
    assert delivered[name] == len(scene.hooks.taken()) == 2
    assert ask("vigie_delivery_retries_total", "delivery") == {name: 2}


def test_batches_are_measured_by_query(scene: Scene) -> None:
    ask = scene.prometheus.figures
    batches = ask("vigie_batch_duration_seconds_count", "query")
    took = ask("vigie_batch_duration_seconds_sum", "query")

    assert set(batches) == {"heat", "means"}
    assert batches["heat"] == len([entry for entry in rows(scene.lake.ledger("stove")) if entry["query"] == "heat"]) / 2
    assert all(0 < took[query] / batches[query] < 60 for query in batches)
    assert all(0 < time.time() - at < 600 for at in ask("vigie_last_batch_timestamp_seconds", "query").values())
    assert ask("vigie_state_rows", "query") == {}, "the loop keeps no state"


def test_the_rules_that_ship_are_loaded_and_hold_nothing_against_a_run_that_adds_up(scene: Scene) -> None:
    [group] = scene.prometheus.get("api/v1/rules")["groups"]

    states = {rule["name"]: rule for rule in group["rules"]}
    assert {rule["health"] for rule in states.values()} == {"ok"}
    assert states["VigieLedgerDoesNotAddUp"]["state"] == "inactive"
    assert states["VigieCannotReadItsLake"]["state"] == "inactive"


def asked() -> list[str]:
    """The questions of the pages, as Grafana asks them."""
    panels = [panel for page in PAGES for _, row in page.rows for panel in row if not panel.is_sql]
    return [panel.query.replace("$__rate_interval", "1m").replace("$pipeline", ".+") for panel in panels]


def test_each_question_of_grafanas_pages_is_answered(scene: Scene) -> None:
    questions = asked()

    answers = {question: scene.prometheus.ask(question) for question in questions}

    silent = {question for question, answer in answers.items() if not answer and 'pipeline="sensors"' not in question}
    assert len(questions) > 20
    assert silent == set(), "no figure of these was exported"


def test_the_log_is_an_object_a_line_and_one_of_them_for_each_batch(scene: Scene) -> None:
    said = [json.loads(line) for line in scene.log]

    batches = [each for each in said if each.get("query") == "heat"]
    summed = {
        table: {part: sum(each["tables"][table][part] for each in batches) for part in ("read", *PARTS)}
        for table in ("bronze/heat", "silver/readings")
    }
    assert [each["batch"] for each in batches] == list(range(len(batches)))
    assert summed == totals(scene.lake)


def test_status_says_of_the_running_pipeline_what_prometheus_says(scene: Scene) -> None:
    tables = {each["table"]: each for each in scene.status["tables"]}

    assert {part: tables["silver/readings"][part] for part in ("read", *PARTS)} == totals(scene.lake)["silver/readings"]
    assert scene.status["open_alerts"] == [{"rule": "HOT", "severity": "critical", "open": 2}]
    assert scene.status["every_row_is_accounted_for"] is True
    assert {each["query"] for each in scene.status["queries"]} == {"heat", "means"}


def test_the_rules_are_right_and_do_what_their_own_tests_say() -> None:
    folder = CONFIG / "prometheus"
    rules = yaml.safe_load((folder / "vigie.rules.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((folder / "vigie.rules.test.yml").read_text())["tests"]

    assert "SUCCESS" in promtool("check", "config", str(folder / "prometheus.yml"))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(folder / "vigie.rules.yml"))
    assert "SUCCESS" in promtool("test", "rules", str(folder / "vigie.rules.test.yml"))
    names = {rule["alert"] for rule in rules}
    for test in tests:
        assert {each["alertname"] for each in test["alert_rule_test"]} == names, test["name"]


def test_each_question_of_grafanas_pages_is_promql(tmp_path: Path) -> None:
    """As Grafana sends them, every question is a rule that could be recorded."""
    recorded = [{"record": f"vigie:question_{at}", "expr": text} for at, text in enumerate(asked())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": recorded}]}))

    assert f"{len(recorded)} rules found" in promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_postgresql_answers_what_the_sensors_page_asks() -> None:
    questions = [panel.query for page in PAGES for _, row in page.rows for panel in row if panel.is_sql]
    columns = ", ".join(f"{name}_c double precision" for name in ("mean", "min", "max", "stddev", "p50", "p95", "p99"))
    with a_server() as server:
        server.ask(
            "CREATE TABLE readings_5m (window_start timestamptz, window_end timestamptz, sensor_id text, "
            f"readings bigint, {columns})"
        )
        server.ask(
            "INSERT INTO readings_5m SELECT '2026-11-21 12:00Z', '2026-11-21 12:05Z', 'SENSOR_' || n, 10, "
            "20 + n, 19 + n, 21 + n, 0.5, 20 + n, 21, 21 FROM generate_series(0, 2) AS n"
        )
        answers = [
            server.ask(
                re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2026-11-21' AND '2026-11-22'", question).replace(
                    "${sensor:sqlstring}", "'SENSOR_1'"
                )
            )
            for question in questions
        ]

    every, one, warmest, _ = answers
    assert every[0][1:] == (19, 21, 23)
    assert one[0][1:] == (21, 21)
    assert [row[0] for row in warmest] == ["SENSOR_2", "SENSOR_1", "SENSOR_0"]
