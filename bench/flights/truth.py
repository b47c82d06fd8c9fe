"""What the tables of flights must hold, worked out by DuckDB from the messages: no program is the measure."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import duckdb
import polars as pl
from polars.testing import assert_frame_equal

from bench.comparison import AVERAGES_AGREE, must_hold
from bench.flights.messages import messages, originals
from bench.flights.tables import BRONZE, GOLD, GOLD_COLUMNS, SILVER, SILVER_COLUMNS, WINDOWS_LATE_BY_S

AT_ONCE = 200_000
REPORTS = """SELECT DISTINCT ON (icao24, time_position) icao24, time_position,
    to_timestamp(time_position) AS event_timestamp, trim(callsign) AS callsign, origin_country, latitude, longitude,
    baro_altitude AS altitude_meters, velocity * 3.6::DOUBLE AS velocity_kmh, vertical_rate AS vertical_rate_ms,
    true_track AS heading_deg, on_ground, category::INTEGER AS category, squawk,
    CASE WHEN on_ground THEN 'GROUND' WHEN vertical_rate > 2.5 AND baro_altitude < 1000 THEN 'TAKEOFF'
        WHEN vertical_rate > 2.5 THEN 'CLIMB' WHEN vertical_rate < -2.5 THEN 'DESCENT' ELSE 'CRUISE'
        END AS flight_phase,
    CASE WHEN category BETWEEN 2 AND 3 THEN 'Light' WHEN category BETWEEN 4 AND 6 THEN 'Heavy'
        WHEN category BETWEEN 7 AND 20 THEN 'Other' END AS aircraft_class
    FROM sent WHERE latitude IS NOT NULL AND longitude IS NOT NULL"""
WINDOWS = """SELECT time_bucket(INTERVAL 1 MINUTE, event_timestamp) AS window_start,
    window_start + INTERVAL 1 MINUTE AS window_end, flight_phase, count(DISTINCT icao24) AS flight_count,
    avg(altitude_meters) AS avg_altitude, avg(velocity_kmh) AS avg_velocity FROM reports GROUP BY ALL"""


def check(lake: Path, rows: int) -> None:
    """SystemExit, or what an assertion does, unless the tables are right. A window that ends two minutes before the
    newest report must be there; one that ends later may be, where a program gives it when its input ends."""
    reports, windows = _truth(rows)
    must_hold(lake, BRONZE, rows)
    must_hold(lake, SILVER, originals(rows))
    keys = ["icao24", "time_position"]
    made = pl.read_delta(str(lake / SILVER)).select(SILVER_COLUMNS)
    assert_frame_equal(made.sort(keys), reports.select(SILVER_COLUMNS).sort(keys))
    keys = ["window_start", "flight_phase"]
    given = pl.read_delta(str(lake / GOLD)).select(GOLD_COLUMNS).sort(keys)
    closed = pl.col("window_end") <= reports["event_timestamp"].max() - pl.duration(seconds=WINDOWS_LATE_BY_S)
    due = windows.filter(closed | pl.col("window_start").is_in(given["window_start"].implode())).sort(keys)
    if due.is_empty():
        raise SystemExit(f"{GOLD} is empty: there are too few messages for a window to close")
    assert_frame_equal(given, due.select(GOLD_COLUMNS), rel_tol=AVERAGES_AGREE)


@cache
def _truth(rows: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    sent = pl.concat(_read(rows))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("sent", sent.to_arrow())
        database.execute(f"CREATE TABLE reports AS {REPORTS}")
        reports, windows = (
            pl.DataFrame(database.sql(query).to_arrow_table()) for query in ("SELECT * FROM reports", WINDOWS)
        )
    return reports, windows


def _read(rows: int) -> Iterator[pl.DataFrame]:
    sent = messages(rows)
    while some := b"\n".join(value for _, value in islice(sent, AT_ONCE)):
        yield pl.read_ndjson(io.BytesIO(some), infer_schema_length=None)
