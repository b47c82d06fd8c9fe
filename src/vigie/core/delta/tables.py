"""Delta tables as the loop needs them: made beforehand, appended to once for each batch, and read back."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from vigie.arrow_types import nullable
from vigie.core import scratch
from vigie.core.delta import handles
from vigie.core.delta.snapshot import Snapshot, Within
from vigie.disk import written
from vigie.errors import LakeDamaged, LakeMismatch, RunFailed
from vigie.lake import PUT_BACK, opened

# A checkpoint of the log costs a live stream about a second, and readers replay fifty commits in milliseconds.
PROPERTIES = {"delta.checkpointInterval": "50"}
MERGES_TRIED = 5
MERGES_PER_VACUUM = 100
HOURS_KEPT = 1  # whoever reads the lake holds on to the files it found when it began
COMMITS_LOOKED_THROUGH = 10, 200  # a batch's own is among the newest, unless it was made by a run before this one


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who wrote what: a batch of a query into a table. Delta refuses a second commit under the same stamp."""

    app: str
    batch: int

    def __str__(self) -> str:
        return f"{self.app}#{self.batch}"


def ensure(path: Path, schema: pa.Schema, table: str, owner: str) -> None:
    """Make the table if it is not there; LakeMismatch when it is another pipeline's, or has other columns."""
    if not DeltaTable.is_deltatable(str(path)):
        with written(path):
            DeltaTable.create(str(path), schema=schema, mode="ignore", name=owner, configuration=PROPERTIES)
        return
    log = path / "_delta_log"
    if empty := [commit.name for commit in log.glob("*.json") if not commit.stat().st_size]:
        raise LakeDamaged(
            f"the log of the table {table} is damaged: {min(empty)} is empty", where=str(log), do=PUT_BACK
        )
    held = opened(path)
    if held.metadata().name not in {None, owner}:
        raise LakeMismatch(
            f"the table {table} is pipeline '{held.metadata().name}'s, and not '{owner}'s",
            where=str(path),
            do="Give the table another name, or the pipeline another lake with --lake.",
        )
    there = {field.name: nullable(field.type) for field in pa.schema(held.schema().to_arrow())}
    wanted = {field.name: nullable(field.type) for field in schema}
    differing = [name for name in wanted if there.get(name) != wanted[name]]
    differing += [name for name in there if name not in wanted]
    if differing:
        changes = ", ".join(
            f"{name} is {there.get(name, 'not there')} in the lake and {wanted.get(name, 'not declared')} here"
            for name in differing
        )
        raise LakeMismatch(
            f"the table {table} was written by another version of this pipeline: {changes}",
            where=str(path),
            do="Use another lake with --lake, or put the declaration back as it was.",
        )


def version(path: Path) -> int:
    return int(handles.newest(path).version())


def committed(path: Path, stamp: Stamp) -> bool:
    """Whether this batch is in the table already."""
    return last_batch(path, stamp.app) >= stamp.batch


def last_batch(path: Path, app: str) -> int:
    """The newest batch that this query wrote into the table; -1 for none."""
    return _last_batch(handles.newest(path), app)


def _last_batch(table: DeltaTable, app: str) -> int:
    last = table.transaction_version(app)
    return -1 if last is None else last


def append_arrow(rows: pa.Table | pa.RecordBatchReader, path: Path, stamp: Stamp, **counts: int) -> int:
    """Append rows that are not Spark's, unless they are there already; how many the commit says it wrote."""
    return appended(rows, path, stamp, **counts)[0]


def appended(rows: pa.Table | pa.RecordBatchReader, path: Path, stamp: Stamp, **counts: int) -> tuple[int, int]:
    """The same, and a version that the table has with them."""
    table = handles.newest(path)
    if _last_batch(table, stamp.app) < stamp.batch:
        properties = CommitProperties(
            custom_metadata={"userMetadata": note_of(stamp, counts)},
            app_transactions=[Transaction(stamp.app, stamp.batch)],
        )
        with written(path):
            write_deltalake(table, rows, mode="append", configuration=PROPERTIES, commit_properties=properties)
    return rows_written(table, path, stamp, counts), int(table.version())


