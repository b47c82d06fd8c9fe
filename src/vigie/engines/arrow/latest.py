"""The last row of each key: what a table gained is merged into the one that holds them, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vigie.core import scratch
from vigie.core.delta import changes, tables
from vigie.core.delta.snapshot import Snapshot
from vigie.core.engine import Engine, Function, Read
from vigie.lake import quoted

AT_ONCE = 500_000  # rows that are merged together


def latest(engine: Engine, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> int:
    """Bring a table to what another gained after a version; how many rows that was."""
    rows = _gained(table, after)
    for at in range(0, rows.num_rows, AT_ONCE):
        made = engine.evaluate(function, rows.slice(at, AT_ONCE))
        later = f"new.{quoted(table.time)} > held.{quoted(table.time)}"
        tables.merge(_newest(made, keys, table.time), path, tuple(keys), later)
    return int(rows.num_rows)


def _gained(table: Read, after: int) -> pa.Table:
    there = Snapshot(table.path, table.version).schema
    schema = pa.schema([field for field in there if field.name in table.columns])
    if after < 0:
        columns = {name: pc.field(name) for name in schema.names}
        return tables.reader(table.path, pc.scalar(True), columns, table.version).read_all()
    gain = changes.gained(table.path, after, 2**62, table.version)
    return schema.empty_table() if gain is None else changes.rows_of(table.path, gain, schema.names, schema)


def _newest(rows: pa.Table, keys: Sequence[str], time: str) -> pa.Table:
    """The newest row of each key; one without a key is nobody's."""
    by = ", ".join(map(quoted, keys))
    known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in (*keys, time))
    with scratch.database() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("rows", rows)
        newest = database.sql(
            f"FROM rows WHERE {known} QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY {quoted(time)} DESC) = 1"
        )
        return newest.to_arrow_table().cast(rows.schema)
