"""A lake is gone on with in the form in which it was begun, or refused before a byte is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.core.lake_format import LOOPED, STREAMED, claim
from vigie.errors import LakeDamaged, LakeMismatch
from vigie.lake import Lake


def streamed(lake: Path) -> Lake:
    checkpoint = lake / "_vigie/flights/checkpoints/flights_raw"
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text('{"id": "8c1"}')
    return Lake(lake)


def files(lake: Path) -> list[str]:
    return sorted(str(path.relative_to(lake)) for path in lake.rglob("*") if path.is_file())


def test_a_lake_that_the_loop_began_is_gone_on_with_by_the_loop_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    claim(lake, "flights", LOOPED)
    claim(lake, "flights", LOOPED)

    with pytest.raises(LakeMismatch, match="filled by the embedded engine.*\n.*--engine embedded"):
        claim(lake, "flights", STREAMED)


def test_a_lake_of_spark_s_streams_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    lake = streamed(tmp_path)
    before = files(tmp_path)
    claim(lake, "flights", STREAMED)

    with pytest.raises(LakeMismatch, match="filled by Spark's streams.*\n.*--engine spark"):
        claim(lake, "flights", LOOPED)
    assert files(tmp_path) == before


@pytest.mark.parametrize(("said", "error"), [('{"format": 7}', LakeMismatch), ("{", LakeDamaged), ("[]", LakeDamaged)])
def test_a_form_of_the_future_and_a_damaged_note_are_refused(tmp_path: Path, said: str, error: type[Exception]) -> None:
    (tmp_path / "_vigie/flights").mkdir(parents=True)
    (tmp_path / "_vigie/flights/format.json").write_text(said)

    for wanted in (LOOPED, STREAMED):
        with pytest.raises(error):
            claim(Lake(tmp_path), "flights", wanted)
    assert (tmp_path / "_vigie/flights/format.json").read_text() == said
