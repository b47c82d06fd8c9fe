"""What a table gained since it was looked at, as far as a look at its times alone can say it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from vigie.arrow_types import INSTANT
from vigie.core.delta import changes, tables
from vigie.core.delta.snapshot import Snapshot
from vigie.core.engine import Read


def how_much(table: Read, after: int) -> tuple[int, int]:
    """How many rows a table gained after a version, -1 for all of them, and in how many bytes of files."""
    if after < 0:
        return Snapshot(table.path, table.version).most()
    gain = None if table.version == after else changes.gained(table.path, after, 2**62, table.version)
    return (gain.rows, gain.size) if gain else (0, 0)


def gained(table: Read, after: int, watermark: int) -> tuple[int, int]:
    """How many rows a table gained after a version, and how many of them came later than a watermark."""
    names = [table.time] if table.seen is None else [table.time, table.seen]
    if after < 0:
        named = {name: pc.field(name) for name in names}
        rows = tables.reader(table.path, None, named, table.version).read_all()
    elif table.version == after or (gain := changes.gained(table.path, after, 2**62, table.version)) is None:
        return 0, 0
    else:
        rows = changes.rows_of(table.path, gain, names, pa.schema([(name, INSTANT) for name in names]))
    if table.seen is None:
        return rows.num_rows, 0
    behind = pc.subtract(rows[table.seen].cast(pa.int64()), watermark)
    late = pc.sum(pc.less(rows[table.time].cast(pa.int64()), behind)).as_py()
    return rows.num_rows, int(late or 0)
