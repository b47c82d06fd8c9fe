"""`vigie status`: what a pipeline's lake says, to a person and to a program, without Spark."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from rich.console import Console
from typer.testing import CliRunner, Result

from tests.sinks.receivers import a_log, an_alert, found, opened
from tests.test_cli import a_broken_row, a_lake, an_entry
from vigie.alerts import ALERTS
from vigie.cli import app
from vigie.core.alerts.dead_letters import DeadLetters
from vigie.core.alerts.unsent import Note
from vigie.disk import write_whole
from vigie.lake import Lake
from vigie.monitoring.standing import standing
from vigie.pipeline import load
from vigie.status import drawn

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _now_is_when_the_test_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was read many minutes ago in a long run. Delta keeps statistics to the millisecond."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(microsecond=0))


VIGIE = [sys.executable, "-c", "from vigie.cli import main; main()"]
MINE = '''
from vigie import Pipeline
from vigie.detectors import Above
from vigie.sinks.notify import Notify
from vigie.sinks.webhook import Webhook

mine = Pipeline("mine")
raw = mine.source("things_raw", schema="id STRING, at TIMESTAMP, c DOUBLE", key="id")


@mine.silver(
    "things", reads=raw, schema="id STRING, at TIMESTAMP, c DOUBLE", event_time="at", late_by="1 minute", unique=("id",)
)
def things(rows):
    """One thing."""
    return rows


watched = mine.watch(things, key="id")
watched.alert("HIGH", Above("c", 30), severity="critical")
watched.deliver(to=Webhook())
watched.deliver(to=Notify())
'''


def vigie(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def a_pipeline(folder: Path) -> str:
    (folder / "mine.py").write_text(MINE)
    return str(folder / "mine.py")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    """A lake in which two batches were taken, with what broke rules, a delivery and alerts; what a person types."""
    entries = [
        an_entry(table="bronze/things_raw", batch=0, accepted=10, quarantined=0, duplicate=0, late=0, at=ago(90)),
        an_entry(batch=0, at=ago(90)),
        an_entry(batch=1, at=ago(30), accepted=10, quarantined=0, duplicate=0, late=0),
    ]
    flags = a_lake(tmp_path, entries, [a_broken_row(), a_broken_row(rules=["has a key", "is valid JSON"])])
    lake = Lake(tmp_path / "lake")
    times = pa.array([ago(300), ago(45)], pa.timestamp("us", "UTC"))
    write_deltalake(lake.silver("things"), pa.table({"at": times}))
    alerts = [an_alert("a", severity="critical"), an_alert("b", severity="critical"), an_alert("c").closed(NOW)]
    write_deltalake(lake.alerts("mine"), pa.Table.from_pylist([alert.row() for alert in alerts], ALERTS))
    done = lake.notes("mine") / "things-to-parquet-0" / "done"
    write_whole(done, "10")
    os.utime(done, (ago(20).timestamp(),) * 2)
    return [a_pipeline(tmp_path), *flags]


def test_a_program_is_given_one_object(place: list[str]) -> None:
    newest = ago(45)
    earliest = (datetime.now(UTC) - newest).total_seconds()

    shown = vigie("status", *place, "--json")

    latest = (datetime.now(UTC) - newest).total_seconds()
    said = json.loads(shown.stdout)
    tables = {each["table"]: each for each in said["tables"]}
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert (said["pipeline"], said["every_row_is_accounted_for"]) == ("mine", True)
    assert said["open_alerts"] == [{"rule": "HIGH", "severity": "critical", "open": 2}]
    assert said["quarantine"] == [{"rule": "is valid JSON", "rows": 2}, {"rule": "has a key", "rows": 1}]
    assert {each["query"]: each["batch"] for each in said["queries"]} == {"things_raw": 1, "things-to-parquet-0": 10}
    things = tables["silver/things"]
    assert [things[part] for part in ("rows", "batches", "read", "accepted", "quarantined", "duplicate", "late")] == [
        2, 2, 20, 17, 1, 1, 1,
    ]  # fmt: skip
    assert things["newest_at"] == newest.isoformat().replace("+00:00", "Z")
    assert int(earliest) <= things["lag_s"] <= latest


def test_a_person_is_told_what_comes_first_in_a_line_and_the_rest_in_tables(place: list[str]) -> None:
    shown = vigie("status", *place, "--once")

    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert re.fullmatch(
        r"mine at .* UTC: every row read is accounted for; last batch \d+ (s|min) ago; 2 alerts open", lines[0]
    )
    assert any(re.fullmatch(r"silver/things 2 \d+ (s|min) 20 17 1 1 1", line) for line in lines), lines
    assert any(line == "critical HIGH 2" for line in lines)
    assert any(line == "is valid JSON 2" for line in lines)
    assert any(line.startswith("things-to-parquet-0 10 ") for line in lines)


@pytest.fixture
def untold(place: list[str]) -> list[str]:
    """The same, and a webhook that refused one alert for good and has two to take; e-mail was not set up last time."""
    lake, watch = Lake(Path(place[-1])), "watch-things-by-id"
    a_log(lake.alert_events("mine"))
    for sink in ("webhook", "notify"):
        write_whole(lake.checkpoint("mine", f"outbox-{sink}-of-{watch}") / "note.json", str(Note(0)))
    (lake.checkpoint("mine", f"outbox-notify-of-{watch}") / "off").touch()
    found(lake.alert_events("mine"), *(opened(key, watch=watch, raised_at=ago(900)) for key in "ab"))
    DeadLetters(lake.dead_letters("mine"), "mine", f"outbox-webhook-of-{watch}").add(opened("c", watch=watch), "no", 3)
    return place


def test_what_nobody_was_told_of_stands_beside_the_rows_that_are_accounted_for(untold: list[str]) -> None:
    shown = vigie("status", *untold, "--once")

    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "every row read is accounted for; 2 notifications wait; 1 is a dead letter; last batch" in lines[0]
    assert any(re.fullmatch(r"outbox-webhook-of-watch-things-by-id 2 1\d min 1", line) for line in lines), lines
    assert any(re.fullmatch(r"outbox-notify-of-watch-things-by-id \(off\) 2 1\d min 0", line) for line in lines), lines


def test_a_program_is_told_what_waits_where_and_since_when(untold: list[str]) -> None:
    said = json.loads(vigie("status", *untold, "--json").stdout)

    since = ago(900).isoformat().replace("+00:00", "Z")
    webhook, notify = said["notifications"]
    assert webhook == {
        "delivery": "outbox-webhook-of-watch-things-by-id", "waiting": 2, "since": since, "dead_letters": 1,
        "is_off": False,
    }  # fmt: skip
    assert (notify["waiting"], notify["is_off"]) == (2, True)


def test_a_batch_that_does_not_add_up_comes_before_all_else(tmp_path: Path) -> None:
    flags = a_lake(tmp_path, [an_entry(), an_entry(batch=1, accepted=6)], [])

    shown = vigie("status", a_pipeline(tmp_path), *flags, "--once")
    listed = json.loads(vigie("status", a_pipeline(tmp_path), *flags, "--json").stdout)

    assert "NOT every row is accounted for: silver/things;" in shown.stdout.splitlines()[0]
    assert listed["every_row_is_accounted_for"] is False
    assert [each["unsettled"] for each in listed["tables"] if each["table"] == "silver/things"] == [1]


def test_a_gold_table_promises_no_equation_and_breaks_none(tmp_path: Path) -> None:
    gold = an_entry(table="gold/counts", accepted=None, quarantined=None, duplicate=None, late=3)

    shown = vigie("status", a_pipeline(tmp_path), *a_lake(tmp_path, [an_entry(), gold], []), "--once")

    assert "every row read is accounted for" in shown.stdout


@pytest.mark.parametrize("form", ["--json", "--once", "--plain"])
def test_a_pipeline_that_has_not_run_yet_is_a_sentence_and_what_to_do(tmp_path: Path, form: str) -> None:
    shown = vigie("status", a_pipeline(tmp_path), "--lake", str(tmp_path / "lake"), form)

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "pipeline 'mine' has not run in this lake yet" in shown.stderr
    assert "vigie run " in shown.stderr


def test_a_run_that_has_written_no_batch_yet_says_so(tmp_path: Path) -> None:
    shown = vigie("status", a_pipeline(tmp_path), *a_lake(tmp_path, [], []), "--once")

    assert shown.exit_code == 0
    assert "no batch has been written down yet" in shown.stdout


def test_a_span_that_is_none_is_exit_2(place: list[str]) -> None:
    assert "not a span" in vigie("status", *place, "--every", "often").stderr
    assert vigie("status", *place, "--every", "0s").exit_code == 2


@pytest.mark.parametrize("width", [80, 140])
def test_the_picture_is_as_wide_as_the_terminal(place: list[str], width: int) -> None:
    [pipeline, _, lake] = place
    console = Console(width=width, height=50, force_terminal=False)

    with console.capture() as captured:
        console.print(drawn(standing(load(pipeline).graph(), pipeline, Lake.at(lake))))

    assert {len(line) for line in captured.get().splitlines()} == {width}
    assert "silver/things" in captured.get()


def started(place: list[str], *flags: str, output: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([*VIGIE, "status", *place, *flags], stdout=output, stderr=subprocess.PIPE, text=True)


def test_what_is_no_terminal_is_given_a_report_again_and_again_until_it_is_told_to_stop(place: list[str]) -> None:
    with started(place, "--every", "10ms", output=subprocess.PIPE) as process:
        assert process.stdout is not None
        reports = 0
        while reports < 3:
            reports += "mine at " in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (0, "")


def test_a_terminal_is_given_a_picture_that_changes_in_place(place: list[str]) -> None:
    ours, theirs = pty.openpty()
    with started(place, "--every", "10ms", output=theirs) as process:
        os.close(theirs)
        seen = b""
        while seen.count("vigie · mine".encode()) < 3:
            seen += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        # A terminal that nobody reads is soon full, and who writes to it waits; at its end it gives an error.
        with suppress(OSError):
            while more := os.read(ours, 65_536):
                seen += more
        _, said = process.communicate(timeout=60)
    os.close(ours)

    assert (process.returncode, said) == (0, "")
    assert b"\x1b[1A" in seen, "the cursor goes back up"


def test_status_needs_no_spark(place: list[str]) -> None:
    program = (
        "import sys; from vigie.cli import app\n"
        f"app(['status', *{place!r}, '--json'], standalone_mode=False)\n"
        "assert 'pyspark' not in sys.modules, 'Spark was imported'"
    )

    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
