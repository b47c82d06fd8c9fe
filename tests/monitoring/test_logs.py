"""What goes to standard error: lines for a person, or one JSON object a line for a program, from every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vigie.cli import app
from vigie.core.ledger import Entry
from vigie.core.observer import THE_LOG, Watcher, both
from vigie.terminal import LogFormat, command

BATCH = [
    Entry("heat", "bronze/heat", 3, 1_000, 1_000, 0, 0, 0),
    Entry("heat", "silver/readings", 3, 1_000, 990, 4, 5, 1),
]
WRONG = """
from vigie import Pipeline

mine = Pipeline("mine")
raw = mine.source("raw", schema="id STRIN", key="id")
"""


def vigie(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def told(capsys: pytest.CaptureFixture[str], form: LogFormat) -> list[str]:
    """What a batch is logged as, once a command has set up the log so."""

    @command
    def act() -> None:
        THE_LOG.batch(BATCH)

    act(**{"log_format": form})
    return capsys.readouterr().err.splitlines()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_batch_is_one_object_with_the_figures_of_the_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    [line] = told(capsys, LogFormat.JSON)

    said = json.loads(line)
    assert (said["query"], said["batch"], said["level"]) == ("heat", 3, "info")
    assert said["tables"] == {
        "bronze/heat": {"read": 1_000, "accepted": 1_000, "quarantined": 0, "duplicate": 0, "late": 0},
        "silver/readings": {"read": 1_000, "accepted": 990, "quarantined": 4, "duplicate": 5, "late": 1},
    }
    assert said["at"].endswith("Z")


def test_a_person_is_told_of_a_batch_in_a_line_for_each_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, LogFormat.TEXT)

    assert [line.partition("Z ")[2] for line in lines] == [str(entry) for entry in BATCH]


def test_two_who_are_told_are_told_the_same() -> None:
    first: list[object] = []
    second: list[object] = []
    watcher = both(Watcher(taken=first.append, batch=first.extend), Watcher(taken=second.append, batch=second.extend))

    watcher.taken("means-to-postgres-0")
    watcher.batch(BATCH)
    watcher.put_off("means-to-postgres-0")

    assert first == second == ["means-to-postgres-0", *BATCH]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["check", "nothing"], 2, "there is no pipeline 'nothing'"),
        (["check", "WRONG"], 2, "problem"),
        (["ledger", "flights", "--lake", "LAKE"], 2, "there is no ledger yet"),
        (["status", "flights", "--lake", "LAKE"], 2, "has not run in this lake yet"),
        (["run", "flights", "--every", "soon"], 2, "not a span"),
        (["feed", "flights", "--rows", "5", "--lake", "LAKE"], 0, "5 messages are in"),
        (["maintain", "--lake", "LAKE"], 2, "there is no lake"),
        (["query", "SELEC 1", "--lake", "."], 2, "syntax error"),
    ],
)
def test_what_goes_to_standard_error_is_an_object_a_line(tmp_path: Path, args: list[str], code: int, says: str) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    names = {"LAKE": str(tmp_path / "lake"), "WRONG": str(tmp_path / "wrong.py")}

    shown = vigie(*(names.get(arg, arg) for arg in args), "--log-format", "json")

    said = objects(shown.stderr)
    assert shown.exit_code == code, shown.stderr
    assert any(says in each["message"] for each in said), said
    assert {each["level"] for each in said} <= {"info", "error"}
    assert ("error" in {each["level"] for each in said}) == (code != 0 and "WRONG" not in args)


def test_debug_puts_the_trace_into_the_object() -> None:
    [said] = objects(vigie("check", "nothing", "--debug", "--log-format", "json").stderr)

    assert said["level"] == "error"
    assert said["trace"].startswith("Traceback")
