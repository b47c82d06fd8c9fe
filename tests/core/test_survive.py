"""Runs on this machine that die after any of their commits, or are killed, leave what an undisturbed run leaves."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.reference import compare_lakes
from tests.runs import DIED, GARBAGE, Job, a_state, an_inbox, killed_at_random
from tests.tier import by_night

A_BATCH = ["plan", "bronze/flights_raw", "silver/flights_ml", "silver/flights_ml quarantine", "ledger"]
COUNTS = "gold/streaming_aggregations/flight_phase_counts"
NOT_LONG = [value for value in GARBAGE.values() if len(value) < 10_000]
KILLS = by_night(200, few=4)


def inbox(folder: Path) -> str:
    """Two files: in each, rows of every verdict that there can be by then."""
    first = [a_state(at, icao24=f"{aircraft:06x}") for at in range(0, 900, 10) for aircraft in range(3)]
    second = [a_state(at, icao24=f"{aircraft:06x}") for at in range(880, 1_800, 10) for aircraft in range(3)]
    late = [a_state(at, icao24="1a7e") for at in range(5)]
    return f"inbox:{an_inbox(folder, [*first, *first[-9:], *NOT_LONG], [*second, *late, *NOT_LONG])}"


def undisturbed(lake: Path, address: str) -> list[str]:
    """The names of its commits."""
    code, written, complained = Job(str(lake), address).finish()
    assert code == 0, complained
    return written.splitlines()


@pytest.mark.timeout(600)
def test_whatever_commit_a_run_dies_after_it_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    address = inbox(tmp_path / "inbox")
    made = undisturbed(tmp_path / "whole", address)
    assert made[:5] == A_BATCH
    assert "silver/flights_ml late" in made
    assert {f"{COUNTS} plan", COUNTS, f"{COUNTS} ledger"} <= set(made)

    ahead = list(dict.fromkeys(made))
    while ahead:
        job = Job(str(tmp_path / "torn"), address, die_after=ahead)
        code, written, complained = job.finish()
        died_after = written.splitlines()[-1]
        assert (code, died_after in ahead) == (DIED, True), complained
        ahead.remove(died_after)
    code, _, complained = Job(str(tmp_path / "torn"), address).finish()

    assert code == 0, complained
    assert compare_lakes(tmp_path / "whole", tmp_path / "torn", cuts=True) == []


@pytest.mark.timeout(by_night(3_600, few=600))
def test_runs_that_are_killed_while_they_are_at_work_leave_what_an_undisturbed_one_leaves(tmp_path: Path) -> None:
    address = inbox(tmp_path / "inbox")
    undisturbed(tmp_path / "whole", address)
    seed = random.randrange(2**32)
    chance = random.Random(seed)

    torn, killed = Job(str(tmp_path / "torn"), address), 0
    while killed < KILLS:
        shutil.rmtree(torn.lake, ignore_errors=True)
        while killed_at_random(torn, chance, with_children=bool(killed % 2)).at_work:
            killed += 1
        code, _, complained = torn.finish()

        assert code == 0, f"seed {seed}, {killed} killed: {complained}"
        assert compare_lakes(tmp_path / "whole", tmp_path / "torn", cuts=True) == [], f"seed {seed}, {killed} killed"
