"""The numbers of the report, each asked of the run's own tables, without Spark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from vigie.errors import BadAddress, LakeDamaged, RequestError
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.flights.pictures import HOURS, ROWS
from vigie.lake import Lake, Table, in_a_line, is_table, opened, quoted
from vigie.models import UNSURE, Models
from vigie.sql import Answer, ask

if TYPE_CHECKING:
    from pandas import DataFrame

    from vigie.models import Card

PIPELINE = "flights"
BRONZE = "bronze/flights_raw"
SILVER = "silver/flights_ml"
PHASE_COUNTS = "gold/streaming_aggregations/flight_phase_counts"
ANOMALIES = "gold/streaming_aggregations/anomaly_alerts"
MOVEMENTS = "gold/movements"
CRITICAL = 0.1  # of a country's reports in a window
MOST = 10  # lines of a table
MINUTES = HOURS * 60

Row = dict[str, Any]

NO_ALTITUDE = f"coalesce(altitude_meters NOT BETWEEN {ALTITUDES_M[0]} AND {ALTITUDES_M[1]}, false)"
NO_SPEED = f"coalesce(velocity_kmh NOT BETWEEN {SPEEDS_KMH[0]} AND {SPEEDS_KMH[1]}, false)"

SPAN = """
    SELECT count(*) AS reports, count(DISTINCT icao24) AS aircraft, count(DISTINCT origin_country) AS countries,
        min(event_timestamp) AS first, max(event_timestamp) AS last
    FROM rows
"""
FROM_KAFKA = "SELECT count(*) AS messages, count(DISTINCT topic) AS places, 'kafka' AS kind FROM rows"
FROM_FILES = "SELECT count(*) AS messages, count(DISTINCT file) AS places, 'files' AS kind FROM rows"
LEDGER = """
    SELECT "table", count(*)::BIGINT AS batches, sum("read")::BIGINT AS "read", sum(accepted)::BIGINT AS accepted,
        sum(quarantined)::BIGINT AS quarantined, sum(duplicate)::BIGINT AS duplicate, sum(late)::BIGINT AS late
    FROM rows WHERE "table" LIKE 'bronze/%' OR "table" LIKE 'silver/%'
    GROUP BY "table" ORDER BY "table"
"""
RULES = """
    SELECT rule, count(*)::BIGINT AS messages FROM (SELECT unnest(rules) AS rule FROM rows)
    GROUP BY rule ORDER BY messages DESC, rule
"""
PHASES = f"""
    SELECT flight_phase AS phase, count(*)::BIGINT AS reports, count(DISTINCT icao24)::BIGINT AS aircraft,
        count(*) / sum(count(*)) OVER () AS share,
        median(altitude_meters) FILTER (NOT {NO_ALTITUDE}) AS altitude_m,
        median(velocity_kmh) FILTER (NOT {NO_SPEED}) AS speed_kmh
    FROM rows WHERE flight_phase IS NOT NULL GROUP BY flight_phase ORDER BY reports DESC, phase
"""
COUNTRIES = f"""
    SELECT origin_country AS country, count(DISTINCT icao24)::BIGINT AS aircraft, count(*)::BIGINT AS reports,
        avg(velocity_kmh) FILTER (NOT on_ground AND NOT {NO_SPEED}) AS speed_kmh
    FROM rows WHERE origin_country IS NOT NULL
    GROUP BY origin_country ORDER BY aircraft DESC, reports DESC, country LIMIT {MOST}
"""
IMPOSSIBLE = f"""
    SELECT count(*) FILTER ({NO_ALTITUDE})::BIGINT AS altitudes, count(*) FILTER ({NO_SPEED})::BIGINT AS speeds,
        count(*) FILTER ({NO_ALTITUDE} OR {NO_SPEED})::BIGINT AS either,
        count(*) FILTER ({NO_ALTITUDE} OR {NO_SPEED}) / count(*) AS share
    FROM rows
