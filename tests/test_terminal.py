"""What a program is asked at a terminal: to stop."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASKED = """
import os, signal
from vigie.terminal import stop_when_asked
stop = stop_when_asked()
"""


def ended(program: str) -> int:
    return subprocess.run([sys.executable, "-c", ASKED + program], timeout=60, check=False).returncode


def test_a_stop_is_heard_at_whatever_moment_it_is_asked_for() -> None:
    looking = "with stop._cond: os.kill(os.getpid(), signal.SIGTERM)"  # as whoever waits for the event does inside
    assert ended(f"{looking}\nassert stop.wait(30)") == 0


def test_a_person_who_asks_for_it_is_told_at_once() -> None:
    program = """
import logging, os, signal
from vigie.terminal import STOPPING, stop_when_asked
logging.basicConfig(level="INFO")
stop = stop_when_asked(STOPPING)
os.kill(os.getpid(), signal.SIGINT)
stop.wait(30)
[each.join() for each in __import__("threading").enumerate() if each.name == "stop"]
"""

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (said.returncode, said.stderr.count("Stopping: what has begun is finished first.")) == (0, 1)


def test_a_second_one_ends_the_program_at_once() -> None:
    assert ended("for _ in range(2): os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()") == 130


@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
def test_an_output_that_is_closed_is_no_fault(closing: str) -> None:
    asked = f"{sys.executable} -c 'from vigie.cli import main; main()' check flights {closing}"

    said = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, timeout=60, check=False)

    assert (said.returncode, said.stderr) == (0, "")


def test_letters_that_an_output_does_not_have_are_spelled_out() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from vigie.cli import main; main()", "graph", "flights"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (said.returncode, said.stderr) == (0, "")
    assert "bronze/flights_raw" in said.stdout
