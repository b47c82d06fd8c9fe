"""What tools/mutants.py takes for a killed mutant: tests that failed or never ended, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.mutants import FAILED, HOUSE, INTERRUPTED, KILLS, PASSED, TOOK_TOO_LONG

# Asked of a Python of its own: where Spark or Polars runs threads, as in this one, a fork may fall over.
FORKED = """
import os, signal, sys, time
from tools.mutants import forked, judge
from tools.mutations import Mutant

mutant = Mutant(1, "1", "2", compile("limit = 2", "declared.py", "exec"))
[(_, status)] = forked([(mutant, lambda: {work})], 1, {patience})
sys.exit(f"status {{status}}")
"""


def what_came(work: str, patience: float = 60) -> int:
    asked = [sys.executable, "-c", FORKED.format(work=work, patience=patience)]
    own = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    said = subprocess.run(asked, cwd=HOUSE, env=own, capture_output=True, text=True, check=False).stderr
    assert said.startswith("status "), said
    return int(said.removeprefix("status "))


def test_what_took_too_long_is_killed_and_what_somebody_else_killed_is_not_judged() -> None:
    assert [what_came(str(status)) for status in (PASSED, FAILED)] == [PASSED, FAILED]
    assert what_came("time.sleep(60)", patience=0.1) == TOOK_TOO_LONG
    assert what_came("os.kill(os.getpid(), signal.SIGKILL)") not in {PASSED, *KILLS}


@pytest.mark.parametrize(
    ("test", "came"),
    [
        ("def test_it(): assert declared.limit == 1", FAILED),
        ("assert declared.limit == 1\ndef test_it(): pass", FAILED),
        ("def test_it(): assert declared.limit", PASSED),
        ("def test_it(): raise KeyboardInterrupt", INTERRUPTED),
    ],
)
def test_tests_that_broke_have_killed_it_and_those_that_were_stopped_have_not(
    tmp_path: Path, test: str, came: int
) -> None:
    tests = tmp_path / "test_declared.py"
    tests.write_text(f"import declared\n{test}\n")

    assert what_came(f"judge('declared', mutant, [{str(tests)!r}], None)") == came
