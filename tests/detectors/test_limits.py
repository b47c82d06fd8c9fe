"""A value beyond a limit: one alert while it lasts, and none for what is no number."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.detectors.readings import NOON, firing, readings_of, said, table_of, turned
from vigie.detectors import Above, Below
from vigie.graph import Detector


def test_it_is_open_while_the_value_is_beyond_the_limit() -> None:
    assert firing(Above("c", 30), 29, 30, 31, 30, 29) == [False, False, True, False, False]
    assert firing(Below("c", 10), 11, 10, 9, 10, 11) == [False, False, True, False, False]


def test_a_value_that_trembles_at_the_limit_opens_one_alert_and_not_forty() -> None:
    trembling = [29.9, 30.1] * 40

    turns = turned(
        {"HIGH": Above("c", 30, clears_at=29)}, table_of(readings_of("c", *trembling, 29.0), {"c": pa.float64()})
    )

    assert [fires for *_, fires in turns] == [True, False]


def test_it_may_be_over_at_the_limit_itself_and_not_beyond() -> None:
    assert list(Above("c", 30, clears_at=30).problems()) == list(Below("c", 10, clears_at=10).problems()) == []
    assert list(Above("c", 30, clears_at=30.5).problems()) == ["it clears at 30.5, which is above its limit of 30"]
    assert list(Below("c", 10, clears_at=9.5).problems()) == ["it clears at 9.5, which is below its limit of 10"]


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, -math.inf, 1e200])
def test_what_is_no_measure_changes_nothing(nothing: float | None) -> None:
    assert firing(Above("c", 30), nothing, 31, nothing, 29, nothing) == [False, True, True, False, False]
    assert firing(Below("c", 10), nothing, 9, nothing, 11, nothing) == [False, True, True, False, False]


def test_a_limit_is_the_number_that_python_has_and_no_decimal() -> None:
    assert firing(Above("c", 0.1 + 0.2), 0.3, 0.30000000000000004, 0.3000000000000001) == [False, False, True]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pa.int8(), 31), (pa.decimal128(9, 3), Decimal("30.001")), (pa.float32(), 30.5), (pa.uint64(), 2**63)],
)
def test_any_column_that_counts_will_do(kind: pa.DataType, value: object) -> None:
    [found] = said(Above("c", 30), readings_of("c", value), kind)

    assert found.fires


@pytest.mark.parametrize(
    "column", ["mean_0", "Temperatur in °C", 'a "quoted" one', "fires", "value", "{median}", "rule"]
)
def test_a_column_may_be_called_as_it_likes(column: str) -> None:
    [found] = said(Above(column, 30), readings_of(column, 31.0), pa.float64())

    assert (found.fires, found.value) == (True, 31.0)


@pytest.mark.parametrize("name", ["", "a'b", 'it\'s "{so}"', "new\nline", "Ünïcode {0}"])
def test_rules_and_keys_may_be_called_as_they_like(name: str) -> None:
    rules: dict[str, Detector] = {name: Above("c", 30), "other": Below("c", 0)}
    readings = table_of(readings_of("c", 31.0, 29.0, key=name), {"c": pa.float64()})

    assert turned(rules, readings) == [[name, name, NOON, True], [name, name, NOON + 30_000_000, False]]
    assert turned(rules, readings, already={(name, name): NOON}) == [[name, name, NOON + 30_000_000, False]]