"""
MISSING = """
    SELECT count(*) FILTER (altitude_meters IS NULL) / count(*) AS altitude,
        count(*) FILTER (velocity_kmh IS NULL) / count(*) AS speed,
        count(*) FILTER (callsign IS NULL) / count(*) AS callsign,
        count(*) FILTER (aircraft_class IS NULL) / count(*) AS class
    FROM rows
"""
TUMBLING = """
    SELECT count(*)::BIGINT AS lines, count(DISTINCT window_start)::BIGINT AS windows, max(window_end) AS closed,
        max(flight_count)::BIGINT AS most
    FROM rows
"""
SLIDING = f"""
    SELECT count(*)::BIGINT AS lines, count(DISTINCT window_start)::BIGINT AS windows, max(window_end) AS closed,
        count(*) FILTER (anomaly_rate > {CRITICAL})::BIGINT AS critical, max(anomaly_rate) AS highest
    FROM rows
"""
CRITICAL_COUNTRIES = f"""
    SELECT origin_country AS country, count(*)::BIGINT AS windows, max(anomaly_rate) AS highest,
        arg_max(total_observations, anomaly_rate)::BIGINT AS reports
    FROM rows WHERE anomaly_rate > {CRITICAL}
    GROUP BY origin_country ORDER BY windows DESC, highest DESC, country LIMIT {MOST}
"""
MOVED = """
    SELECT count(*)::BIGINT AS pairs, count(DISTINCT icao24)::BIGINT AS aircraft, median(seconds) AS seconds,
        median(distance_m) AS distance_m, count(*) FILTER (is_jump)::BIGINT AS jumps,
        max(implied_speed_kmh) FILTER (NOT is_jump) AS fastest_kmh
    FROM rows
"""
PREDICTED = f"""
    SELECT predicted_class AS name, count(*)::BIGINT AS reports, count(*) / sum(count(*)) OVER () AS share,
        avg(probability) AS probability,
        count(*) FILTER (predicted_class = aircraft_class)
            / nullif(count(*) FILTER (aircraft_class IS NOT NULL AND predicted_class <> '{UNSURE}'), 0) AS "right"
    FROM rows GROUP BY predicted_class ORDER BY reports DESC, name
"""
TRAFFIC = f"""
    SELECT time_bucket(INTERVAL 1 MINUTE, event_timestamp) AS minute, count(DISTINCT icao24)::BIGINT AS aircraft
    FROM rows WHERE event_timestamp > (SELECT max(event_timestamp) FROM rows) - INTERVAL {HOURS} HOURS
    GROUP BY minute ORDER BY minute LIMIT {MINUTES + 1}