def append_again(rows: pa.Table, path: Path) -> None:
    """Append rows that may be there already, and of which whoever reads them keeps the first."""
    with written(path):
        write_deltalake(str(path), rows, mode="append", configuration=PROPERTIES)


def merge(rows: pa.Table, path: Path, on: tuple[str, ...], changed: str) -> int:
    """Bring a table to these rows, one for each value of `on`; a row that is there is replaced where `changed` holds
    between the `held` and the `new`. It is written anew whole, and nothing is written when nothing is new. How many
    rows it has then.

    delta-rs has a merge of its own, whose files hold text in a form that pyarrow cannot compare.
    """
    rows_then = 0
    for last in (*[False] * (MERGES_TRIED - 1), True):
        table = opened(path)
        held = table.to_pyarrow_table()
        merged = _merged(rows, held, on, changed)
        if merged is None:
            return int(held.num_rows)
        rows_then = int(merged.num_rows)
        try:
            with written(path):
                write_deltalake(table, merged, mode="overwrite")
        except CommitFailedError:  # its files were put together in that moment
            if last:
                raise
        else:
            break
    forget_old_files(table)
    return rows_then


def forget_old_files(table: DeltaTable) -> None:
    """Now and then, of a table that is written anew with each batch."""
    if int(table.version()) % MERGES_PER_VACUUM == 0:
        table.vacuum(retention_hours=HOURS_KEPT, dry_run=False, enforce_retention_duration=False)


def _merged(new: pa.Table, held: pa.Table, on: tuple[str, ...], changed: str) -> pa.Table | None:
    """What the table is to hold; none when it holds that already."""
    same = " AND ".join(f'held."{name}" = new."{name}"' for name in on)
    with scratch.database() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("new", new.select(held.column_names))
        database.register("held", held)
        database.execute(
            f"""CREATE TEMP TABLE taken AS FROM new
            WHERE NOT EXISTS (SELECT 1 FROM held WHERE {same} AND NOT coalesce({changed}, false))"""
        )
        if not database.sql("SELECT 1 FROM taken LIMIT 1").fetchall():
            return None
        kept = f"SELECT held.* FROM held WHERE NOT EXISTS (SELECT 1 FROM taken AS new WHERE {same})"
        return database.sql(f"FROM taken UNION ALL {kept}").to_arrow_table().cast(held.schema)


def note_of(stamp: Stamp, counts: dict[str, int]) -> str:
    return json.dumps({"stamp": str(stamp), **counts})


def rows_written(table: DeltaTable, path: Path, stamp: Stamp, counts: dict[str, int]) -> int:
    for commit in itertools.chain.from_iterable(map(table.history, COMMITS_LOOKED_THROUGH)):
        note = _noted(commit)
        if note.get("stamp") != str(stamp):
            continue
        noted = {name: note.get(name) for name in counts}
        if noted != counts:
            raise RunFailed(
                f"batch {stamp.batch} was judged twice with different answers: {noted}, then {counts}",
                where=str(path),
                do="A function of this pipeline does not give the same rows for the same input (a random "
                "number, the time of day?). Make it so, and start with another lake.",
            )
        metrics = commit["operationMetrics"]  # in Spark's words, or in delta-rs's
        return int(metrics["numOutputRows"] if "numOutputRows" in metrics else metrics["num_added_rows"])
    raise RunFailed(f"the commit of batch {stamp.batch} is not in the table's history", where=str(path))


def _noted(commit: dict[str, Any]) -> dict[str, Any]:
    try:
        note = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}  # somebody else's commit, with words of their own
    return note if isinstance(note, dict) else {}


def reader(
    path: Path,
    where: pc.Expression | None,
    columns: dict[str, pc.Expression] | None = None,
    version: int | None = None,
    within: Within | None = None,
) -> pa.RecordBatchReader:
    """Rows of a table as it is, or was at a version."""
    return Snapshot(path, version).reader(where, columns, within)
