"""The small lake that notebooks make when nobody names one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vigie.errors import RunFailed
from vigie.flights import sample_lake


def messages(folder: Path, seed: int) -> list[bytes]:
    return (sample_lake.sample_feed(folder, seed) / "sample.jsonl").read_bytes().splitlines(keepends=True)


@pytest.fixture(autouse=True)
def _few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_lake, "REPORTS", 3_000)


def test_the_same_seed_makes_the_same_messages_and_another_seed_others(tmp_path: Path) -> None:
    first = messages(tmp_path / "first", 7)

    assert len(first) == 3_000
    assert messages(tmp_path / "again", 7) == first
    assert messages(tmp_path / "other", 8) != first


def test_some_messages_are_broken_and_none_is_from_the_future_or_before_the_start(tmp_path: Path) -> None:
    broken, outside = 0, []
    for message in messages(tmp_path, 7):
        try:
            state = json.loads(message)
        except ValueError:
            broken += 1
            continue
        first, last = sample_lake.START.timestamp(), state["time"] + sample_lake.AHEAD_S
        if isinstance(at := state.get("time_position"), int) and not first <= at <= last:
            outside.append(state)

    assert broken > 10
    assert outside == []


def test_for_eight_minutes_one_country_sends_feet_where_metres_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_lake, "REPORTS", 40_000)
    monkeypatch.setattr(sample_lake, "FAULTS", 0.0)

    high: dict[bool, int] = {True: 0, False: 0}
    for state in map(json.loads, messages(tmp_path, 7)):
        since = state["time"] - sample_lake.START.timestamp()
        is_british = state["origin_country"] == "United Kingdom"
        has_feet = is_british and sample_lake.FEET_FROM_S <= since < sample_lake.FEET_TO_S
        high[has_feet] += (state["baro_altitude"] or 0) > 14_000

    assert high[True] > 100
    assert high[False] == 0


def test_a_lake_that_is_named_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_LAKE", str(tmp_path))

    assert sample_lake.sample_lake().root == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_is_named_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIGIE_LAKE", raising=False)
    Path("lake-sample-7/_inbox/flights_raw").mkdir(parents=True)
    Path("lake-sample-7/_vigie").write_text("a file where a folder is wanted")

    with pytest.raises(RunFailed, match="the sample lake could not be made") as failed:
        sample_lake.sample_lake()

    assert "vigie run flights --once --lake lake-sample-7" in str(failed.value)
