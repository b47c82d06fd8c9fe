"""The three tables of flights: their names, for every program, and what each report and window must be.

It imports nothing, because programs run in environments that hold little.
"""

from __future__ import annotations

BRONZE, SILVER = "bronze/flights_raw", "silver/flights_ml"
GOLD = "gold/streaming_aggregations/flight_phase_counts"

SILVER_COLUMNS = (
    "icao24", "time_position", "event_timestamp", "callsign", "origin_country", "latitude", "longitude",
    "altitude_meters", "velocity_kmh", "vertical_rate_ms", "heading_deg", "on_ground", "category",
    "squawk", "flight_phase", "aircraft_class",
)  # fmt: skip
GOLD_COLUMNS = ("window_start", "window_end", "flight_phase", "flight_count", "avg_altitude", "avg_velocity")

LATE_BY_S = 360  # a report behind its newest by more comes too late, so a repeat of it need not be known any more
WINDOW_S, WINDOWS_LATE_BY_S = 60, 120
BATCH = 200_000  # messages that a program takes, or rows that it commits, at a time: as many as Vigie
