"""Delta tables as the engine needs them: made beforehand, appended to once for each batch, and read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from vigie.errors import LakeMismatch, RunFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

# A checkpoint of the log costs a live stream about a second, and readers replay fifty commits in milliseconds.
PROPERTIES = {"delta.checkpointInterval": "50"}
COMMITS_LOOKED_THROUGH = 200


def spark_schema(ddl: str) -> StructType:
    """The columns that DDL declares; needs a session."""
    from pyspark.sql.types import StructType

    schema = StructType.fromDDL(ddl)
    assert isinstance(schema, StructType)
    return schema


def arrow_schema(schema: StructType) -> pa.Schema:
    """The columns as Arrow and Delta have them: instants in microseconds, UTC."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who wrote what: a batch of a query into a table. Delta refuses a second commit under the same stamp."""

    app: str
    batch: int

    def __str__(self) -> str:
        return f"{self.app}#{self.batch}"


def ensure(path: Path, schema: pa.Schema, table: str) -> None:
    """Make the table if it is not there; LakeMismatch when it is there with other columns."""
    if not DeltaTable.is_deltatable(str(path)):
        DeltaTable.create(str(path), schema=schema, mode="ignore", configuration=PROPERTIES)
        return
    there = {field.name: field.type for field in _schema(path)}
    wanted = {field.name: field.type for field in schema}
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


def _schema(path: Path) -> pa.Schema:
    return pa.schema(DeltaTable(str(path)).schema().to_arrow())


def version(path: Path) -> int:
    return int(DeltaTable(str(path)).version())


def committed(path: Path, stamp: Stamp) -> bool:
    """Whether this batch is in the table already."""
    last = DeltaTable(str(path)).transaction_version(stamp.app)
    return last is not None and last >= stamp.batch


def append(rows: DataFrame, path: Path, stamp: Stamp, **counts: int) -> int:
    """Append a batch unless it is there already; how many rows the commit itself says it wrote."""
    note = json.dumps({"stamp": str(stamp), **counts})
    (
        rows.write.format("delta")
        .mode("append")
        .option("txnAppId", stamp.app)
        .option("txnVersion", stamp.batch)
        .option("userMetadata", note)
        .save(str(path))
    )
    return _rows_written(path, stamp, counts)


def _rows_written(path: Path, stamp: Stamp, counts: dict[str, int]) -> int:
    for commit in DeltaTable(str(path)).history(COMMITS_LOOKED_THROUGH):
        note = _note(commit)
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
        return int(commit["operationMetrics"]["numOutputRows"])
    raise RunFailed(f"the commit of batch {stamp.batch} is not in the table's history", where=str(path))


def _note(commit: dict[str, Any]) -> dict[str, Any]:
    try:
        note = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}  # somebody else's commit, with words of their own
    return note if isinstance(note, dict) else {}


def append_small(path: Path, rows: pa.Table, stamp: Stamp) -> None:
    """Append a few rows without Spark, unless they are there already."""
    if committed(path, stamp):
        return
    write_deltalake(
        str(path),
        rows,
        mode="append",
        configuration=PROPERTIES,
        commit_properties=CommitProperties(app_transactions=[Transaction(stamp.app, stamp.batch)]),
    )
