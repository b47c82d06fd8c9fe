"""A folder of files with a message a line: bytes are kept, a line ends at LF alone, and a file is read once.

Files are listed in bytes, so that no name, locale, age or date hides one. Within one look they are taken by the time
of their change, then by name.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, AnyStr

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT
from vigie.connectors.unread import Unread
from vigie.core.source import Bounds, Position, Span, There
from vigie.errors import BadAddress, RunFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

ENDINGS = (b".jsonl", b".json")
PARTITION = "folder"  # all of it is one sequence
ORIGIN = pa.schema([("file", pa.string()), ("line", pa.int64())])
MESSAGES = pa.schema(
    [*ORIGIN, ("partition_id", pa.string()), ("key", pa.binary()), ("value", pa.binary()),
     ("stamp", INSTANT), ("arrived_at", INSTANT)]
)  # fmt: skip

ROWS = MESSAGES.append(pa.field("row", pa.int64()))  # and their place among all
SHARE_OF_WATCHING = 0.05  # of the time, at most: files that were read are looked at again, however many they are
FILE_S = 1 << 40  # so many lines one may have, for them to stand before those of the next


@dataclass(frozen=True, slots=True)
class File:
    """A file of the folder: its name in bytes, its size, when it was changed (nanoseconds after 1970)."""

    name: bytes
    size: int
    modified: int

    @property
    def text(self) -> str:
        """Its name in bronze: bytes that are no UTF-8 are spelled out."""
        return self.name.decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class Inbox:
    """The folder. `read_before` are the files that the lake has read, by name, with a hash of what they held, and
    `passed_over` those that are no files of messages."""

    folder: Path
    read_before: dict[bytes, tuple[int, int, str]] = field(default_factory=dict)
    passed_over: Unread = field(default_factory=Unread)
    _rests_until: float = 0.0

    @property
    def identity(self) -> str:
        return f"the inbox {self.folder.resolve()}"

    @property
    def origin(self) -> pa.Schema:
        return ORIGIN

    def check(self) -> None:
        if not self.folder.is_dir():
            raise BadAddress(
                "there is no such inbox",
                where=f"inbox:{self.folder}",
                do="Put files there with a JSON object a line, or name their folder with --from inbox:FOLDER; "
                "`vigie feed` brings simulated ones.",
            )
        if not os.access(self.folder, os.R_OK | os.X_OK):
            raise BadAddress("the inbox may not be read", where=str(self.folder), do="Grant read permission.")
        self._name_unread()

    def there(self, _position: Position | None, bounds: Bounds) -> There:
        taken: list[list[object]] = []
        size, is_cut = 0, False
        files = list(self._files())
        new = sorted(
            (file for file in files if file.name not in self.read_before), key=lambda file: (file.modified, file.name)
        )
        gone = self._gone({file.name for file in files}) if new else {}
        for file in new:
            if taken and size + file.size > bounds.bytes:
                is_cut = True
                break
            content = content_of(self.folder, file)
            if content is None:
                continue  # taken away before it was looked at: it was never there for us
            digest = hashlib.sha256(content).hexdigest()
            if before := gone.get((file.size, digest)):
                self._renamed(before.pop(), file)
                continue
            taken.append([file.name.hex(), file.size, file.modified, _lines(content), digest])
            size += file.size
        messages = self.most(taken)
        return There({PARTITION: bool(new)}, Span(taken, None, messages, is_cut) if taken else None)

    def read(self, span: Span) -> pa.Table:
        parts = []
        for name, size, modified, lines, digest in span.part:
            file = File(bytes.fromhex(name), size, modified)
            content = content_of(self.folder, file)
            if content is None:
                raise RunFailed(
                    "a file was taken away before it was read",
                    where=file.text,
                    do="Put it back and start again; it stands in the plan of the batch that is due.",
                )
            if hashlib.sha256(content).hexdigest() != digest:
                raise changed(file.text)
            parts.append(_messages(file, content))
            self.read_before[file.name] = (size, modified, digest)
            assert parts[-1].num_rows == lines
        return pa.concat_tables(parts) if parts else MESSAGES.empty_table()

    def verify(self, span: Span, messages: int) -> str | None:
        """Each file was held to its hash as it was read; what became of its lines since is counted."""
        there = sum(lines for *_, lines, _ in span.part)
        if messages != there:
            raise RunFailed(
                f"{there:,} lines stand in the {len(span.part):,} files of this batch, and {messages:,} were read",
                where=self.identity,
                do="Start again: the batch is read anew. If it happens again, whoever reads it loses lines.",
            )
        return None

    def most(self, part: Any) -> int:
        return sum(lines for _, _, _, lines, _ in part)

    def frame(self, spark: SparkSession, span: Span) -> DataFrame:
        from pyspark.sql.pandas.types import from_arrow_schema

        for name, size, modified, _, digest in span.part:
            self.read_before[bytes.fromhex(name)] = (size, modified, digest)
        files = [(at, name, modified, digest) for at, (name, _, modified, _, digest) in enumerate(span.part)]
        listed = spark.createDataFrame(files, "at INT, name STRING, modified LONG, digest STRING")
        tasks = min(len(files), int(spark.conf.get("spark.sql.shuffle.partitions") or 1))
        return listed.repartition(max(1, tasks)).mapInArrow(
            partial(_read, self.folder.resolve()), from_arrow_schema(ROWS)
        )

    def placed(self, spark: SparkSession, bronze: DataFrame, parts: Sequence[Any]) -> DataFrame:
        from pyspark.sql import functions as F

        names = [name for part in parts for name, *_ in part]
        files = [(at, File(bytes.fromhex(name), 0, 0).text) for at, name in enumerate(names)]
        listed = spark.createDataFrame(files, "at INT, file STRING")
        row = F.col("at").cast("long") * FILE_S + F.col("line")
        with_row = bronze.join(F.broadcast(listed), "file").withColumn("row", row).drop("at")
        return with_row.withColumn("partition_id", F.lit(PARTITION))

    def in_order(self, part: Any, bronze: pa.Table) -> pa.Table:
        names = pa.array([File(bytes.fromhex(name), 0, 0).text for name, *_ in part], pa.string())
        placed = bronze.append_column("place", pc.index_in(bronze["file"], value_set=names))
        return placed.sort_by([("place", "ascending"), ("line", "ascending")]).drop_columns("place")

    def partitions_of(self, bronze: pa.Table) -> pa.Array:
        return pa.repeat(pa.scalar(PARTITION), bronze.num_rows)

    def remember(self, part: Any) -> None:
        for name, size, modified, _, digest in part:
            self.read_before[bytes.fromhex(name)] = (size, modified, digest)

    def _name_unread(self) -> None:
        with self._listed(str(self.folder)) as files:
            self.passed_over.look(files)

    def _listed(self, folder: AnyStr) -> AbstractContextManager[Iterator[os.DirEntry[AnyStr]]]:
        try:
            return os.scandir(folder)
        except FileNotFoundError as problem:
            raise RunFailed(
                "the inbox is gone",
                where=f"inbox:{self.folder}",
                do="Put its folder back and start again: the run goes on where it stopped.",
            ) from problem

    def watch(self) -> None:
        began = time.monotonic()
        if began < self._rests_until:
            return
        self._compare()
        ended = time.monotonic()
        self._rests_until = ended + (ended - began) / SHARE_OF_WATCHING

    def _compare(self) -> None:
        self._name_unread()
        for file in self._files():
            known = self.read_before.get(file.name)
            if known is not None and (file.size, file.modified) != known[:2]:
                content = content_of(self.folder, file)
                if content is not None and hashlib.sha256(content).hexdigest() != known[2]:
                    raise changed(file.text)

    def _files(self) -> Iterator[File]:
        with self._listed(os.fsencode(self.folder)) as listed:
            for entry in listed:
                if entry.name.startswith((b".", b"_")) or not entry.name.endswith(ENDINGS):
                    continue
                try:
                    about = entry.stat()
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(about.st_mode):
                    yield File(entry.name, about.st_size, about.st_mtime_ns)

    def _gone(self, there: set[bytes]) -> dict[tuple[int, str], list[bytes]]:
        """The names of files that were read and are there no more, by what they held."""
        gone: dict[tuple[int, str], list[bytes]] = {}
        for name, (size, _, held) in self.read_before.items():
            if name not in there:
                gone.setdefault((size, held), []).append(name)
        return gone

    def _renamed(self, before: bytes, file: File) -> None:
        """It was read under another name that is gone now, and is known under this one."""
        size, _, held = self.read_before.pop(before)
        self.read_before[file.name] = (size, file.modified, held)


def content_of(folder: Path, file: File) -> bytes | None:
    """What is in a file; none when it is gone."""
    try:
        return Path(os.fsdecode(os.path.join(os.fsencode(folder), file.name))).read_bytes()
    except FileNotFoundError:
        return None


def _read(folder: Path, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The messages of files, by whoever can reach the folder."""
    for each in (file for batch in batches for file in batch.to_pylist()):
        file = File(bytes.fromhex(each["name"]), 0, each["modified"])
        content = content_of(folder, file)
        if content is None or hashlib.sha256(content).hexdigest() != each["digest"]:
            raise changed(file.text)
        rows = _messages(file, content)
        places = pc.add(rows["line"], each["at"] * FILE_S)
        yield from rows.append_column("row", places).cast(ROWS).to_batches()


def _lines(content: bytes) -> int:
    return content.count(b"\n") + (content[-1:] not in {b"", b"\n"})


def _messages(file: File, content: bytes) -> pa.Table:
    values = content.split(b"\n")
    if values[-1] == b"":
        values.pop()
    count = len(values)
    written_at = pa.scalar(file.modified // 1_000, pa.int64()).cast(INSTANT)
    return pa.Table.from_arrays(
        [
            pa.repeat(pa.scalar(file.text), count), pa.array(range(1, count + 1), pa.int64()),
            pa.repeat(pa.scalar(PARTITION), count), pa.nulls(count, pa.binary()), pa.array(values, pa.binary()),
            pa.nulls(count, INSTANT), pa.repeat(written_at, count),
        ],
        schema=MESSAGES,
    )  # fmt: skip


def changed(name: str) -> RunFailed:
    return RunFailed(
        "a file changed after it was read, so what it holds now is not what the lake holds",
        where=name,
        do="Write a new file for new messages: finish it under a hidden name, then rename it in. "
        "Restore this one, or move it away, and start again.",
    )
