"""What is written down of a batch before it is done, whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vigie.core.notes import KEPT, GoldPlan, JsonNotes, Notes, Plan, TablePlan
from vigie.errors import LakeDamaged

NOON = datetime(2025, 6, 1, 12, 0, 0, 1, tzinfo=UTC)
OF_A_SOURCE = Plan(
    3,
    NOON,
    [["662e6a736f6e6c", 1, 2, 1, "ab"]],
    {"0": 9},
    1,
    {"0": False, "1": True},
    {"even": TablePlan(7, {"0": 1_748_779_200_000_000}, 1_748_779_100_000_000), "odd": TablePlan(1, {})},
)
OF_GOLD = GoldPlan(3, 12, {"silver/even": 5, "silver/names": 2}, -5, 1_748_779_200_000_000, 100, 4, model=2)


@pytest.mark.parametrize("plan", [OF_A_SOURCE, OF_GOLD])
def test_a_plan_is_read_back_as_it_was_committed(tmp_path: Path, plan: Any) -> None:
    Notes(tmp_path, type(plan)).commit(plan)

    assert Notes(tmp_path, type(plan)).newest() == plan


def test_what_was_noted_of_a_batch_is_read_back_and_of_another_nothing_is(tmp_path: Path) -> None:
    JsonNotes(tmp_path).commit(3, {"unknown": [7]})

    assert JsonNotes(tmp_path).plan(3) == {"unknown": [7]}
    assert JsonNotes(tmp_path).plan(4) is None


def test_a_plan_that_was_not_finished_being_written_is_none(tmp_path: Path) -> None:
    (tmp_path / ".3.json.tmp").write_text('{"batch": 3, "rec')

    assert Notes(tmp_path, Plan).newest() is None


def test_plans_that_can_no_longer_be_needed_are_forgotten(tmp_path: Path) -> None:
    notes = Notes(tmp_path, GoldPlan)

    for batch in range(12):
        notes.commit(GoldPlan(batch, batch, {}, 0, 0, 0, 0))

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{batch}.json" for batch in range(12 - KEPT, 12))
    assert notes.newest() == GoldPlan(11, 11, {}, 0, 0, 0, 0)
    notes.clear()
    assert notes.newest() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\0\0\0\0"])
def test_a_damaged_note_is_named_and_not_taken_for_another(tmp_path: Path, text: str) -> None:
    (tmp_path / "0.json").write_text(text)

    for read in (Notes(tmp_path, Plan).newest, Notes(tmp_path, GoldPlan).newest, lambda: JsonNotes(tmp_path).plan(0)):
        with pytest.raises(LakeDamaged, match="is not what was written there") as problem:
            read()
        assert problem.value.where == str(tmp_path / "0.json")
        assert "copy of the lake" in problem.value.do
