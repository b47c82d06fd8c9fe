"""What is written down of a batch before it is done, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vigie.engine.checkpoints import PLANS_KEPT, Checkpoint
from vigie.engine.plan import Plan, SettledPlan, TablePlan
from vigie.errors import LakeDamaged, LakeMismatch

NOON = datetime(2025, 6, 1, 12, 0, 0, 1, tzinfo=UTC)


def spark_wrote(folder: Path, batch: int, offset: str, at: datetime = NOON) -> None:
    """The file that Spark writes when it plans a batch."""
    said = {"batchWatermarkMs": 0, "batchTimestampMs": round(at.timestamp() * 1_000), "conf": {}}
    (folder / "offsets").mkdir(parents=True, exist_ok=True)
    (folder / "offsets" / str(batch)).write_text(f"v1\n{json.dumps(said)}\n{offset}")


def test_a_plan_is_read_back_as_it_was_committed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    plan = Plan(
        3,
        NOON,
        [["f.jsonl", 1, 2]],
        {"even": TablePlan(2, 7, NOON - timedelta(minutes=6)), "odd": TablePlan(0, 1, None)},
    )

    plan.commit(checkpoint)

    assert Plan.of(checkpoint, 3) == plan
    assert Plan.of(checkpoint, 4) is None


@pytest.mark.parametrize("newest", [None, NOON])
def test_a_plan_of_settled_rows_is_read_back_as_it_was_committed(tmp_path: Path, newest: datetime | None) -> None:
    plan = SettledPlan(3, 12, newest, newest, 100, 4)

    plan.commit(Checkpoint(tmp_path))

    assert SettledPlan.of(Checkpoint(tmp_path), 3) == plan


def test_a_plan_that_was_not_finished_being_written_is_none(tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    plans.mkdir()
    (plans / ".3.json.tmp").write_text('{"batch": 3, "rec')

    assert Plan.of(Checkpoint(tmp_path), 3) is None


def test_plans_that_can_no_longer_be_needed_are_forgotten(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)

    for batch in range(PLANS_KEPT + 5):
        SettledPlan(batch, 0, None, None, 0, 0).commit(checkpoint)

    kept = [batch for batch in range(PLANS_KEPT + 5) if SettledPlan.of(checkpoint, batch)]
    assert kept == list(range(5, PLANS_KEPT + 5))


def test_a_batch_begins_where_the_one_before_it_ended(tmp_path: Path) -> None:
    spark_wrote(tmp_path, 0, '{"t":{"0":5}}')
    spark_wrote(tmp_path, 1, '{"t":{"0":9}}')

    assert Checkpoint(tmp_path).offsets(1) == ('{"t":{"0":5}}', '{"t":{"0":9}}')
    assert Checkpoint(tmp_path).offsets(0) == (None, '{"t":{"0":5}}')


def test_the_first_batch_begins_where_the_source_began(tmp_path: Path) -> None:
    spark_wrote(tmp_path, 0, '{"t":{"0":5}}')
    (tmp_path / "sources" / "0").mkdir(parents=True)
    (tmp_path / "sources" / "0" / "0").write_text('v1\n{"t":{"0":2}}')

    assert Checkpoint(tmp_path).offsets(0) == ('{"t":{"0":2}}', '{"t":{"0":5}}')


def test_when_a_batch_was_planned_is_what_spark_wrote_down(tmp_path: Path) -> None:
    spark_wrote(tmp_path, 4, "{}", NOON)

    assert Checkpoint(tmp_path).planned_at(4) == NOON.replace(microsecond=0)


def test_a_checkpoint_that_reads_one_thing_is_not_lent_to_another(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "c").claim("kafka topic one")

    Checkpoint(tmp_path / "c").claim("kafka topic one")
    with pytest.raises(LakeMismatch, match="filled from kafka topic one, and is now asked .* kafka topic two"):
        Checkpoint(tmp_path / "c").claim("kafka topic two")


def test_of_a_first_batch_that_was_half_planned_nothing_is_left(tmp_path: Path) -> None:
    offsets = tmp_path / "offsets"
    offsets.mkdir()
    (offsets / ".0.5f4a.tmp").write_text("v1\n{")
    (offsets / "..0.5f4a.tmp.crc").write_bytes(b"crc")

    Checkpoint(tmp_path).forget_a_first_batch_half_planned()

    assert list(offsets.iterdir()) == []


def test_beside_a_batch_that_was_planned_everything_stays(tmp_path: Path) -> None:
    spark_wrote(tmp_path, 0, "{}")
    (tmp_path / "offsets" / ".1.5f4a.tmp").write_text("v1\n{")

    Checkpoint(tmp_path).forget_a_first_batch_half_planned()

    assert {left.name for left in (tmp_path / "offsets").iterdir()} == {"0", ".1.5f4a.tmp"}


def test_a_query_has_started_when_spark_has_given_it_an_id(tmp_path: Path) -> None:
    before = Checkpoint(tmp_path).started

    (tmp_path / "metadata").write_text('{"id":"c0ffee"}')

    assert (before, Checkpoint(tmp_path).started) == (False, True)
    assert Checkpoint(tmp_path).query == "c0ffee"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\0\0\0\0"])
def test_a_damaged_note_is_named_and_not_taken_for_another(tmp_path: Path, text: str) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "offsets").mkdir()
    files = [tmp_path / name for name in ("metadata", "plans/0.json", "offsets/0")]
    for file in files:
        file.write_text(text)
    checkpoint = Checkpoint(tmp_path)

    reads: list[Callable[[], object]] = [
        checkpoint.check, lambda: Plan.of(checkpoint, 0), lambda: checkpoint.planned_at(0)
    ]  # fmt: skip
    for file, read in zip(files, reads, strict=True):
        with pytest.raises(LakeDamaged, match="is empty, or is not what was written") as problem:
            read()
        assert problem.value.where == str(file)
        assert "Do not delete it" in problem.value.do
