"""`vigie feed sensors --labels`: the faults of a simulated feed, written down beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vigie.cli import app


def feed(folder: Path, *flags: str) -> Result:
    to = ("--to", f"inbox:{folder / 'in'}")
    return CliRunner().invoke(app, ["feed", "sensors", "iot_sensors", *to, *flags])


def test_every_fault_of_a_feed_is_a_line_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    file.write_text("what an earlier feed said\n")

    shown = feed(tmp_path, "--rows", "5000", "--keys", "100", "--faults", "0.3", "--labels", str(file))

    labels = [json.loads(line) for line in file.read_text().splitlines()]
    assert shown.exit_code == 0, shown.output
    assert len({label["kind"] for label in labels}) > 10
    assert all(label["from"] <= label["to"] for label in labels)


def test_labels_do_not_change_the_feed(tmp_path: Path) -> None:
    asked = ("--rows", "2000", "--faults", "0.3", "--start", "0")

    feed(tmp_path / "with", *asked, "--labels", str(tmp_path / "faults.jsonl"))
    feed(tmp_path / "without", *asked)

    with_labels, without = ([file.read_bytes() for file in sorted((tmp_path / name / "in").glob("*.jsonl"))]
                            for name in ("with", "without"))  # fmt: skip
    assert with_labels and with_labels == without


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--labels", "f.jsonl"], "no faults are asked for"),
        (["--labels", "no/folder/f.jsonl", "--faults", "0.1"], "cannot be written"),
        (["--labels", "f.jsonl", "--faults", "0.1", "--keys", "200000"], "--keys"),
        (["--labels", "f.jsonl", "--live"], "--live --labels"),
    ],
)
def test_labels_that_cannot_be_are_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)

    shown = feed(tmp_path, "--rows", "10", *flags)

    assert shown.exit_code == 2
    assert says in shown.stderr
    assert not list(tmp_path.iterdir())
