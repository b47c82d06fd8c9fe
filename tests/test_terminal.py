"""What a program is asked at a terminal: to stop."""

from __future__ import annotations

import subprocess
import sys

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


def test_a_second_one_ends_the_program_at_once() -> None:
    assert ended("for _ in range(2): os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()") == 130
