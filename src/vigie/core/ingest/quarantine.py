"""What is set aside on the way to silver: broken rows with the rules they broke, and late ones."""

from __future__ import annotations

import pyarrow as pa

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
