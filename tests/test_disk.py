"""A disk that is full: it is said, with where and what to do, and with room the same command goes on."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product, repeat
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from pyspark.errors.exceptions.connect import SparkConnectGrpcException

from vigie import lake as lakes
from vigie.address import Inbox
from vigie.commands import ACK, Command, give
from vigie.core.delta import tables
from vigie.core.delta.tables import Stamp
from vigie.core.notes import JsonNotes
from vigie.disk import is_full, written
from vigie.errors import BadSetting, LakeDamaged, VigieError
from vigie.lake import Lake, rows
from vigie.maintenance import SHORTEST, maintain
from vigie.outlets.inbox import InboxOutlet
from vigie.writer import make_folder, only_writer

from .reference import compare
from .runs import Job, an_inbox, simulated
from .test_cli import vigie
from .test_maintenance import aged
from .tier import nightly

NOISE = pa.table({"n": [number.to_bytes(8, "big") * 50 for number in range(200)]})
FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError("Generic LocalFileSystem error\n ↳ No space left on device (os error 28)"),
    DeltaError("Failed to parse parquet: External: Unable to copy data to file: No space left on device (os error 28)"),
    duckdb.IOException('IO Error: Could not write file "/tmp/x": No space left on device'),
    pa.ArrowException("[Errno 28] Error writing bytes to file"),
    SparkConnectGrpcException("(java.io.IOException) No space left on device"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("who runs the tests may not mount a disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def resized(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def filled(disk: Path) -> Path:
    """A file that takes what room is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        for block in repeat(bytes(4096)):
            file.write(block)
    return ballast


def a_command(lake: Lake) -> None:
    give(lake, "p", Command(datetime.now(UTC), ACK, alert_id="a1", rule=None, key=None, until=None, note=None))


def a_feed(lake: Lake) -> None:
    InboxOutlet(Inbox(lake.inbox("raw")), lambda: 0.0)


def a_lock(lake: Lake) -> None:
    with only_writer(lake, "p"):
        pass


WRITES: dict[str, Callable[[Lake], object]] = {
    "a new table": lambda lake: tables.ensure(lake.silver("new"), NOISE.schema, "new", "p"),
    "a batch": lambda lake: tables.append_arrow(NOISE, lake.silver("things"), Stamp("query", 7)),
    "rows that may be there": lambda lake: tables.append_again(NOISE, lake.silver("things")),
    "a merge": lambda lake: tables.merge(pa.table({"n": [b"x" * 500]}), lake.silver("things"), ("n",), "true"),
    "a note": lambda lake: JsonNotes(lake.notes("p") / "raw").commit(1, {"a": "b" * 5_000}),
    "a command": a_command,
    "a feed that begins": a_feed,
    "a lock": a_lock,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_whatever_is_written_to_a_full_disk_says_so_and_works_with_room(
    small_disk: Path, write: Callable[[Lake], object]
) -> None:
    lake = Lake.at(small_disk / "lake")
    for folder in (lake.notes("p") / "raw", lake.inbox("raw")):
        make_folder(folder)
    write_deltalake(lake.silver("things"), NOISE.slice(0, 1))
    ballast = filled(small_disk)

    with pytest.raises(BadSetting, match=r"the disk is full: \d+\.\d MB are free") as problem:
        write(lake)
    ballast.unlink()
    write(lake)

    assert problem.value.exit_code == 2
    assert problem.value.where.startswith(str(small_disk))
    assert "Make room" in problem.value.do


def test_a_feed_to_a_full_disk_says_how_many_messages_arrived_whole(small_disk: Path) -> None:
    message = b"x" * 10_000

    with pytest.raises(BadSetting, match=r"the disk is full[^$]*feed the rest") as problem:
        feed = InboxOutlet(Inbox(small_disk), lambda: 0.0)
        for _ in range(200):
            feed.send([(None, message)])
            feed.finish()
    feed.close()

    files = [file.read_bytes() for file in small_disk.iterdir()]
    assert f"the {len(files):,} messages" in problem.value.do
    assert set(files) == {message + b"\n"}


@pytest.mark.parametrize("raised", FULL, ids=lambda problem: type(problem).__name__)
@pytest.mark.parametrize("where", [written, lakes.reading])
def test_no_word_of_a_full_disk_is_taken_for_a_damaged_lake(
    tmp_path: Path, where: Callable[[Path], object], raised: Exception
) -> None:
    with pytest.raises(BadSetting, match="the disk is full"), where(tmp_path):  # type: ignore[attr-defined]
        raise raised


def test_what_is_no_full_disk_stays_what_it_was(tmp_path: Path) -> None:
    assert not is_full("10,028 rows, errno 2, No such file")
    with pytest.raises(LakeDamaged), lakes.reading(tmp_path):
        raise DeltaError("no log")
    with pytest.raises(VigieError, match="cannot be kept"), written(tmp_path):
        raise VigieError("jars cannot be kept: No space left on device")


def test_maintain_makes_room_where_there_is_none_to_put_files_together(small_disk: Path) -> None:
    lake = Lake.at(small_disk / "lake")
    for _ in range(3):
        write_deltalake(lake.silver("things"), NOISE, mode="append")
    write_deltalake(lake.silver("things"), NOISE, mode="overwrite")
    write_deltalake(lake.silver("things"), NOISE, mode="append")
    aged(lake.silver("things"), days=1)
    ballast = filled(small_disk)
    before = rows(lake.silver("things"))

    [upkeep] = maintain(lake, SHORTEST)

    assert upkeep.files_deleted == 3
    assert sorted(map(str, rows(lake.silver("things")))) == sorted(map(str, before))
    ballast.unlink()
    [upkeep] = maintain(lake, SHORTEST)
    assert upkeep.files_after == 1


def test_a_command_that_meets_a_full_disk_is_exit_2_and_no_surprise(small_disk: Path) -> None:
    lake = Lake.at(small_disk / "lake")
    write_deltalake(lake.silver("things"), NOISE)
    filled(small_disk)

    shown = vigie("feed", "flights", "--rows", "10", "--lake", str(lake))

    assert shown.exit_code == 2
    assert "the disk is full: 0.0 MB are free" in shown.stderr
    assert "foreseen" not in shown.stderr


@nightly
@pytest.mark.parametrize(
    ("engine", "size"),
    [*product(["embedded"], ["200k", "400k", "500k", "600k", "800k"]), *product(["spark"], ["500k", "800k"])],
)
def test_a_run_that_filled_its_disk_goes_on_with_room_and_loses_nothing(
    tmp_path: Path, small_disk: Path, engine: str, size: str
) -> None:
    messages = simulated(3_000)
    folder = an_inbox(tmp_path / "inbox", *(messages[first : first + 500] for first in range(0, 3_000, 500)))
    job = Job(str(small_disk / "lake"), f"inbox:{folder}", engine=engine)
    resized(small_disk, size)

    code, _, complained = job.finish()
    resized(small_disk, "100m")
    again, _, complained_again = job.finish()

    assert (code, again) == (2, 0), complained + complained_again
    assert "the disk is full" in complained
    assert compare(small_disk / "lake") == []
    bronze = DeltaTable(Lake(small_disk / "lake").bronze("flights_raw")).to_pyarrow_table()
    assert sorted(bronze["value"].to_pylist()) == sorted(messages)
    ledger = rows(Lake(small_disk / "lake").ledger("flights"))
    read = [entry["read"] for entry in ledger if entry["table"] == "bronze/flights_raw"]
    assert sum(read) == len(messages), json.dumps(ledger, default=str)
