"""A live run that is told to stop: what has begun is finished, and nobody is shown a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference import compare
from tests.runs import an_inbox, simulated, until
from tests.tier import by_night
from vigie.lake import Lake

VIGIE = [sys.executable, "-c", "from vigie.cli import main; main()"]


@pytest.mark.parametrize("stop", by_night([signal.SIGINT, signal.SIGTERM], few=[signal.SIGTERM]))
def test_a_run_that_is_told_to_stop_within_a_batch_finishes_it_and_ends_well(
    tmp_path: Path, stop: signal.Signals
) -> None:
    messages = simulated(4_000)
    folder = an_inbox(tmp_path / "inbox", messages[:2_000])
    lake = Lake(tmp_path / "lake")
    command = [*VIGIE, "run", "flights", "--from", f"inbox:{folder}", "--lake", str(lake)]
    # A group of its own, which is what a terminal and a service manager send a signal to.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stderr is not None
        said = [next(line for line in run.stderr if "silver/flights_ml batch 0" in line)]
        an_inbox(tmp_path / "more", messages[2_000:])
        (tmp_path / "more" / "000.jsonl").rename(folder / "001.jsonl")
        until(lambda: planned(lake) == [2_000])
        os.killpg(run.pid, stop)
        said += run.stderr.readlines()

    assert run.returncode == 0, said
    assert any("silver/flights_ml" in line and "2,000 read" in line for line in said[1:]), said
    assert not [line for line in said if "Exception" in line or "Traceback" in line]
    assert [difference for difference in compare(lake.root) if not difference.startswith("gold/")] == []


def planned(lake: Lake) -> list[int]:
    """How many messages the batches take that are planned after the first, and are not empty."""
    plans = [path for path in (lake.notes("flights") / "flights_raw").glob("*.json") if path.stem not in {"0"}]
    return [messages for path in plans if (messages := json.loads(path.read_text())["messages"])]
