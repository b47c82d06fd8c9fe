"""Runs of flights by Spark's streams that die after their commits leave the lake that an undisturbed run leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference import compare, compare_lakes
from tests.runs import DIED, GARBAGE, Job, a_state, an_inbox
from tests.tier import nightly
from vigie.lake import Lake

SILVER, GOLD = "silver/flights_ml", "gold/movements"
A_BATCH = ["plan", "bronze/flights_raw", SILVER, f"{SILVER} quarantine", "ledger"]
THE_SECOND = [*A_BATCH[:-1], f"{SILVER} late", "ledger"]
LOOKED_BACK = [f"{GOLD} plan", GOLD, f"{GOLD} ledger"]
STREAMED = [f"gold/streaming_aggregations/{table}" for table in ("flight_phase_counts", "anomaly_alerts")]
WATCHED = ["watch-prediction_drift-by-model note"]
# Where a run dies, which finds the earlier ones made. Tables of gold take turns in no order of their own.
EVERY_COMMIT = [*A_BATCH, f"{SILVER} late", *STREAMED, *LOOKED_BACK]
GARBAGE_NOT_LONG = [value for value in GARBAGE.values() if len(value) < 10_000]


def two_batches(folder: Path) -> Path:
    """Two files: in each, rows of every verdict that there can be by then."""
    first = [a_state(at, icao24=f"{aircraft:06x}") for at in range(0, 900, 10) for aircraft in range(3)]
    second = [a_state(at, icao24=f"{aircraft:06x}") for at in range(880, 1_800, 10) for aircraft in range(3)]
    late = [a_state(at, icao24="1a7e") for at in range(5)]
    return an_inbox(folder, [*first, *first[-9:], *GARBAGE_NOT_LONG], [*second, *late, *GARBAGE_NOT_LONG])


def half_planned(checkpoint: Path) -> None:
    """Leave what Spark leaves when it dies as it writes down its very first batch."""
    (checkpoint / "offsets").mkdir(parents=True)
    (checkpoint / "offsets" / ".0.5f4ab1e.tmp").write_text("v1\n{")


@nightly
@pytest.mark.timeout(1_500)
def test_a_run_that_dies_after_one_of_its_commits_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    address = f"inbox:{two_batches(tmp_path / 'inbox')}"
    died_and_went_on(tmp_path / "torn", address, [SILVER, GOLD])

    assert compare(tmp_path / "torn") == []


@nightly
@pytest.mark.timeout(1_500)
def test_whatever_commit_a_run_dies_after_it_leaves_the_lake_of_an_undisturbed_one(tmp_path: Path) -> None:
    address = f"inbox:{two_batches(tmp_path / 'inbox')}"
    code, written, complained = Job(str(tmp_path / "whole"), address, engine="spark").finish()
    hot, gold = [*A_BATCH, *THE_SECOND], [*LOOKED_BACK, *STREAMED, *STREAMED, *WATCHED]
    made = written.split("\n")[:-1]
    assert (code, made[: len(hot)], sorted(made[len(hot) :])) == (0, hot, sorted(gold)), complained

    died_and_went_on(tmp_path / "torn", address, EVERY_COMMIT)

    assert compare(tmp_path / "whole") == []
    assert compare_lakes(tmp_path / "whole", tmp_path / "torn", cuts=True) == []


def died_and_went_on(lake: Path, address: str, deaths: list[str]) -> None:
    """Run until it has died after each of these commits, then to the end."""
    for query in ("flights_raw", GOLD.removeprefix("gold/"), *(table.removeprefix("gold/") for table in STREAMED)):
        half_planned(Lake(lake).checkpoint("flights", query))
    ahead = list(deaths)
    while ahead:
        code, written, complained = Job(str(lake), address, die_after=ahead, engine="spark").finish()
        died_after = written.split("\n")[-2]
        assert (code, died_after in ahead) == (DIED, True), complained
        ahead.remove(died_after)
    code, _, complained = Job(str(lake), address, engine="spark").finish()
    assert code == 0, complained
