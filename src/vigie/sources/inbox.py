"""A folder of `*.jsonl` files, one message a line: bytes are kept, and a line ends at LF alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from vigie.errors import BadAddress, RunFailed

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

ROWS_AT_ONCE = 10_000
BYTES_AT_ONCE = 8 << 20
# A batch takes files up to this size together; a single larger file is a batch of its own.
BYTES_PER_BATCH = 96 << 20
MESSAGES = "file STRING, line BIGINT, value BINARY, received_at TIMESTAMP"


@dataclass(slots=True)
class InboxSource:
    """Spark says which files are new, and remembers them; their lines are read by `lines_of`."""

    folder: Path
    still_there: Callable[[], None] = lambda: None  # asks whoever fills the folder for us, if anyone does
    known: dict[str, tuple[int, int]] = field(default_factory=dict)
    kind: ClassVar[str] = "inbox"
    origin: ClassVar[tuple[str, ...]] = ("file", "line")
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

    def stream(self, spark: SparkSession) -> DataFrame:
        files = (
            spark.readStream.format("binaryFile")
            .schema("path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY")
            .option("pathGlobFilter", "*.jsonl")
            .option("maxBytesPerTrigger", BYTES_PER_BATCH)
            .option("maxFileAge", "36500d")  # the age of a file does not matter
            .load(str(self.folder.resolve()))
        )
        return files.select("path", "length", "modificationTime")

    def cut(self, batch: DataFrame, _from: str | None, _to: str) -> list[list[object]]:
        """The batch's files with their sizes in bytes and their ages in milliseconds since 1970."""
        files = batch.selectExpr("path", "length", "unix_millis(modificationTime) AS modified").collect()
        return sorted([_local(file.path), file.length, file.modified] for file in files)

    def messages(self, batch: DataFrame) -> DataFrame:
        return batch.drop("modificationTime").mapInArrow(lines_of, MESSAGES)

    def remember(self, cut: Any) -> None:
        """Take note of files that have been read, so that a change is noticed."""
        for path, size, modified in cut:
            self.known[path] = (size, modified)

    def verify(self, cut: Any, _read: int) -> str | None:
        """RunFailed when a file is not what it was when it was read."""
        self.remember(cut)
        self.watch()
        return None

    def watch(self) -> None:
        """RunFailed when a file that was read has changed since; a file that is gone is no concern."""
        self.still_there()
        with os.scandir(self.folder.resolve()) as files:
            for file in files:
                known = self.known.get(file.path)
                if known is None:
                    continue
                now = file.stat()
                if (now.st_size, now.st_mtime_ns // 1_000_000) != known:
                    raise changed(file.path)


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
            if os.path.basename(path).startswith("_"):
                continue  # Spark reads such a name when it holds an '=', we never do
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
