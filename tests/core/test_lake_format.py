"""A lake is gone on with in the form in which it was begun, or refused before a byte is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.core.numbers import FIRST, numbers
from tests.runs import an_inbox, run_once
from vigie.core.lake_format import LOOPED, claim, hold_to
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.lake import Lake


def streamed(lake: Path, pipeline: str = "flights") -> Lake:
    """A lake that a Vigie filled which ran on Spark's streams."""
    checkpoint = Lake(lake).checkpoint(pipeline, "raw")
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text('{"id": "8c1"}')
    return Lake(lake)


def files(lake: Path) -> list[str]:
    return sorted(str(path.relative_to(lake)) for path in lake.rglob("*") if path.is_file())


def test_a_lake_is_begun_in_the_form_of_the_loop_and_gone_on_with(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    hold_to(lake, "flights")
    assert files(tmp_path) == [], "who only looks writes nothing"
    claim(lake, "flights")
    claim(lake, "flights")
    hold_to(lake, "flights")

    assert json.loads((lake.vigie("flights") / "format.json").read_text()) == {"format": LOOPED}


def test_a_lake_of_spark_s_streams_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    lake = streamed(tmp_path)
    before = files(tmp_path)

    for act in (hold_to, claim):
        with pytest.raises(LakeMismatch, match="filled on Spark's streams(.|\n)*the Vigie that filled it, or.*--lake"):
            act(lake, "flights")
    assert files(tmp_path) == before


def test_a_run_refuses_a_lake_of_spark_s_streams_before_a_byte_is_written(tmp_path: Path) -> None:
    inbox, lake = an_inbox(tmp_path / "inbox", FIRST), streamed(tmp_path / "lake", "numbers")
    before = files(tmp_path)

    with pytest.raises(LakeMismatch, match="filled on Spark's streams"):
        run_once(numbers(), lake.root, raw=inbox)

    assert files(tmp_path) == before


def test_the_notes_of_watches_and_outboxes_do_not_make_a_lake_one_of_spark_s_streams(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for folder in ("watch-even-by-k", "outbox-webhook-of-watch-even-by-k"):
        note = lake.checkpoint("flights", folder) / "note.json"
        note.parent.mkdir(parents=True)
        note.write_text('{"version": 1}')

    claim(lake, "flights")


@pytest.mark.parametrize("said", ['{"format": 7}', '{"format": 3}'])
def test_a_form_of_the_future_is_refused_and_left_as_it_is(tmp_path: Path, said: str) -> None:
    note = Lake(tmp_path).vigie("flights") / "format.json"
    note.parent.mkdir(parents=True)
    note.write_text(said)

    for act in (hold_to, claim):
        with pytest.raises(LakeMismatch, match="of a newer Vigie than this one"):
            act(Lake(tmp_path), "flights")
    assert note.read_text() == said


@pytest.mark.parametrize("said", ["{", "[]", "{}", "", '{"format": null}'])
def test_a_damaged_note_of_the_form_is_named_and_left_as_it_is(tmp_path: Path, said: str) -> None:
    note = Lake(tmp_path).vigie("flights") / "format.json"
    note.parent.mkdir(parents=True)
    note.write_text(said)

    for act in (hold_to, claim):
        with pytest.raises(LakeDamaged, match="not what was written there") as problem:
            act(Lake(tmp_path), "flights")
        assert problem.value.where == str(note)
    assert note.read_text() == said
