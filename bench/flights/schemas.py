"""What the columns of the three tables are, for programs that write them through delta-rs. It needs pyarrow alone."""

from __future__ import annotations

import pyarrow as pa

from bench.flights.tables import BRONZE, GOLD, GOLD_COLUMNS, SILVER, SILVER_COLUMNS

INSTANT = pa.timestamp("us", "UTC")
TYPES = {
    "time_position": pa.int64(), "event_timestamp": INSTANT, "latitude": pa.float64(), "longitude": pa.float64(),
    "altitude_meters": pa.float64(), "velocity_kmh": pa.float64(), "vertical_rate_ms": pa.float64(),
    "heading_deg": pa.float64(), "on_ground": pa.bool_(), "category": pa.int32(), "window_start": INSTANT,
    "window_end": INSTANT, "flight_count": pa.int64(), "avg_altitude": pa.float64(), "avg_velocity": pa.float64(),
}  # fmt: skip
SCHEMAS = {
    BRONZE: pa.schema(
        {
            "key": pa.binary(), "value": pa.binary(), "topic": pa.string(), "partition": pa.int32(),
            "offset": pa.int64(), "timestamp": INSTANT, "received_at": INSTANT,
        }
    ),
    SILVER: pa.schema([(name, TYPES.get(name, pa.string())) for name in SILVER_COLUMNS]),
    GOLD: pa.schema([(name, TYPES.get(name, pa.string())) for name in GOLD_COLUMNS]),
}  # fmt: skip
