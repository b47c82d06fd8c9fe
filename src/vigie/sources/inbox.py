"""A folder of `*.jsonl` and `*.json` files, one message a line: bytes are kept, and a line ends at LF alone."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from vigie.errors import BadAddress, RunFailed
from vigie.sources.unread import Unread

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

ROWS_AT_ONCE = 10_000
BYTES_AT_ONCE = 8 << 20
# A batch takes files up to this size together; a single larger file is a batch of its own.
BYTES_PER_BATCH = 96 << 20
# Files that were read are looked at again for this share of the time at most, however many they are.
SHARE_OF_WATCHING = 0.05
GLOB = re.compile(r"[\[\]{}*?\\]")
MESSAGES = "file STRING, line BIGINT, value BINARY, received_at TIMESTAMP"


@dataclass(slots=True)
class InboxSource:
    """Spark says which files are new, and remembers them; their lines are read by `lines_of`."""

    folder: Path
    still_there: Callable[[], None] = lambda: None  # asks whoever fills the folder for us, if anyone does
    known: dict[str, tuple[int, int]] = field(default_factory=dict)
    unread: Unread = field(default_factory=Unread)
    rests_until: float = 0.0
    kind: ClassVar[str] = "inbox"
    origin: ClassVar[tuple[str, ...]] = ("file", "line")
    stamp: ClassVar[str | None] = None
    bronze: ClassVar[str] = "file STRING, line BIGINT"

    @property
    def identity(self) -> str:
        return f"the inbox {self.folder.resolve()}"  # Spark remembers its files by their whole path

    def check(self) -> None:
        if not self.folder.is_dir():
            raise BadAddress(
                "there is no such inbox",
                where=f"inbox:{self.folder}",
                do="Fill it first with `vigie feed`, or make the folder.",
            )
        if not os.access(self.folder, os.R_OK | os.X_OK):
            raise BadAddress("the inbox may not be read", where=str(self.folder), do="Grant read permission.")
        path = str(self.folder.resolve())
        if GLOB.search(path) and ":" in path:
            raise BadAddress(
                "Spark cannot read a folder whose path has both a ':' and one of []{}*?\\",
                where=path,
                do="Rename the folder, or use another.",
            )
        with os.scandir(path) as files:
            self.unread.look(files)

    def stream(self, spark: SparkSession) -> DataFrame:
        from pyspark.sql import functions as F

        folder = str(self.folder.resolve())
        files = (
            spark.readStream.format("binaryFile")
            .schema("path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY")
            .option("pathGlobFilter", "*.{jsonl,json}")
            # Otherwise sub-folders named `a=1` are taken for partitions, and a file named `[1]` makes Spark list
            # the other files of its batch twice.
            .option("recursiveFileLookup", "true")
            .option("maxBytesPerTrigger", BYTES_PER_BATCH)
            .option("maxFileAge", "36500d")  # the age of a file does not matter
            .load(GLOB.sub(r"\\\g<0>", folder))
        )
        name = F.substring_index("path", "/", -1)
        directly = F.col("path") == F.concat(F.lit(f"file:{os.path.join(folder, '')}"), name)
        # Spark reads a name that begins with '_' when it holds an '=', we never do.
        return files.where(directly & ~name.startswith("_")).select("path", "length", "modificationTime")

    def cut(self, batch: DataFrame, _from: str | None, noted: str) -> list[list[Any]]:
        """The batch's files with their sizes in bytes, their times of change in milliseconds since 1970, and how
        many lines they have, counted here. A file that Spark noted but gives no row of was empty."""
        rows = batch.selectExpr("path", "length", "unix_millis(modificationTime) AS modified").collect()
        files = sorted([_local(row.path), row.length, row.modified] for row in rows)
        for (path, *_), (after, *_) in pairwise(files):
            if path == after:
                raise RunFailed("Spark gives a file twice in one batch", where=path, do="Rename it, and start again.")
        given = {path for path, *_ in files}
        cut = [[*file, count_lines(file[0])] for file in files]
        cut += [[path, 0, modified, 0] for path, modified in self._noted(noted) if path not in given]
        return sorted(cut)

    def _noted(self, noted: str) -> Iterator[tuple[str, int]]:
        folder = str(self.folder.resolve())
        for line in noted.splitlines():
            file = json.loads(line)
            path = unquote(_local(file["path"]))
            if os.path.dirname(path) == folder and not os.path.basename(path).startswith("_"):
                yield path, file["timestamp"]

    def messages(self, batch: DataFrame) -> DataFrame:
        return batch.drop("modificationTime").mapInArrow(lines_of, MESSAGES)

    def remember(self, cut: Any) -> None:
        """Take note of files that have been read, so that a change is noticed."""
        for path, size, modified, *_ in cut:
            self.known[path] = (size, modified)

    def received(self, told: pa.Table, row: int) -> int | None:
        """When the file of a row was written, in microseconds after 1970; none when nothing is known of it."""
        known = self.known.get(_local(told["o0"][row].as_py()))
        return None if known is None else known[1] * 1_000

    def expected(self, cut: Any) -> int:
        """How many messages a batch should hold."""
        return sum(lines for *_, lines in cut)

    def verify(self, cut: Any, read: int) -> str | None:
        """RunFailed when a file is not what it was when it was read, or when a line is missing or doubled."""
        self.remember(cut)
        self._compare()
        there = self.expected(cut)
        if read != there:
            raise RunFailed(
                f"{there:,} lines stand in the {len(cut):,} files of this batch, and {read:,} were read",
                where=str(self.folder),
                do="If a file was taken away before it was read, put it back and start again. Otherwise use "
                "another lake with --lake: bronze may hold lines twice, or lack some.",
            )
        return None

    def watch(self) -> None:
        """RunFailed when a file that was read has changed since; a file that is gone is no concern."""
        self.still_there()
        if time.monotonic() >= self.rests_until:
            self._compare()

    def _compare(self) -> None:
        began = time.monotonic()
        with os.scandir(self.folder.resolve()) as listed:
            files = list(listed)
        for file in files:
            known = self.known.get(file.path)
            if known is not None and _now(file) not in (known, None):
                raise changed(file.path)
        self.unread.look(files)
        ended = time.monotonic()
        self.rests_until = ended + (ended - began) / SHARE_OF_WATCHING


def _now(file: os.DirEntry[str]) -> tuple[int, int] | None:
    """Size in bytes and time of change in milliseconds; none when the file was taken away just now."""
    try:
        now = file.stat()
    except FileNotFoundError:
        return None
    return now.st_size, now.st_mtime_ns // 1_000_000


def count_lines(path: str) -> int:
    """How many messages a file has, found in another way than they are read."""
    count, last = 0, b"\n"
    try:
        with open(path, "rb", buffering=0) as stream:
            while block := stream.read(1 << 20):
                count += block.count(b"\n")
                last = block[-1:]
    except FileNotFoundError as problem:
        raise RunFailed(
            "a file was taken away before it was read",
            where=path,
            do="Start again: the run goes on with the files that are there.",
        ) from problem
    return count + (last != b"\n")


def changed(path: str) -> RunFailed:
    return RunFailed(
        "a file changed after it was read, so what it holds now is not what the lake holds",
        where=path,
        do="Write a new file for new messages: finish it under a hidden name, then rename it in. "
        "Restore this one, or move it away, and start again.",
    )


def lines_of(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The lines of each file in a batch of (path, length, received_at)."""
    for batch in batches:
        for file in batch.to_pylist():
            path = _local(file["path"])
            with open(path, "rb") as stream:
                yield from _lines(path, file["length"], file["received_at"], stream)


def _lines(path: str, size: int, received_at: Any, stream: IO[bytes]) -> Iterator[pa.RecordBatch]:
    if os.fstat(stream.fileno()).st_size != size:
        raise changed(path)
    rows: list[bytes] = []
    held, line = 0, 0
    for row in stream:  # a binary file is cut at LF alone
        rows.append(row.removesuffix(b"\n"))
        held += len(row)
        if len(rows) >= ROWS_AT_ONCE or held >= BYTES_AT_ONCE:
            yield _as_batch(path, line, rows, received_at)
            line += len(rows)
            rows, held = [], 0
    if rows:
        yield _as_batch(path, line, rows, received_at)


def _as_batch(path: str, line: int, rows: list[bytes], received_at: Any) -> pa.RecordBatch:
    import pyarrow as pa

    count = len(rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(pa.scalar(path), count),
            pa.array(range(line + 1, line + count + 1), pa.int64()),
            pa.array(rows, pa.binary()),
            pa.repeat(pa.scalar(received_at, pa.timestamp("us", tz="UTC")), count),
        ],
        names=["file", "line", "value", "received_at"],
    )


def _local(path: str) -> str:
    return path.removeprefix("file://").removeprefix("file:")
