"""Runs of sensors that are killed while they watch leave the lake, and the alerts, that an undisturbed run leaves."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from tests.reference import compare_lakes
from tests.runs import Job, an_inbox, killed_at_random
from tests.tier import by_night
from vigie.feed import Simulation
from vigie.lake import Lake, rows
from vigie.sensors.simulator import simulate

KEYS, INTERVAL_S, READINGS, FILES = 60, 30.0, 12_000, 12
KILLS = by_night(5, few=1)
RANKED = "OFF_COURSE"  # among the readings of one look, and what is looked at together is a matter of the moment


def an_hour_and_a_half(folder: Path) -> Path:
    """Readings up to now, with faults, in files that come one after the other."""
    start = time.time() - READINGS / KEYS * INTERVAL_S
    ticks = simulate(Simulation(start, keys=KEYS, interval=INTERVAL_S, seed=7, faults=0.05))
    values = [value for _, value in islice((message for tick in ticks for message in tick.messages), READINGS)]
    size = READINGS // FILES
    return an_inbox(folder, *(values[at : at + size] for at in range(0, READINGS, size)))


def alerts(lake: Path) -> set[tuple[object, ...]]:
    """What was raised, and when it was over."""
    found = rows(Lake(lake).alerts("sensors"))
    return {
        tuple(row[name] for name in ("alert_id", "opened_at", "closed_at")) for row in found if row["rule"] != RANKED
    }


@pytest.mark.timeout(1_200)
def test_a_run_that_is_killed_again_and_again_leaves_what_an_undisturbed_one_leaves(tmp_path: Path) -> None:
    address = f"inbox:{an_hour_and_a_half(tmp_path / 'inbox')}"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    torn = Job(str(tmp_path / "torn"), address, pipeline="sensors", once=False)

    made = [killed_at_random(torn, chance, with_children=bool(at % 2)) for at in range(KILLS)]
    code, written, complained = replace(torn, once=True).finish()

    told = f"seed {seed}, killed after {made} commits; then {complained}"
    assert code == 0, told
    whole = Job(str(tmp_path / "whole"), address, pipeline="sensors")
    assert whole.finish()[0] == 0
    assert compare_lakes(tmp_path / "whole", tmp_path / "torn", cuts=True) == [], told
    assert alerts(tmp_path / "whole") == alerts(tmp_path / "torn") != set(), told
    assert "ledger" in written, f"nothing was left for the last run: {told}"
