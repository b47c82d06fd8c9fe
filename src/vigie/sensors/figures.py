"""What the page of sensors shows, asked of the lake: tables of a few rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from vigie.dashboard.reading import PARQUET, Slice
from vigie.lake import Lake, opened, reading

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from vigie.dashboard.view import View

HALF_AN_HOUR, HOURS, A_DAY = timedelta(minutes=30), timedelta(hours=6), timedelta(days=1)
MEASURED = ("sensor_id", "event_timestamp", "building", "floor", "temperature_c", "humidity_pct", "pressure_hpa")
WINDOW = ("window_start", "window_end", "sensor_id", "mean_c", "min_c", "max_c")
RAISED = ("rule", "key", "severity", "opened_at", "closed_at", "value", "threshold", "message", "suppressed_by")

READINGS = Slice("silver/sensor_readings", MEASURED, by="event_timestamp", last=HALF_AN_HOUR)
LAST_VALUES = Slice("gold/sensors/last_values", ("sensor_id", "event_timestamp", "building", "floor", "temperature_c"))
WINDOWS = Slice("gold/sensors/readings_5m", WINDOW, by="window_end", last=HOURS)
BEYOND = Slice("gold/sensors/alerts_by_type", ("window_start", "alert_type", "alerts"), by="window_start", last=A_DAY)
CLOSED = Slice("gold/sensors/location_extremes", ("window_end",), by="window_end", last=HALF_AN_HOUR)
ALERTS = Slice("_vigie/sensors/alerts", RAISED)

INSTANT = pa.timestamp("us", "UTC")
ARRIVED = pa.schema({"event_timestamp": INSTANT, "committed_at": INSTANT})
LATENCY_OVER = timedelta(minutes=1)
COMMITS = 60  # that are looked at for a latency, at most
ENOUGH = 200_000  # readings: a backlog that is caught up with has more in a minute

Place = Literal["building", "floor", "sensor_id"]

# Silver has the newest reading of a sensor before gold has it; gold knows those that have long been silent, too.
PLACES = """
WITH clock AS (SELECT max(event_timestamp) AS newest FROM readings),
newest AS (
    SELECT sensor_id,
        arg_max({{at_: event_timestamp, b: building, f: floor, c: temperature_c}}, event_timestamp) AS row
    FROM (
        SELECT sensor_id, event_timestamp, building, floor, temperature_c FROM readings
        UNION ALL SELECT sensor_id, event_timestamp, building, floor, temperature_c FROM {last_values}
    ) GROUP BY sensor_id
),
sensors AS (
    SELECT sensor_id, row.b AS building, row.f AS floor, row.at_ > newest - INTERVAL 10 MINUTES AS is_heard,
        sensor_id IN (SELECT key FROM {alerts} WHERE closed_at IS NULL AND suppressed_by IS NULL) AS is_in_alert,
        CASE WHEN is_heard THEN row.c END AS temperature_c
    FROM newest, clock WHERE {within}
),
minutes AS (
    SELECT {place}, 30 - (epoch_us(newest) - epoch_us(event_timestamp)) // 60_000_000 AS minute,
        avg(temperature_c) AS mean_c
    FROM readings, clock WHERE {within} GROUP BY ALL
),
lines AS (SELECT {place}, map_from_entries(list((minute, mean_c))) AS mean_of FROM minutes GROUP BY ALL),
places AS (
    SELECT {place}, count(*) AS sensors, count(*) FILTER (is_in_alert) AS in_alert,
        count(*) FILTER (NOT is_heard) AS silent, avg(temperature_c) AS mean_c
    FROM sensors GROUP BY ALL
)
SELECT places.*, [mean_of[minute] FOR minute IN range(1, 31)]::DOUBLE[] AS means_c
FROM places LEFT JOIN lines ON places.{place} IS NOT DISTINCT FROM lines.{place}
ORDER BY in_alert DESC, places.{place} NULLS LAST
"""
NO_LAST_VALUES = """(SELECT NULL::TEXT AS sensor_id, NULL::TIMESTAMPTZ AS event_timestamp, NULL::TEXT AS building,
    NULL::INT AS floor, NULL::DOUBLE AS temperature_c WHERE false)"""
NO_ALERTS = "(SELECT NULL::TEXT AS key, NULL::TEXT AS rule, NULL AS closed_at, NULL AS suppressed_by WHERE false)"

PACE = """
WITH clock AS (SELECT max(event_timestamp) AS newest FROM readings)
SELECT newest, count(*) FILTER (event_timestamp > newest - INTERVAL 1 MINUTE) / 60 AS a_second,
    count(*) FILTER (event_timestamp <= newest - INTERVAL 1 MINUTE) / 60 AS a_second_before
FROM readings, clock WHERE event_timestamp > newest - INTERVAL 2 MINUTES GROUP BY ALL
"""
OPEN = """
SELECT rule, severity, count(*) AS alerts FROM alerts WHERE closed_at IS NULL AND suppressed_by IS NULL
GROUP BY ALL ORDER BY alerts DESC, rule
"""
BEYOND_LIMITS = "SELECT window_start, alert_type, alerts FROM beyond ORDER BY window_start, alert_type"

READINGS_OF = """
SELECT event_timestamp, temperature_c, humidity_pct, pressure_hpa FROM readings
WHERE sensor_id = $1 ORDER BY event_timestamp
"""
WINDOWS_OF = """
SELECT window_start, window_end, mean_c, min_c, max_c FROM windows WHERE sensor_id = $1 ORDER BY window_start
"""
ALERTS_OF = """
SELECT rule, severity, opened_at, closed_at, value, threshold, message, suppressed_by FROM alerts
WHERE key = $1 AND (closed_at IS NULL OR closed_at > $2) ORDER BY opened_at
"""
LATENCY = """
SELECT count(*) AS readings, median(late_s) AS p50_s, quantile_cont(late_s, 0.95) AS p95_s,
    coalesce(quantile_cont(made_s, 0.95) - quantile_cont(made_s, 0.05) > $1, false) AS is_backlog
