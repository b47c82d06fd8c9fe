"""The comparison against lakes that are right, and against lakes that are wrong on purpose."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import convert_to_deltalake, write_deltalake
from pyarrow.parquet import write_table

from .builders import INSTANT, a_lake, a_report, a_whole_lake, write
from .flights import KEYS, SILVER, compare, expected
from .lakes import compare_lakes
from .tables import rows

SEVERAL = [
    [a_report(at, icao24=name, callsign=f" {name} ") for at in range(0, 900, 60) for name in ("a", "b")],
    [
        a_report(1_000),
        a_report(1_000),
        a_report(0),
        b"{",
        a_report(latitude=None),
        a_report(1_001, velocity=400),
    ],
]


def test_a_lake_that_holds_what_is_expected_has_no_difference(tmp_path: Path) -> None:
    lake = a_whole_lake(tmp_path, *SEVERAL)

    assert all(frame.height for frame in expected(lake).tables().values())
    assert compare(lake) == []


def test_a_lake_with_nothing_but_its_ledger_equals_one_of_no_rows(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)

    assert compare(lake) == []


def test_a_place_where_no_lake_is_differs_from_what_is_expected(tmp_path: Path) -> None:
    assert compare(tmp_path) == [f"bronze/flights_raw: there is no such table in {tmp_path}"]
    assert compare_lakes(tmp_path, tmp_path) == [f"{tmp_path} holds no table"] * 2


@pytest.mark.parametrize("table", [*KEYS])
def test_a_row_that_vanished_or_came_twice_is_told(tmp_path: Path, table: str) -> None:
    lake = a_whole_lake(tmp_path, *SEVERAL)
    held = expected(lake).tables()[table]

    write(lake, table, held[1:])
    [vanished] = compare(lake)
    write(lake, table, pl.concat([held, held[:1]]))
    [doubled] = compare(lake)

    assert vanished.startswith(f"{table}: 1 rows missing, such as ")
    assert doubled.startswith(f"{table}: 1 rows too many, such as ")


def changed(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The same frame with another value in the last row that has one."""
    last = frame[column].is_not_null().arg_true()[-1]
    value: Any = frame[column][last]
    other: Any
    match value:
        case pl.Series():
            other = value.reverse().to_list() if len(value) > 1 else ["has a pulse"]
        case bool():
            other = not value
        case float():
            other = value * (1 + 1e-8) + 1e-6
        case datetime():
            other = value + timedelta(microseconds=1)
        case bytes():
            other = value + b"\n"
        case _:
            other = value + type(value)(1)
    values = frame[column].to_list()
    values[last] = other
    return frame.with_columns(pl.Series(column, values, frame.schema[column]))


@pytest.mark.parametrize("table", [*KEYS])
def test_any_value_that_changed_is_told_with_its_table(tmp_path: Path, table: str) -> None:
    lake = a_whole_lake(tmp_path, *SEVERAL)
    held = expected(lake).tables()[table]
    columns = [name for name in held.columns if held[name].is_not_null().any()]

    silent = []
    for column in columns:
        write(lake, table, changed(held, column))
        found = compare(lake)
        if not found or not found[0].startswith(f"{table}: "):
            silent.append(column)

    assert silent == []


def test_rules_in_another_order_are_told(tmp_path: Path) -> None:
    lake = a_whole_lake(tmp_path, [b"{}"])
    held = expected(lake).quarantine

    write(lake, "quarantine/flights", held.with_columns(pl.col("rules").list.reverse()))

    [difference] = compare(lake)
    assert difference.startswith("quarantine/flights: rules differs in 1 rows")


def test_floats_that_differ_by_rounding_and_narrower_types_are_equal(tmp_path: Path) -> None:
    lake = a_whole_lake(tmp_path, *SEVERAL)
    silver = expected(lake).silver

    write(
        lake,
        SILVER,
        silver.with_columns(pl.col("category").cast(pl.Int32), pl.col("velocity_kmh") * (1 + 1e-12)),
    )

    assert compare(lake) == []


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, None])
def test_a_float_that_is_no_number_equals_itself_alone(tmp_path: Path, value: float | None) -> None:
    lake = a_whole_lake(tmp_path, [a_report()])
    silver = expected(lake).silver

    write(lake, SILVER, silver.with_columns(pl.lit(value, pl.Float64).alias("velocity_kmh")))

    [difference] = compare(lake)
    assert difference.startswith(f"{SILVER}: velocity_kmh differs in 1 rows")


def test_instants_that_spark_wrote_as_int96_are_read_whatever_their_year(tmp_path: Path) -> None:
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1600, 2026, 2500, 9999)]
    (tmp_path / "old").mkdir()
    table = pl.DataFrame({"at": years}, schema={"at": INSTANT}).to_arrow()
    write_table(table, tmp_path / "old/part.parquet", use_deprecated_int96_timestamps=True)
    convert_to_deltalake(tmp_path / "old")

    assert rows(tmp_path, "old")["at"].to_list() == years


def test_a_column_too_many_in_silver_is_told(tmp_path: Path) -> None:
    lake = a_whole_lake(tmp_path, *SEVERAL)
    write_deltalake(
        lake / SILVER,
        expected(lake).silver.with_columns(batch=0).to_arrow(),
        mode="overwrite",
        schema_mode="overwrite",
    )

    [difference] = compare(lake)

    assert difference.startswith(f"{SILVER}: its columns are ")


def test_two_lakes_of_the_same_input_differ_in_when_it_came_alone(tmp_path: Path) -> None:
    one = a_whole_lake(tmp_path / "one", *SEVERAL)
    other = a_whole_lake(tmp_path / "other", [], *SEVERAL)
    bronze = pl.DataFrame(pl.read_delta(str(other / "bronze/flights_raw")))
    write(other, "bronze/flights_raw", bronze.with_columns(pl.col("received_at").dt.offset_by("1h")))

    assert compare_lakes(one, other) == []
    assert compare_lakes(one, one, cuts=True) == []
    assert {found.split(":")[0] for found in compare_lakes(one, other, cuts=True)} == {
        "bronze/flights_raw",
        "quarantine/flights",
        "late/flights",
        "_vigie/flights/ledger by batch",
    }


def test_two_lakes_with_other_rows_differ_in_every_table_that_they_reach(tmp_path: Path) -> None:
    one = a_whole_lake(tmp_path / "one", *SEVERAL)
    other = a_whole_lake(tmp_path / "other", SEVERAL[0], [*SEVERAL[1], b"}"])

    assert [found.split(":")[0] for found in compare_lakes(one, other)] == [
        "bronze/flights_raw",
        "quarantine/flights",
        "_vigie/flights/ledger",
        "_vigie/flights/ledger",
    ]
