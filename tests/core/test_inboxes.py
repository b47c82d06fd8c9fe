"""The files of an inbox in the lake: every byte, in their batches, once; and what changed after it was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.loops import ONE_FILE_A_BATCH, run
from tests.core.numbers import FIRST, LEDGER, SECOND, a_number, numbers, rows
from tests.runs import GARBAGE, an_inbox, run_once
from vigie.connectors.inbox import Inbox
from vigie.core.engine import Engine
from vigie.errors import RunFailed


def test_garbage_is_in_bronze_and_in_quarantine_byte_for_byte(engine: Engine, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [*GARBAGE.values(), a_number()])

    run(tmp_path / "lake", engine, numbers(), Inbox(folder))

    sent = dict(enumerate([*GARBAGE.values(), a_number()], 1))
    assert {row["line"]: row["value"] for row in rows(tmp_path / "lake", "bronze/raw")} == sent
    aside = {row["line"]: row for row in rows(tmp_path / "lake", "quarantine/numbers")}
    assert {line: row["value"] for line, row in aside.items()} == {
        line: value for line, value in sent.items() if line <= len(GARBAGE)
    }
    assert {row["file"] for row in aside.values()} == {"000.jsonl"}
    assert all(row["rules"] for row in aside.values())
    assert len(rows(tmp_path / "lake", "silver/even")) == 1, "and what follows it goes through"


def test_json_files_are_read_like_jsonl_one_message_a_line(engine: Engine, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [a_number(2, k="jsonl")])
    (folder / "b.json").write_bytes(a_number(2, k="json") + b"\n[1]\n" + a_number(4, k="last"))
    (folder / "c.json").write_bytes(b"")
    (folder / ".d.json").write_bytes(a_number(2, k="hidden"))

    run(tmp_path / "lake", engine, numbers(), Inbox(folder))

    assert sorted(row["k"] for row in rows(tmp_path / "lake", "silver/even")) == ["json", "jsonl", "last"]
    [aside] = rows(tmp_path / "lake", "quarantine/numbers")
    assert (aside["file"], aside["line"], aside["value"]) == ("b.json", 2, b"[1]")


def test_a_file_that_changes_after_it_was_read_stops_the_next_run_by_name(tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    run_once(numbers(), tmp_path / "lake", raw=folder)
    with (folder / "000.jsonl").open("ab") as file:
        file.write(a_number(4, 5) + b"\n")
    (folder / "001.jsonl").write_bytes(b"\n".join(SECOND))

    with pytest.raises(RunFailed, match="changed after it was read.*000.jsonl"):
        run_once(numbers(), tmp_path / "lake", raw=folder)


def test_new_files_are_read_once_and_those_that_are_gone_are_no_concern(engine: Engine, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    run(tmp_path / "lake", engine, numbers(), Inbox(folder), batches=1)
    (folder / "000.jsonl").unlink()
    (folder / "001.jsonl").write_bytes(b"\n".join(SECOND))

    told = run(tmp_path / "lake", engine, numbers(), Inbox(folder))

    assert [(entry.table, entry.batch, entry.read) for entry in told] == [("bronze/raw", 1, 2), ("silver/even", 1, 2)]


def cuts(lake: Path) -> list[list[Any]]:
    """What the ledger says of the files of each batch: name, size, lines."""
    entries = sorted(rows(lake, LEDGER), key=lambda entry: entry["batch"])
    found = [json.loads(entry["offsets"])["part"] for entry in entries if entry["table"] == "bronze/raw"]
    return [[[bytes.fromhex(name).decode(), size, lines] for name, size, _, lines, _ in part] for part in found]


def test_each_batch_knows_its_files_and_the_empty_ones_too(engine: Engine, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [], [b"1"], [], [b"2", b"3"], [])

    run(tmp_path / "lake", engine, numbers(), Inbox(folder), bounds=ONE_FILE_A_BATCH)

    found = [part for part in cuts(tmp_path / "lake") if part]
    assert [file for part in found for file in part] == [
        ["000.jsonl", 0, 0],
        ["001.jsonl", 2, 1],
        ["002.jsonl", 0, 0],
        ["003.jsonl", 4, 2],
        ["004.jsonl", 0, 0],
    ]
    assert len(found) > 1
