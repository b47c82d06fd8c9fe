"""Readings for the tests of detectors: written by hand, drawn at random, and judged by DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from tests.reference.detectors import NOTHING, SECOND, Reading, Said
from vigie.detectors import (
    Above,
    AboveUsual,
    BackAndForth,
    Below,
    Burst,
    FarFromMedian,
    InARow,
    Outlier,
    Rising,
    Silent,
    Stuck,
    SuddenChange,
)
from vigie.detectors.judging import changes, judged
from vigie.graph import Detector

NOON = 1_767_268_800 * SECOND
ROWS = pa.schema([("key", pa.string()), ("moment", pa.int64()), ("_place", pa.int64()), ("is_new", pa.bool_())])

# Short spans, so that few readings reach over their ends. Halves and tenths, so that ties are ties.
RULES: dict[str, Detector] = {
    "HIGH": Above("halves", 12, clears_at=11),
    "LOW": Below("tenths", 20.3, clears_at=20.4),
    "JUMP": SuddenChange("tenths", by=0.3, within="1 minute"),
    "UNUSUAL": AboveUsual("halves", deviations=2, over="5 minutes", readings=3),
    "OUTLIER": Outlier("halves", z=3, over="5 minutes", readings=3),
    "FAR_OUT": FarFromMedian("halves", deviations=3, over="5 minutes", readings=3, least=0.5),
    "ROW": InARow("is_odd AND halves > 10", times=3, within="3 minutes"),
    "RISING": Rising("tenths", over="2 minutes", by=0.2, dips=0.15),
    "STRICT": Rising("halves", over="90 seconds"),
    "STUCK": Stuck("halves", over="2 minutes"),
    "SILENT": Silent("5 minutes"),
    "BURST": Burst(times=4, within="2 minutes"),
    "ODD_BURST": Burst("is_odd AND halves > 10", times=3, within="3 minutes"),
    "WAR": BackAndForth("swings", times=2, within="4 minutes"),
}
CONDITIONS = {"is_odd AND halves > 10": lambda row: row["is_odd"] is True and (row["halves"] or 0) > 10}

KINDS = {"halves": pa.float64(), "tenths": pa.float64(), "swings": pa.float64(), "is_odd": pa.bool_()}
GAPS_S = [1, 29, 30, 30, 30, 31, 59, 60, 61, 90, 120, 121, 179, 180, 240, 299, 300, 301, 600]


@st.composite
def series(draw: st.DrawFn, key: str, most: int = 30) -> list[Reading]:
    """The readings of a key in the order of their time: plateaus, climbs, dips and gaps, some without a value."""
    at, readings = NOON + draw(st.integers(0, 120)) * SECOND, []
    halves, tenths = 10.0, 204
    for _ in range(draw(st.integers(1, most))):
        halves = draw(st.sampled_from([halves, halves, halves, halves + 0.5, halves - 0.5, 10.0, 11.0, 12.0, 12.5]))
        tenths += draw(st.sampled_from([0, 0, 1, 1, 1, 2, -1, -2, 4, -4]))
        values: dict[str, Any] = {
            "halves": halves,
            "tenths": tenths / 10,
            "swings": draw(st.sampled_from([0.0, 7.0, -7.0, 7.0, -7.0, 8.0])),
            "is_odd": draw(st.booleans()),
        }
        if (missing := draw(st.sampled_from([None] * 12 + list(values)))) is not None:
            values[missing] = None
        readings.append(Reading(key, at, values))
        at += draw(st.sampled_from(GAPS_S)) * SECOND
    return readings


def readings_of(column: str, *values: object, every: float = 30, key: str = "a") -> list[Reading]:
    """Readings at even spaces from noon on."""
    return [Reading(key, NOON + round(at * every * SECOND), {column: value}) for at, value in enumerate(values)]


def table_of(readings: Iterable[Reading], kinds: dict[str, pa.DataType] | None = None) -> pa.Table:
    """As a watch gives them to DuckDB, all of them new."""
    rows = [{"key": one.key, "moment": one.at, "_place": 0, "is_new": True, **one.values} for one in readings]
    named = {name: kind for name, kind in (kinds or KINDS).items() if rows and name in rows[0]}
    return pa.Table.from_pylist(rows, pa.schema([*ROWS, *named.items()]))


def said(detector: Detector, readings: list[Reading], kind: pa.DataType | None = None) -> list[Said]:
    """What DuckDB makes of each reading, in their order."""
    kinds = KINDS if kind is None else dict.fromkeys(readings[0].values, kind)
    assert detector.judgement is not None
    with duckdb.connect() as database:
        database.register("readings", table_of(readings, kinds))
        found = judged(database, detector.judgement)
    by_reading = {(one.key, one.moment): Said(*one[2:]) for one in found}
    return [by_reading.get((one.key, one.at), NOTHING) for one in readings]


def firing(detector: Detector, *values: object, every: float = 30, column: str = "c") -> list[bool]:
    """Whether an alert is open after each of these values."""
    kind = pa.bool_() if isinstance(values[0], bool) else pa.float64()
    readings = readings_of(column, *values, every=every)
    turns = {moment: fires for _, _, moment, fires in turned({"RULE": detector}, table_of(readings, {column: kind}))}
    is_open, states = False, []
    for reading in readings:
        is_open = turns.get(reading.at, is_open)
        states.append(is_open)
    return states


def turned(
    rules: dict[str, Detector], readings: pa.Table, already: Mapping[tuple[str, str], int] = MappingProxyType({})
) -> list[Any]:
    """Where rules turn: rule, key, moment and whether it fires from there on."""
    judgements = {name: rule.judgement for name, rule in rules.items() if rule.judgement is not None}
    with duckdb.connect() as database:
        database.register("readings", readings)
        return [list(turn[:4]) for turn in changes(database, judgements, already)]