FROM (
    SELECT epoch_us(committed_at - event_timestamp) / 1e6 AS late_s, epoch_us(event_timestamp) / 1e6 AS made_s
    FROM arrived
)
"""


class Latency(NamedTuple):
    """How long after they were made readings stood in silver, in seconds, over a minute's commits.

    A backlog is among them when they were made over much longer than that."""

    readings: int
    p50_s: float | None
    p95_s: float | None
    is_backlog: bool


def buildings(view: View) -> DataFrame:
    """Each building, those with alerts first: `sensors`, how many are `in_alert` and `silent`, `mean_c` of the newest
    temperatures of the others, and `means_c` of the last half hour, minute by minute."""
    return _places(view, "building", "true")


def floors(view: View, building: str | None) -> DataFrame:
    """The same of each floor of a building; none is where no building is known."""
    return _places(view, "floor", "building IS NOT DISTINCT FROM $1", building)


def sensors(view: View, building: str | None) -> DataFrame:
    """The same of each sensor of a building."""
    return _places(view, "sensor_id", "building IS NOT DISTINCT FROM $1", building)


def _places(view: View, place: Place, within: str, *parameters: str | int | None) -> DataFrame:
    beside = {"last_values": (LAST_VALUES, NO_LAST_VALUES), "alerts": (ALERTS, NO_ALERTS)}
    there = {name: wanted for name, (wanted, _) in beside.items() if view.has(wanted.table)}
    names = {name: name if name in there else nothing for name, (_, nothing) in beside.items()}
    found = view.ask(PLACES.format(place=place, within=within, **names), *parameters, readings=READINGS, **there)
    return found.assign(means_c=found["means_c"].map(_minutes))


def _minutes(means: Any) -> list[float | None]:
    """A list of numbers, with none where a minute has no reading, or where there is no line at all."""
    return means.tolist() if hasattr(means, "tolist") else []


def pace(view: View) -> DataFrame:
    """One row: the `newest` reading, how many there were `a_second` in the minute before it, and `a_second_before`."""
    return view.ask(PACE, readings=READINGS)


def open_alerts(view: View) -> DataFrame:
    """How many alerts of each rule are open; those that maintenance kept back are not counted."""
    return view.ask(OPEN, alerts=ALERTS)


def closed_until(view: View) -> datetime | None:
    """The end of the newest windows that are closed."""
    return _instant(view.ask("SELECT max(window_end) AS closed FROM closed", closed=CLOSED)["closed"])


def beyond_limits(view: View) -> DataFrame:
    """Readings beyond each limit, in closed windows of five minutes of the last day."""
    return view.ask(BEYOND_LIMITS, beyond=BEYOND)


def newest(view: View) -> datetime | None:
    """When the newest reading was made."""
    return _instant(view.ask("SELECT max(event_timestamp) AS newest FROM readings", readings=READINGS)["newest"])


def _instant(column: Series) -> datetime | None:
    known = column.dropna()
    return None if known.empty else known.iloc[0].to_pydatetime()


def readings_of(view: View, sensor: str) -> DataFrame:
    """What a sensor measured in the last half hour."""
    return view.ask(READINGS_OF, sensor, readings=READINGS)


def windows_of(view: View, sensor: str) -> DataFrame:
    """The closed windows of a sensor in the last day."""
    return view.ask(WINDOWS_OF, sensor, windows=WINDOWS)


def alerts_of(view: View, sensor: str, since: datetime) -> DataFrame:
    """The alerts of a sensor that were open after an instant."""
    return view.ask(ALERTS_OF, sensor, since, alerts=ALERTS)


def latency(lake: Lake) -> Latency:
    """How long the readings of the newest commits took, over the last minute in which there were any."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("arrived", pa.concat_tables([ARRIVED.empty_table(), *_arrived(lake.path(READINGS.table))]))
        found = database.execute(LATENCY, [2 * LATENCY_OVER.total_seconds()]).fetchone()
    assert found is not None
    return Latency(*found)


def _arrived(path: Path) -> Iterator[pa.Table]:
    """When the readings of the newest commits were made, and committed."""
    newest, rows = None, 0
    for at, files in _commits(path):
        newest = newest or at
        if at < newest - LATENCY_OVER or rows > ENOUGH:
            return
        for name in files:
            with reading(path):
                made = ds.dataset([str(path / name)], format=PARQUET).to_table(["event_timestamp"])
            rows += made.num_rows
            committed = pa.array([at] * made.num_rows, INSTANT)
            yield pa.table([made["event_timestamp"].cast(INSTANT), committed], ARRIVED)


def _commits(path: Path) -> Iterator[tuple[datetime, list[str]]]:
    """The newest commits that brought rows, the last first. Files that were put together bring none, and those that
    were deleted after that are passed over."""
    version = opened(path).version()
    for commit in (path / "_delta_log" / f"{at:020}.json" for at in range(version, version - COMMITS, -1)):
        if not commit.exists():
            return
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        added = [unquote(action["add"]["path"]) for action in actions if action.get("add", {}).get("dataChange")]
        files = [name for name in added if (path / name).exists()]
        at = next((action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action), None)
        if files and at is not None:
            yield datetime.fromtimestamp(at / 1_000, UTC), files
