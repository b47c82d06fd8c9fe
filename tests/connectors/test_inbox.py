"""Files of an inbox: none is hidden, each is read once, and what was read stays what it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vigie.connectors.inbox import Inbox
from vigie.connectors.tcp import Received
from vigie.core.source import Bounds
from vigie.errors import BadAddress, RunFailed

ALL = Bounds(1_000_000, 1 << 30)


def put(folder: Path, name: bytes, content: bytes, at: float = 1_000.0) -> bytes:
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as file:
        file.write(content)
    os.utime(path, (at, at))
    return path


def taken(inbox: Inbox, bounds: Bounds = ALL) -> list[tuple[str, int, bytes]]:
    span = inbox.there(None, bounds).span
    if span is None:
        return []
    rows = inbox.read(span)
    assert rows.num_rows == span.messages
    return [(row["file"], row["line"], row["value"]) for row in rows.to_pylist()]


def test_no_name_locale_or_date_hides_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    put(tmp_path, "é.jsonl".encode(), b"1\n", at=7_258_118_400.0)  # of the year 2200
    put(tmp_path, b"\xff[1]{*}.jsonl", b"2\n", at=0.0)
    put(tmp_path, b"a b%20.json", b"3\n", at=2_000.0)

    assert taken(Inbox(tmp_path)) == [
        ("\\xff[1]{*}.jsonl", 1, b"2"),
        ("a b%20.json", 1, b"3"),
        ("é.jsonl", 1, b"1"),
    ]


def test_files_are_taken_by_the_time_of_their_change_then_by_name_and_once(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    put(tmp_path, b"b.jsonl", b"x\n", at=5.0)
    put(tmp_path, b"a.jsonl", b"y\n", at=5.0)
    put(tmp_path, b"c.jsonl", b"z\n", at=4.0)

    assert [file for file, *_ in taken(inbox)] == ["c.jsonl", "a.jsonl", "b.jsonl"]
    put(tmp_path, b"0.jsonl", b"w\n", at=1.0)
    assert [file for file, *_ in taken(inbox)] == ["0.jsonl"]
    assert taken(inbox) == []


def test_a_line_ends_at_lf_alone_and_the_last_may_have_none(tmp_path: Path) -> None:
    put(tmp_path, b"a.jsonl", b"one\r\n\n\x0b\xc2\x85two\n last")

    assert [value for *_, value in taken(Inbox(tmp_path))] == [b"one\r", b"", b"\x0b\xc2\x85two", b" last"]


def test_what_is_hidden_unfinished_a_folder_or_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    for name in (b".a.jsonl", b"_b.jsonl", b"c.txt", b"d.jsonl.tmp"):
        put(tmp_path, name, b"1\n")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")

    assert taken(Inbox(tmp_path)) == []


def test_a_batch_takes_files_up_to_a_size_and_at_least_one(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    for number in range(4):
        put(tmp_path, b"%d.jsonl" % number, b"x" * 99 + b"\n", at=float(number))

    assert len(taken(inbox, Bounds(10, 250))) == 2
    assert len(taken(inbox, Bounds(10, 10))) == 1
    assert len(taken(inbox, Bounds(10, 10))) == 1
    assert taken(inbox) == []


def test_a_file_that_changed_between_the_plan_and_the_reading_is_named(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    path = put(tmp_path, b"a.jsonl", b"1\n")
    span = inbox.there(None, ALL).span
    assert span is not None

    put(tmp_path, b"a.jsonl", b"2\n")
    with pytest.raises(RunFailed, match=r"a file changed after it was read.*\(a\.jsonl\)"):
        inbox.read(span)
    os.unlink(path)
    with pytest.raises(RunFailed, match=r"taken away before it was read \(a\.jsonl\)"):
        inbox.read(span)


def test_a_file_that_changes_after_it_was_read_is_seen_and_one_that_is_only_touched_is_not(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    put(tmp_path, b"a.jsonl", b"1\n")
    taken(inbox)

    put(tmp_path, b"a.jsonl", b"1\n", at=9_000.0)
    inbox.watch()
    put(tmp_path, b"a.jsonl", b"1\n2\n", at=9_001.0)
    with pytest.raises(RunFailed, match="a file changed after it was read"):
        inbox.watch()


def test_a_file_that_was_renamed_after_it_was_read_is_known_again_and_a_copy_of_it_is_read(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    put(tmp_path, b"a.jsonl", b"1\n")
    taken(inbox)

    (tmp_path / "a.jsonl").rename(tmp_path / "z.jsonl")
    assert taken(inbox) == []
    put(tmp_path, b"copy.jsonl", b"1\n")
    assert [file for file, *_ in taken(inbox)] == ["copy.jsonl"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadAddress, match="there is no such inbox"):
        Inbox(tmp_path / "nowhere").check()


def test_a_file_that_nobody_reads_is_named_once_when_it_is_there_and_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "events.csv").write_text("a,b\n")
    inbox = Inbox(tmp_path)
    inbox.check()
    inbox.watch()
    (tmp_path / "late.txt").write_text("x")
    inbox.watch()

    assert caplog.text.count("events.csv is not read") == 1
    assert caplog.text.count("late.txt is not read") == 1


def test_what_stopped_the_receiver_of_a_socket_is_raised_by_its_inbox(tmp_path: Path) -> None:
    failed: list[Exception] = []

    def check() -> None:
        if failed:
            raise failed[0]

    inbox = Received(tmp_path, still_there=check)
    inbox.watch()
    failed.append(RunFailed("the disk is full"))

    with pytest.raises(RunFailed, match="the disk is full"):
        inbox.watch()
