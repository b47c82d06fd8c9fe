"""Following a Delta table by its log: what each commit added, in the order of the commits, without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from vigie.errors import LakeDamaged
from vigie.instants import FIRST
from vigie.lake import PUT_BACK, opened, reading

# What a commit notes beside its counts: when the newest of its rows was received, and, in microseconds after 1970, what
# every row after it is told to be late by.
RECEIVED, FLOOR = "received", "floor"
EARLIEST = FIRST - 1  # microseconds: before the first instant that a table can hold


@dataclass(frozen=True, slots=True)
class Gain:
    """What a table gained up to a version: each file with the version that added it, how many rows, in how many bytes,
    and for each version when the newest of them was received, in microseconds after 1970. `floor` is what every later
    row is told to be late by, where that is noted."""

    version: int
    files: tuple[tuple[int, str], ...]
    rows: int
    size: int
    received: Mapping[int, int]
    floor: int | None = None


def gained(path: Path, after: int, most_rows: int, until: int | None = None) -> Gain | None:
    """What the commits after a version added, up to `until` or, when none is named, to about so many rows; none when
    there is no such commit."""
    files: list[tuple[int, str]] = []
    received: dict[int, int] = {}
    rows, size, version, floor = 0, 0, after, None
    for version, actions in _commits(path, after):
        note = _noted(actions)
        received[version] = note.get(RECEIVED, _committed_at(actions))
        floor = note.get(FLOOR, floor)
        for add in _added(actions):
            files.append((version, unquote(add["path"])))
            rows, size = rows + _rows_in(path, add), size + int(add["size"])
        if (rows >= most_rows and until is None) or version == until:
            break
    return Gain(version, tuple(files), rows, size, received, floor) if version > after else None


def _rows_in(path: Path, add: dict[str, Any]) -> int:
    """How many rows a file has, as the log says, or the file itself."""
    counted = json.loads(add.get("stats") or "{}").get("numRecords")
    if counted is not None:
        return int(counted)
    file = path / unquote(add["path"])
    with _not_gone(file):
        return int(pq.read_metadata(file).num_rows)


def _noted(actions: list[dict[str, Any]]) -> dict[str, int]:
    """The whole numbers that whoever made a commit noted with it."""
    try:
        noted = json.loads(_info(actions).get("userMetadata") or "{}")
    except ValueError:
        return {}  # somebody else's commit, with words of their own
    return {name: value for name, value in noted.items() if isinstance(value, int)} if isinstance(noted, dict) else {}


def _committed_at(actions: list[dict[str, Any]]) -> int:
    return int(_info(actions).get("timestamp", 0)) * 1_000


def _info(actions: list[dict[str, Any]]) -> dict[str, Any]:
    return next((action["commitInfo"] for action in actions if "commitInfo" in action), {})


def follows(path: Path, after: int) -> bool:
    """Whether all that was committed after a version can still be read: the log is tidied up after a month, and files
    that were put together are deleted some time later."""
    read = after
    for version, actions in _commits(path, after):
        if not all((path / unquote(add["path"])).exists() for add in _added(actions)):
            return False
        read = version
    return read == opened(path).version()


def check(path: Path, after: int) -> None:
    """LakeDamaged when what a table gained after a version cannot be read."""
    newest = opened(path).version()
    if newest < after:
        raise LakeDamaged(
            f"the table was read up to version {after}, and has only come to {newest}: it was made anew",
            where=str(path),
            do=PUT_BACK,
        )
    if not follows(path, after):
        raise LakeDamaged(
            f"what was added to the table after version {after} was tidied away before it was read",
            where=str(path),
            do=f"{PUT_BACK} `vigie maintain` keeps what a query still needs.",
        )


def _added(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a commit added. One that takes rows away as well (somebody erases a person's) writes those that stay once
    more, and adds none."""
    if any(action.get("remove", {}).get("dataChange") for action in actions):
        return []
    added = [action["add"] for action in actions if action.get("add", {}).get("dataChange")]
    return sorted(added, key=lambda add: str(add["path"]))  # whose names count: rows that were written in order stay so


def _commits(path: Path, after: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    version = after + 1
    while (commit := path / "_delta_log" / f"{version:020}.json").exists():
        yield version, [json.loads(line) for line in commit.read_text().splitlines()]
        version += 1


def rows_of(path: Path, gain: Gain, columns: Sequence[str], schema: pa.Schema) -> pa.Table:
    """The rows themselves: these columns, under the names and types of `schema`."""
    return pa.concat_tables([schema.empty_table(), *(rows for _, rows in by_version(path, gain, columns, schema))])


def by_version(path: Path, gain: Gain, columns: Sequence[str], schema: pa.Schema) -> list[tuple[int, pa.Table]]:
    """The rows of each version that brought any."""
    found: dict[int, list[pa.Table]] = {}
    with reading(path):
        for version, name in gain.files:
            rows = _read(path / name, list(dict.fromkeys(columns)))  # one column may be asked for under two names
            part = pa.table([rows[column] for column in columns], schema.names)
            found.setdefault(version, []).append(part.cast(schema))
    return [(version, pa.concat_tables(parts)) for version, parts in found.items()]


def reader(
    path: Path, gain: Gain, schema: pa.Schema, rows_at_once: int, *, may_be_gone: bool = False
) -> pa.RecordBatchReader:
    """The rows themselves, some at a time. Of a table from which somebody deletes on purpose, what is gone is no gain
    any more."""

    def batches() -> Iterator[pa.RecordBatch]:
        for _, name in gain.files:
            if may_be_gone and not (path / name).exists():
                continue
            rows = _read(path / name, schema.names).cast(schema)
            yield from rows.to_batches(max_chunksize=rows_at_once)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _read(file: Path, columns: list[str]) -> pa.Table:
    with _not_gone(file):
        return pq.read_table(file, columns=columns, partitioning=None, coerce_int96_timestamp_unit="us")


@contextmanager
def _not_gone(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as problem:
        raise LakeDamaged(
            "a file that was not read yet is gone: it was replaced and then deleted",
            where=str(file),
            do=f"{PUT_BACK} `vigie maintain` keeps what a query still needs.",
        ) from problem