"""
SAMPLE = f"""
    SELECT icao24, event_timestamp, origin_country, latitude, longitude, altitude_meters, velocity_kmh,
        vertical_rate_ms, heading_deg, on_ground, flight_phase, aircraft_class
    FROM rows ORDER BY hash(icao24, time_position) LIMIT {ROWS}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the report says of a lake. What a run has not written yet is None, or a list without lines."""

    lake: str
    version: int  # of silver, as Delta counts
    span: Row
    origin: Row | None
    ledger: list[Row]
    rules: list[Row]
    phases: list[Row]
    countries: list[Row]
    impossible: Row
    missing: Row
    tumbling: Row | None
    sliding: Row | None
    critical: list[Row]
    movements: Row | None
    model: Card | None
    predicted: list[Row]

    @property
    def adds_up(self) -> bool:
        """Whether the rows read are the rows accounted for, table by table."""
        return all(
            line["read"] == line["accepted"] + line["quarantined"] + line["duplicate"] + line["late"]
            for line in self.ledger
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """What pictures are drawn from: a bounded sample of silver, and all aircraft by the minute."""

    sample: DataFrame
    traffic: DataFrame


class Reader:
    """Asks one lake; RequestError when it has nothing to report on."""

    def __init__(self, lake: Lake) -> None:
        if not lake.root.is_dir():
            raise BadAddress("there is no lake", where=str(lake), do=f"Make one: vigie demo {PIPELINE}")
        make = f"Fill it: vigie demo {PIPELINE}, or vigie feed {PIPELINE} and vigie run {PIPELINE}."
        self._lake = lake
        if not is_table(lake.path(SILVER)):
            raise RequestError(f"there is nothing to report on: the lake has no {SILVER}", where=str(lake), do=make)
        self.span = self._row(SPAN, SILVER)
        if not self.span["reports"]:
            raise RequestError(f"there is nothing to report on: {SILVER} has no rows", where=str(lake), do=make)

    def figures(self) -> Figures:
        ledger, quarantine = f"_vigie/{PIPELINE}/ledger", f"quarantine/{PIPELINE}"
        return Figures(
            lake=self._lake.root.name,
            version=opened(self._lake.path(SILVER)).version(),
            span=self.span,
            origin=self._origin(),
            ledger=self._rows_if_any(LEDGER, ledger),
            rules=self._rows_if_any(RULES, quarantine),
            phases=self._rows(PHASES, SILVER),
            countries=self._rows(COUNTRIES, SILVER),
            impossible=self._row(IMPOSSIBLE, SILVER),
            missing=self._row(MISSING, SILVER),
            tumbling=self._row_if_any(TUMBLING, PHASE_COUNTS, "lines"),
            sliding=self._row_if_any(SLIDING, ANOMALIES, "lines"),
            critical=self._rows_if_any(CRITICAL_COUNTRIES, ANOMALIES),
            movements=self._row_if_any(MOVED, MOVEMENTS, "pairs"),
            model=self._model(),
            predicted=self._rows_if_any(PREDICTED, "gold/predictions"),
        )

    def drawn(self) -> Drawn:
        return Drawn(self._frame(SAMPLE, SILVER), self._frame(TRAFFIC, SILVER))

    def _origin(self) -> Row | None:
        """How messages came: an inbox and a socket leave files in bronze, Kafka its topic."""
        if not is_table(self._lake.path(BRONZE)):
            return None
        columns = {field.name for field in opened(self._lake.path(BRONZE)).schema().fields}
        return self._row_if_any(FROM_KAFKA if "topic" in columns else FROM_FILES, BRONZE, "messages")

    def _model(self) -> Card | None:
        models = Models(self._lake, PIPELINE)
        return None if models.in_use is None else models.card(models.in_use)

    def _rows(self, sql: str, table: str) -> list[Row]:
        return [{name: _plain(value) for name, value in row.items()} for row in self._ask(sql, table).objects()]

    def _row(self, sql: str, table: str) -> Row:
        [row] = self._rows(sql, table)
        return row

    def _rows_if_any(self, sql: str, table: str) -> list[Row]:
        return self._rows(sql, table) if is_table(self._lake.path(table)) else []

    def _row_if_any(self, sql: str, table: str, count: str) -> Row | None:
        found = self._rows_if_any(sql, table)
        return found[0] if found and found[0][count] else None

    def _frame(self, sql: str, table: str) -> DataFrame:
        import pandas as pd

        answer = self._ask(sql, table)
        return pd.DataFrame(list(answer.rows), columns=list(answer.columns))

    def _ask(self, sql: str, table: str) -> Answer:
        read = Table("report", "rows", self._lake.path(table))
        try:
            return ask([read], f"WITH rows AS (FROM {quoted(str(read))}) {sql}")
        except duckdb.BinderException as problem:
            raise LakeDamaged(
                f"{table} lacks columns that the report needs: {in_a_line(str(problem))}",
                where=str(read.path),
                do=f"It was written by another version: read everything again (vigie run {PIPELINE} --lake FOLDER).",
            ) from problem


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; what is not finite says nothing."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
