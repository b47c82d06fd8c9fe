"""A batch question is answered from the lake's own tables, and what keeps it from that is said with its name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import functions as F

from vigie import Pipeline
from vigie.asking import answer
from vigie.errors import RequestError, RunFailed
from vigie.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)

heat = Pipeline("heat")
heat.source("heat_raw", schema="room STRING, at TIMESTAMP, c DOUBLE")


@heat.silver("readings", reads="heat_raw", schema="room STRING, at TIMESTAMP, c DOUBLE")
def readings(rows: DataFrame) -> DataFrame:
    """A reading."""
    return rows


@heat.question
def warmest(readings: DataFrame) -> DataFrame:
    """Which room is the warmest, and since when?"""
    return readings.groupBy("room").agg(F.max("c").alias("c"), F.min("at").alias("since")).orderBy(F.desc("c"))


@heat.question
def all_of_it(readings: DataFrame) -> DataFrame:
    """All that is there."""
    return readings


@heat.question
def broken(readings: DataFrame) -> DataFrame:
    """Raises."""
    return readings.select("warmth")


@heat.question
def mistaken(readings: DataFrame) -> DataFrame:
    """Is wrong in Python."""
    return readings.select(len(3))  # type: ignore[call-overload,no-any-return,arg-type]


@heat.question
def silent(readings: DataFrame) -> None:  # noqa: ARG001
    """Forgets to give anything back."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    held = {
        "room": ["a", "b", "b"],
        "at": [NOON, NOON, None],
        "c": [20.0, 21.5, 23.0],
        "seen_until": [None, NOON, NOON],
    }
    write_deltalake(tmp_path / "silver/readings", pa.table(held))
    return Lake(tmp_path)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_rows_come_in_the_order_that_was_asked_for_and_instants_are_the_same_in_any_zone(
    lake: Lake, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)

    found = answer(heat, heat.questions["warmest"], lake)

    assert (found.columns, list(found.rows)) == (("room", "c", "since"), [("b", 23.0, NOON), ("a", 20.0, NOON)])


def test_what_the_loop_keeps_beside_a_row_is_not_the_question_s_affair(lake: Lake) -> None:
    assert answer(heat, heat.questions["all_of_it"], lake).columns == ("room", "at", "c")


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("broken", r"question 'broken' has no answer: .*warmth"),
        ("mistaken", "question 'mistaken' has no answer: TypeError: object of type 'int' has no len"),
        ("silent", "question 'silent' has no answer: it gave back NoneType, and not rows"),
    ],
)
def test_what_keeps_a_question_from_being_answered_is_said_with_its_name_and_place(
    lake: Lake, question: str, why: str
) -> None:
    with pytest.raises(RunFailed, match=why) as raised:
        answer(heat, heat.questions[question], lake)

    assert "test_asking.py" in str(raised.value)


def test_a_table_that_is_not_there_yet_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"there is no table 'readings' yet(.|\n)*vigie run heat"):
        answer(heat, heat.questions["warmest"], Lake(tmp_path))
