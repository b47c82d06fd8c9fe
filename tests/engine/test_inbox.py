"""An inbox: bytes are kept, a line ends at LF alone, and what changes after it was read is noticed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import BadAddress, RunFailed
from vigie.lake import Lake
from vigie.sources import inbox
from vigie.sources.inbox import InboxSource, count_lines, lines_of

from ..runs import GARBAGE, an_inbox, take
from .numbers import FIRST, LEDGER, SECOND, THIRD, a_number, numbers, rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LONG = b"x" * (10 << 20)


def lines(path: Path) -> list[tuple[int, bytes]]:
    """The lines of a file, as the source reads them, with their numbers."""
    file = {"path": f"file:{path}", "length": path.stat().st_size, "received_at": datetime.now(UTC)}
    given_file = pa.RecordBatch.from_pylist([file])
    read = [batch for batch in lines_of(iter([given_file])) if batch.num_rows]
    return [(row["line"], row["value"]) for batch in read for row in batch.to_pylist()]


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
    file = tmp_path / "f.jsonl"
    file.write_bytes(content)

    assert lines(file) == list(enumerate(expected, 1))


@settings(max_examples=50, deadline=None)
@given(content=st.lists(st.sampled_from([b"\n", b"\r", b"\x00", b"a", b"\xff"]), max_size=30).map(b"".join))
def test_the_lines_of_a_file_put_together_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("inbox") / "f.jsonl"
    file.write_bytes(content)

    read = [value for _, value in lines(file)]

    assert b"\n".join(read) == content.removesuffix(b"\n")
    assert len(read) == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    assert count_lines(str(file)) == len(read)


def test_more_lines_than_are_read_at_once_are_numbered_through(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b"".join(b"%d\n" % number for number in range(1, 25_001)))

    assert lines(file) == [(number, b"%d" % number) for number in range(1, 25_001)]


def test_a_file_that_grows_while_it_is_read_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "growing.jsonl"
    file.write_bytes(b"a\n")
    announced = pa.RecordBatch.from_pylist([{"path": str(file), "length": 1, "received_at": datetime.now(UTC)}])

    with pytest.raises(RunFailed, match="changed after it was read.*growing.jsonl"):
        list(lines_of(iter([announced])))


def test_a_folder_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadAddress, match="there is no such inbox(.|\n)*vigie feed"):
        InboxSource(tmp_path / "inbox").check()


def test_garbage_is_in_bronze_and_in_quarantine_byte_for_byte(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [*GARBAGE.values(), a_number()])

    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    sent = dict(enumerate([*GARBAGE.values(), a_number()], 1))
    assert {row["line"]: row["value"] for row in rows(tmp_path / "lake", "bronze/raw")} == sent
    aside = {row["line"]: row for row in rows(tmp_path / "lake", "quarantine/numbers")}
    assert {line: row["value"] for line, row in aside.items()} == {
        line: value for line, value in sent.items() if line <= len(GARBAGE)
    }
    assert {row["file"] for row in aside.values()} == {str(folder / "000.jsonl")}
    assert all(row["rules"] for row in aside.values())
    assert len(rows(tmp_path / "lake", "silver/even")) == 1, "and what follows it goes through"


def test_hidden_and_strange_names_are_not_read_and_old_files_are(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [a_number(2, k="seen")])
    os.utime(folder / "000.jsonl", (86_400, 86_400))
    for name in (".partial.jsonl", "_hidden.jsonl", "_a=b.jsonl", "note.txt", "f.jsonl.gz", "g.JSONL"):
        (folder / name).write_bytes(a_number(2, k=name) + b"\n")

    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    assert [row["k"] for row in rows(tmp_path / "lake", "silver/even")] == ["seen"]


def test_json_files_are_read_like_jsonl_one_message_a_line(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [a_number(2, k="jsonl")])
    (folder / "b.json").write_bytes(a_number(2, k="json") + b"\n[1]\n" + a_number(4, k="last"))
    (folder / "c.json").write_bytes(b"")
    (folder / ".d.json").write_bytes(a_number(2, k="hidden"))

    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    assert sorted(row["k"] for row in rows(tmp_path / "lake", "silver/even")) == ["json", "jsonl", "last"]
    [aside] = rows(tmp_path / "lake", "quarantine/numbers")
    assert (Path(aside["file"]).name, aside["line"], aside["value"]) == ("b.json", 2, b"[1]")


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [record.getMessage() for record in caplog.records if "not read" in record.getMessage()]
    caplog.clear()
    return told


def test_files_that_are_not_read_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    hidden = (".a.csv", "_a.csv", "a.jsonl.tmp", "a.jsonl.part", "a.json~")
    for name in (*hidden, "b.json", "a.csv"):
        (folder / name).write_bytes(b"x")
    (folder / "archive").mkdir()
    source = InboxSource(folder)

    source.check()
    first = warnings_of(caplog)
    for name in ("d.JSONL", "c.jsonl.gz", "b.txt", "e"):
        (folder / name).write_bytes(b"x")
    source.rests_until = 0
    source.watch()
    source.rests_until = 0
    source.watch()

    said = "not read: an inbox takes *.jsonl and *.json, with one message a line"
    assert first == [f"a.csv is {said}"]
    assert warnings_of(caplog) == [f"b.txt, c.jsonl.gz, d.JSONL and 1 more are {said}"]


def test_a_file_that_changes_after_it_was_read_stops_the_run_by_name(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    source = InboxSource(folder)
    take(spark, numbers(), tmp_path / "lake", source)
    with (folder / "000.jsonl").open("ab") as file:
        file.write(a_number(4, 5) + b"\n")
    (folder / "001.jsonl").write_bytes(b"\n".join(SECOND))

    with pytest.raises(RunFailed, match="changed after it was read.*000.jsonl"):
        take(spark, numbers(), tmp_path / "lake", source)


def test_new_files_are_read_once_and_those_that_are_gone_are_no_concern(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))
    (folder / "000.jsonl").unlink()
    (folder / "001.jsonl").write_bytes(b"\n".join(SECOND))

    entries = take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    assert [(entry.table, entry.batch, entry.read) for entry in entries] == [
        ("bronze/raw", 1, 2),
        ("silver/even", 1, 2),
    ]


def seen(lake: Path) -> list[str]:
    """The names of the files in bronze, once for each of their lines."""
    return sorted(Path(row["file"]).name for row in rows(lake, "bronze/raw"))


def cuts(lake: Path) -> list[list[Any]]:
    """What the ledger says of the files of each batch: name, size, lines."""
    entries = sorted(rows(lake, LEDGER), key=lambda entry: entry["batch"])
    found = [json.loads(entry["offsets"]) for entry in entries if entry["table"] == "bronze/raw"]
    return [[[Path(path).name, size, lines] for path, size, _, lines in cut] for cut in found]


def test_every_name_is_read_as_it_is_written_and_no_file_twice(spark: SparkSession, tmp_path: Path) -> None:
    names = [
        *("a.jsonl", "b.jsonl", "download[1].jsonl", "download1.jsonl", "*.jsonl", "{a,b}.jsonl", "?.jsonl"),
        *(
            "back\\slash.jsonl",
            "a b.jsonl",
            "%20.jsonl",
            "#.jsonl",
            "12:00.jsonl",
            "a=1.jsonl",
            "é'\".jsonl",
            "1\n2.jsonl",
        ),
    ]
    folder = an_inbox(tmp_path / "inbox")
    for name in names:
        (folder / name).write_bytes(b"1\n2\n")

    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    assert seen(tmp_path / "lake") == sorted(names * 2)


@pytest.mark.parametrize("name", ["in[1]", "in*", "in{1,2}", "in?", "in\\1", "p[1]/in", "12:00 %20#", "a=1/_in"])
def test_a_folder_is_taken_literally_anywhere_in_its_path(spark: SparkSession, tmp_path: Path, name: str) -> None:
    for other in ("in1", "in2", "p1/in"):
        an_inbox(tmp_path / other, [a_number(k="another")])
    folder = an_inbox(tmp_path / name, [a_number(2, k="this")])
    InboxSource(folder).check()

    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    assert [row["file"] for row in rows(tmp_path / "lake", "bronze/raw")] == [str(folder / "000.jsonl")]


def test_a_folder_that_spark_cannot_be_told_of_is_refused(tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "12:00" / "in[1]")

    with pytest.raises(BadAddress, match="both a ':' and one of(.|\n)*Rename"):
        InboxSource(folder).check()


def test_only_what_lies_directly_in_the_folder_is_read(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [a_number()])
    for below in ("a=1", "a=1/b=2", "c=3", "done", "d.jsonl", "_e=5"):
        an_inbox(folder / below, [a_number(k=below)])

    take(spark, numbers(), tmp_path / "lake", InboxSource(folder))

    assert [row["file"] for row in rows(tmp_path / "lake", "bronze/raw")] == [str(folder / "000.jsonl")]


def test_a_file_that_is_given_twice_is_refused_by_name(spark: SparkSession, tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", [a_number()])
    twice = spark.createDataFrame(
        [(f"file:{folder}/000.jsonl", 1, datetime.now(UTC))] * 2,
        "path STRING, length BIGINT, modificationTime TIMESTAMP",
    )

    with pytest.raises(RunFailed, match="twice in one batch.*000.jsonl"):
        InboxSource(folder).cut(twice, None, "")


@pytest.mark.parametrize("read", [3, 5, 8])
def test_lines_that_are_missing_or_doubled_stop_the_run(tmp_path: Path, read: int) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    file = folder / "000.jsonl"
    state = file.stat()
    cut = [[str(file), state.st_size, state.st_mtime_ns // 1_000_000, count_lines(str(file))]]

    assert InboxSource(folder).verify(cut, len(FIRST)) is None
    with pytest.raises(RunFailed, match=f"4 lines stand in the 1 files of this batch, and {read} were read"):
        InboxSource(folder).verify(cut, read)


def test_a_file_that_was_empty_when_it_was_seen_and_is_filled_later_stops_the_run_by_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST, [])
    source = InboxSource(folder)
    take(spark, numbers(), tmp_path / "lake", source)
    source.watch()
    (folder / "001.jsonl").write_bytes(a_number(4, 5) + b"\n")
    (folder / "002.jsonl").write_bytes(b"\n".join(SECOND))

    with pytest.raises(RunFailed, match="changed after it was read.*001.jsonl"):
        take(spark, numbers(), tmp_path / "lake", InboxSource(folder))


def test_a_file_that_is_filled_between_being_seen_and_being_read_stops_the_run_by_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = an_inbox(tmp_path / "inbox", [a_number()])
    none = spark.createDataFrame([], "path STRING, length BIGINT, modificationTime TIMESTAMP")
    noted = json.dumps({"path": f"file://{folder}/000.jsonl", "timestamp": 0, "batchId": 0})
    source = InboxSource(folder)

    with pytest.raises(RunFailed, match="changed after it was read.*000.jsonl"):
        source.verify(source.cut(none, None, noted), 0)


def test_each_batch_knows_its_empty_files_also_where_spark_folds_its_log(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BYTES_PER_BATCH", 1)
    interval = "spark.sql.streaming.fileSource.log.compactInterval"
    before = spark.conf.get(interval)
    folder = an_inbox(tmp_path / "inbox", [], [b"1"], [], [b"2", b"3"], [])

    spark.conf.set(interval, "2")
    try:
        take(spark, numbers(), tmp_path / "lake", InboxSource(folder))
    finally:
        spark.conf.set(interval, before or "50")

    found = cuts(tmp_path / "lake")
    assert len(found) > 2, "or nothing was folded"
    assert sorted(file for cut in found for file in cut) == [
        ["000.jsonl", 0, 0],
        ["001.jsonl", 2, 1],
        ["002.jsonl", 0, 0],
        ["003.jsonl", 4, 2],
        ["004.jsonl", 0, 0],
    ]


def test_a_file_that_is_taken_away_before_it_was_read_stops_the_run_by_name(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="taken away before it was read.*gone.jsonl"):
        count_lines(str(tmp_path / "gone.jsonl"))


def test_a_file_that_is_taken_away_while_the_folder_is_looked_through_is_no_concern(tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox")
    gone = folder / "000.jsonl"
    gone.symlink_to("nowhere")  # it is listed, but is not there any more when it is looked at
    source = InboxSource(folder)

    source.remember([[str(gone), 1, 1, 1]])

    source.watch()


def test_a_long_look_through_the_folder_is_followed_by_a_longer_rest(tmp_path: Path) -> None:
    folder = an_inbox(tmp_path / "inbox", FIRST)
    source = InboxSource(folder, rests_until=float("inf"))
    source.remember([[str(folder / "000.jsonl"), 1, 1, 1]])

    source.watch()
    source.rests_until = 0.0

    with pytest.raises(RunFailed, match="changed after it was read.*000.jsonl"):
        source.watch()


def test_a_file_that_was_noted_before_a_death_and_never_planned_is_a_batch_of_its_own_all_the_same(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BYTES_PER_BATCH", 1)
    lake, folder = tmp_path / "lake", an_inbox(tmp_path / "inbox", FIRST)
    take(spark, numbers(), lake, InboxSource(folder))
    an_inbox(folder, FIRST, SECOND, THIRD)
    noted = {"path": f"file://{folder}/001.jsonl", "timestamp": 0, "batchId": 1}
    log = Lake(lake).checkpoint("numbers", "raw") / "sources" / "0"
    (log / "1").write_text(f"v1\n{json.dumps(noted)}")

    take(spark, numbers(), lake, InboxSource(folder))

    assert [[name for name, *_ in cut] for cut in cuts(lake)] == [["000.jsonl"], ["001.jsonl"], ["002.jsonl"]]
