"""Tables and moments as Spark's columns, and appends that are made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.core.delta import tables
from vigie.core.delta.snapshot import Snapshot
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Read
from vigie.core.progress import NEVER
from vigie.disk import written
from vigie.lake import opened

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.connect.session import SparkSession


# What is so little is written from here: a commit by Spark takes longer than all the rest.
ROWS_TAKEN_HERE, BYTES_TAKEN_HERE = 10_000, 16 << 20


def given(session: SparkSession, rows: pa.Table) -> DataFrame:
    """A few rows of ours. Of none, Spark would not know the columns."""
    return session.createDataFrame(rows, from_arrow_schema(rows.schema))


def table(session: SparkSession, path: Path, version: int | None = None) -> DataFrame:
    """A Delta table as it is, or was at a version."""
    reader = session.read.format("delta")
    return (reader if version is None else reader.option("versionAsOf", version)).load(address(path))


def address(path: Path) -> str:
    """Of a folder or a file, wherever Spark would look by itself."""
    return f"file:{path.absolute()}"


def let_go(session: SparkSession, rows: DataFrame) -> None:
    """Nobody needs what is held of it any more; a session that is gone holds nothing."""
    held_by: object = rows.sparkSession
    if held_by is session:
        rows.unpersist()


def read(session: SparkSession, what: Read) -> DataFrame:
    """The columns that are asked for, in the order of the table."""
    return table(session, what.path, what.version).select(*wanted(Snapshot(what.path, what.version).schema, what))


def wanted(schema: pa.Schema, what: Read) -> list[str]:
    """The names of those of a table's columns that are asked for."""
    asked = what.columns | ({what.seen} if what.seen else set())
    return [name for name in schema.names if name in asked]


def micros(column: str) -> Column:
    """An instant as microseconds after 1970; one that is missing is that of no row that is judged by its time."""
    return F.coalesce(F.unix_micros(F.col(column)), F.lit(NEVER))


def are_few(rows: int, size: int = 0) -> bool:
    """Whether so many rows, of so many bytes, are written from here."""
    return rows <= ROWS_TAKEN_HERE and size <= BYTES_TAKEN_HERE


def append(
    rows: DataFrame, path: Path, stamp: Stamp, noted: Mapping[str, int], *, few: bool = False
) -> tuple[int, int]:
    """Append rows, unless they are there already; how many the commit says it wrote, and a version that has them."""
    schema = Snapshot(path).schema
    if few:
        taken = schema.empty_table() if tables.committed(path, stamp) else rows.toArrow().select(schema.names)
        return tables.appended(taken.cast(schema), path, stamp, **noted)
    if not tables.committed(path, stamp):
        options = {"txnAppId": stamp.app, "txnVersion": str(stamp.batch)}
        said = tables.note_of(stamp, dict(noted))
        writer = (
            rows.to(from_arrow_schema(schema))
            .write.format("delta")
            .mode("append")
            .options(**options, userMetadata=said)
        )
        with written(path, gettempdir()):
            writer.save(address(path))
    there = opened(path)
    return tables.rows_written(there, path, stamp, dict(noted)), int(there.version())


def nulls(schema: pa.Schema) -> list[Column]:
    """A null for each column."""
    return [F.lit(None).cast(field.dataType).alias(field.name) for field in from_arrow_schema(schema)]
