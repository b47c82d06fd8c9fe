"""Files of an inbox: none is hidden, each is read once, and what was read stays what it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.connectors.inbox import Inbox
from vigie.connectors.tcp import Received
from vigie.core.source import Bounds
from vigie.errors import BadAddress, RunFailed

ALL = Bounds(1_000_000, 1 << 30)
LONG = b"x" * (10 << 20)


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


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\n", [b""]),
        (b"a\n\n\nb\n", [b"a", b"", b"", b"b"]),
        (b"a\r\nb\r\n", [b"a\r", b"b\r"]),
        (b"a\rb\x0bc\x0cd\x1ce\xc2\x85f\xe2\x80\xa8g\n", [b"a\rb\x0bc\x0cd\x1ce\xc2\x85f\xe2\x80\xa8g"]),
        (b"a\x00b\n\x00\n", [b"a\x00b", b"\x00"]),
        (b"\xff\xfe\n\xef\xbb\xbf{}\n", [b"\xff\xfe", b"\xef\xbb\xbf{}"]),
        (b"a\n" + LONG + b"\nb\n", [b"a", LONG, b"b"]),
    ],
    ids=["none", "LF", "no last LF", "blank", "blanks", "CR", "other ends", "NUL", "no UTF-8", "10 MB"],
)
def test_a_line_ends_at_lf_alone_and_every_other_byte_is_kept(
    tmp_path: Path, content: bytes, expected: list[bytes]
) -> None:
    put(tmp_path, b"f.jsonl", content)

    assert [(line, value) for _, line, value in taken(Inbox(tmp_path))] == list(enumerate(expected, 1))


@settings(max_examples=50, deadline=None)
@given(content=st.lists(st.sampled_from([b"\n", b"\r", b"\x00", b"a", b"\xff"]), max_size=30).map(b"".join))
def test_the_lines_of_a_file_put_together_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("inbox")
    put(folder, b"f.jsonl", content)

    read = [value for *_, value in taken(Inbox(folder))]

    assert b"\n".join(read) == content.removesuffix(b"\n")
    assert len(read) == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")


def test_many_lines_are_numbered_through(tmp_path: Path) -> None:
    put(tmp_path, b"f.jsonl", b"".join(b"%d\n" % number for number in range(1, 25_001)))

    assert [(line, value) for _, line, value in taken(Inbox(tmp_path))] == [
        (number, b"%d" % number) for number in range(1, 25_001)
    ]


def test_every_name_is_read_as_it_is_written_and_no_file_twice(tmp_path: Path) -> None:
    names = [
        *("a.jsonl", "b.jsonl", "download[1].jsonl", "download1.jsonl", "*.jsonl", "{a,b}.jsonl", "?.jsonl"),
        *("back\\slash.jsonl", "a b.jsonl", "%20.jsonl", "#.jsonl", "12:00.jsonl", "a=1.jsonl", "é'\".jsonl"),
        "1\n2.jsonl",
    ]
    for name in names:
        put(tmp_path, name.encode(), f"{name!r}\n2\n".encode())

    assert sorted(file for file, *_ in taken(Inbox(tmp_path))) == sorted(names * 2)


@pytest.mark.parametrize(
    "name", ["in[1]", "in*", "in{1,2}", "in?", "in\\1", "p[1]/in", "12:00 %20#", "a=1/_in", "12:00/in[1]"]
)
def test_a_folder_is_taken_literally_anywhere_in_its_path(tmp_path: Path, name: str) -> None:
    for other, says in (("in1", b"another"), ("in2", b"another"), ("p1/in", b"another"), (name, b"this")):
        (tmp_path / other).mkdir(parents=True)
        put(tmp_path / other, b"a.jsonl", says)
    inbox = Inbox(tmp_path / name)
    inbox.check()

    assert [value for *_, value in taken(inbox)] == [b"this"]


def test_only_what_lies_directly_in_the_folder_is_read(tmp_path: Path) -> None:
    put(tmp_path, b"a.jsonl", b"this")
    for below in ("a=1", "a=1/b=2", "c=3", "done", "d.jsonl", "_e=5"):
        (tmp_path / below).mkdir()
        put(tmp_path / below, b"a.jsonl", b"another")

    assert [value for *_, value in taken(Inbox(tmp_path))] == [b"this"]


def test_what_is_hidden_unfinished_a_folder_or_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    for name in (
        b".a.jsonl",
        b"_b.jsonl",
        b"_a=b.jsonl",
        b".d.json",
        b"c.txt",
        b"d.jsonl.tmp",
        b"f.jsonl.gz",
        b"g.JSONL",
    ):
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


def test_a_file_that_changes_after_it_was_read_is_seen_and_one_that_is_only_touched_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # a look that takes no time is followed by no rest
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
    with pytest.raises(BadAddress, match="there is no such inbox(.|\n)*vigie feed"):
        Inbox(tmp_path / "nowhere").check()


def test_a_folder_that_goes_away_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    inbox = Inbox(tmp_path / "in")
    inbox.check()
    (tmp_path / "in").rmdir()

    for ask in (inbox.watch, lambda: inbox.there(None, ALL)):
        with pytest.raises(RunFailed, match=rf"the inbox is gone \(inbox:{tmp_path}/in\)"):
            ask()


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [record.getMessage() for record in caplog.records if "not read" in record.getMessage()]
    caplog.clear()
    return told


def test_files_that_are_not_read_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hidden = (b".a.csv", b"_a.csv", b"a.jsonl.tmp", b"a.jsonl.part", b"a.json~")
    for name in (*hidden, b"a.jsonl", b"b.json", b"a.csv"):
        put(tmp_path, name, b"x")
    (tmp_path / "archive").mkdir()
    inbox = Inbox(tmp_path)

    inbox.check()
    first = warnings_of(caplog)
    for name in (b"d.JSONL", b"c.jsonl.gz", b"b.txt", b"e"):
        put(tmp_path, name, b"x")
    inbox.watch()
    inbox.watch()

    said = "not read: an inbox takes *.jsonl and *.json, with one message a line"
    assert first == [f"a.csv is {said}"]
    assert warnings_of(caplog) == [f"b.txt, c.jsonl.gz, d.JSONL and 1 more are {said}"]


def test_an_empty_file_is_known_with_its_batch_and_noticed_when_it_is_filled_later(tmp_path: Path) -> None:
    put(tmp_path, b"a.jsonl", b"1\n", at=1.0)
    put(tmp_path, b"b.jsonl", b"", at=2.0)
    inbox = Inbox(tmp_path)
    span = inbox.there(None, ALL).span
    assert span is not None
    assert inbox.read(span).num_rows == 1
    again = Inbox(tmp_path)
    again.remember(span.part)
    assert again.there(None, ALL).span is None

    put(tmp_path, b"b.jsonl", b"2\n")

    assert [(bytes.fromhex(name), size, lines) for name, size, _, lines, _ in span.part] == [
        (b"a.jsonl", 2, 1),
        (b"b.jsonl", 0, 0),
    ]
    with pytest.raises(RunFailed, match=r"a file changed after it was read.*\(b\.jsonl\)"):
        again.watch()


def test_a_file_that_is_filled_between_being_seen_and_being_read_is_named(tmp_path: Path) -> None:
    put(tmp_path, b"a.jsonl", b"")
    inbox = Inbox(tmp_path)
    span = inbox.there(None, ALL).span
    assert span is not None

    put(tmp_path, b"a.jsonl", b"1\n")

    with pytest.raises(RunFailed, match=r"a file changed after it was read.*\(a\.jsonl\)"):
        inbox.read(span)


@pytest.mark.parametrize("read", [3, 5, 8])
def test_lines_that_are_missing_or_doubled_stop_the_run(tmp_path: Path, read: int) -> None:
    """Spark's executors read them, and what they gave is counted."""
    put(tmp_path, b"a.jsonl", b"1\n2\n3\n4")
    inbox = Inbox(tmp_path)
    span = inbox.there(None, ALL).span
    assert span is not None

    assert inbox.verify(span, 4) is None
    with pytest.raises(RunFailed, match=f"4 lines stand in the 1 files of this batch, and {read} were read"):
        inbox.verify(span, read)


