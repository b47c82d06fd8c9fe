"""What is set aside on the way to silver: broken rows with the rules they broke, and late ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from vigie.graph import Silver, Source

INSTANT = pa.timestamp("us", tz="UTC")
MESSAGE = [
    ("table", pa.string()),
    ("source", pa.string()),
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("file", pa.string()),
    ("line", pa.int64()),
    ("key", pa.binary()),
    ("value", pa.binary()),
    ("received_at", INSTANT),
]
TAIL = [("batch", pa.int64()), ("requeued_at", INSTANT)]
QUARANTINE = pa.schema([*MESSAGE, ("rules", pa.list_(pa.string())), *TAIL])
LATE = pa.schema([*MESSAGE, *TAIL])


@contextmanager
def messages(
    bronze: pa.RecordBatchReader,
    rows: pa.Table,
    schema: pa.Schema,
    table: Silver,
    source: Source,
    origin: tuple[str, ...],
) -> Iterator[pa.RecordBatchReader]:
    """The messages of the rows that stand at these places, byte for byte, as rows of `schema`.

    They are few and long, so they are fetched from bronze by their places, and never all in memory at once.
    """
    there = {name: f'bronze."{name}"' for name in bronze.schema.names} | {"rules": "rows.rules"}
    there |= {"table": "$1", "source": "$2"}
    columns = ", ".join(f'{there.get(name, "NULL")} AS "{name}"' for name in schema.names)
    same = " AND ".join(f'bronze."{name}" = rows.o{at}' for at, name in enumerate(origin))
    with duckdb.connect(config={"memory_limit": "1GB"}) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("bronze", bronze)
        database.register("rows", rows)
        asked = f"SELECT {columns} FROM bronze JOIN rows ON {same}"
        found = database.sql(asked, params=[table.table, source.name]).to_arrow_reader(10_000)
        yield found.cast(schema)
