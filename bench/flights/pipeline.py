"""The three tables of the benchmark as a pipeline: what ships with flights, less its other gold tables.

Run as `python -m bench.flights.pipeline SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.looped import once
from vigie import Pipeline
from vigie.flights import pipeline as shipped
from vigie.flights.opensky import STATE_VECTOR

bench = Pipeline("bench")
flights_raw = bench.source("flights_raw", schema=STATE_VECTOR, key="icao24")
flights_ml = bench.silver(
    "flights_ml",
    reads=flights_raw,
    schema=shipped.FLIGHTS_ML,
    event_time="event_timestamp",
    late_by="6 minutes",
    unique=("icao24", "time_position"),
    expect={
        "has a position": "latitude IS NOT NULL AND longitude IS NOT NULL",
        "is not from the future": "event_timestamp <= received_at + INTERVAL 1 MINUTE",
    },
)(shipped.flights_ml)
flight_phase_counts = bench.gold("streaming_aggregations/flight_phase_counts", reads=flights_ml, late_by="2 minutes")(
    shipped.flight_phase_counts
)


if __name__ == "__main__":
    once(bench, flights_raw.name, sys.argv[1], sys.argv[2], Path(sys.argv[3]))