def test_two_files_that_held_the_same_are_known_again_under_their_new_names(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    for name in (b"a.jsonl", b"b.jsonl"):
        put(tmp_path, name, b"1\n")
    taken(inbox)

    (tmp_path / "a.jsonl").rename(tmp_path / "y.jsonl")
    (tmp_path / "b.jsonl").rename(tmp_path / "z.jsonl")

    assert taken(inbox) == []


def test_a_file_that_is_taken_away_while_the_folder_is_looked_through_is_no_concern(tmp_path: Path) -> None:
    put(tmp_path, b"a.jsonl", b"1\n")
    inbox = Inbox(tmp_path)
    taken(inbox)

    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.jsonl").symlink_to("nowhere")  # it is listed, but is not there any more when it is looked at

    inbox.watch()
    assert taken(inbox) == []


def looking(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object] = lambda: None) -> list[Any]:
    """From here on, each look through a folder."""
    looks: list[Any] = []
    scandir = os.scandir

    def noted(folder: Any) -> Any:
        looks.append(folder)
        then()
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", noted)
    return looks


def test_a_folder_with_many_new_files_is_looked_through_once_and_not_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        put(tmp_path, b"%d.jsonl" % number, b"%d\n" % number)
    looks = looking(monkeypatch)

    assert len(taken(Inbox(tmp_path))) == 50

    assert len(looks) < 5


def test_a_long_look_through_the_folder_is_followed_by_a_longer_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, b"a.jsonl", b"1\n")
    inbox = Inbox(tmp_path)
    taken(inbox)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def takes_a_second() -> None:
        now[0] += 1.0

    looks = looking(monkeypatch, takes_a_second)
    for _ in range(1_000):  # in 50 seconds, beside what they take
        now[0] += 0.05
        inbox.watch()

    assert 0 < len(looks) < 20
    put(tmp_path, b"a.jsonl", b"2\n", at=9_000.0)
    now[0] += 3_600
    with pytest.raises(RunFailed, match=r"a file changed after it was read.*\(a\.jsonl\)"):
        inbox.watch()


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
