"""Runs of flights on a Spark of their own that die after commits leave the lake that an undisturbed run leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference import compare, compare_lakes
from tests.runs import DIED, GARBAGE, Job, a_state, an_inbox
from tests.tier import nightly

SILVER, GOLD = "silver/flights_ml", "gold/movements"
COUNTS = "gold/streaming_aggregations/flight_phase_counts"
A_BATCH = ["plan", "bronze/flights_raw", SILVER, f"{SILVER} quarantine", "ledger"]
THE_SECOND = [*A_BATCH[:-1], f"{SILVER} late", "ledger"]
# Where a run dies, which finds the earlier ones made: a server is started for each, so not after every commit.
DEATHS = ["bronze/flights_raw", f"{SILVER} late", f"{GOLD} plan", COUNTS]
GARBAGE_NOT_LONG = [value for value in GARBAGE.values() if len(value) < 10_000]


def two_batches(folder: Path) -> Path:
    """Two files: in each, rows of every verdict that there can be by then."""
    first = [a_state(at, icao24=f"{aircraft:06x}") for at in range(0, 900, 10) for aircraft in range(3)]
    second = [a_state(at, icao24=f"{aircraft:06x}") for at in range(880, 1_800, 10) for aircraft in range(3)]
    late = [a_state(at, icao24="1a7e") for at in range(5)]
    return an_inbox(folder, [*first, *first[-9:], *GARBAGE_NOT_LONG], [*second, *late, *GARBAGE_NOT_LONG])


@nightly
@pytest.mark.timeout(1_500)
def test_whatever_commit_a_run_dies_after_it_leaves_the_lake_of_an_undisturbed_one(tmp_path: Path) -> None:
    address = f"inbox:{two_batches(tmp_path / 'inbox')}"
    code, written, complained = Job(str(tmp_path / "whole"), address, engine="spark").finish(600)
    hot = [*A_BATCH, *THE_SECOND]
    assert (code, written.splitlines()[: len(hot)]) == (0, hot), complained

    ahead = list(DEATHS)
    while ahead:
        code, written, complained = Job(str(tmp_path / "torn"), address, die_after=ahead, engine="spark").finish(600)
        died_after = written.splitlines()[-1]
        assert (code, died_after in ahead) == (DIED, True), complained
        ahead.remove(died_after)
    code, _, complained = Job(str(tmp_path / "torn"), address, engine="spark").finish(600)
    assert code == 0, complained

    assert compare(tmp_path / "whole") == []
    assert compare_lakes(tmp_path / "whole", tmp_path / "torn", cuts=True) == []
