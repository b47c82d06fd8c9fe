"""What tools/mutants.py takes for a killed mutant: tests that failed or never ended, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tools.mutants import FAILED, INTERRUPTED, KILLS, PASSED, TOOK_TOO_LONG, forked, judge
from tools.mutations import Mutant


def a_mutant(folder: Path = Path()) -> Mutant:
    return Mutant(1, "1", "2", compile("limit = 2", str(folder / "declared.py"), "exec"))


def came_of(work: Callable[[], int], patience: float) -> int:
    [(_, status)] = forked([(a_mutant(), work)], 1, patience)
    return status


def what_came(work: Callable[[], int], patience: float = 30) -> int:
    """A process of its own forks: where Spark or Polars runs threads, as in this one, a fork may fall over."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(came_of, work, patience).result()


def killed_from_outside() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return PASSED


def never_ending() -> int:
    while True:
        time.sleep(1)


def judged_by(tests: Path) -> int:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return judge("declared", a_mutant(tests.parent), [str(tests)], None)


def test_what_took_too_long_is_killed_and_what_somebody_else_killed_is_not_judged() -> None:
    assert [what_came(partial(int, status)) for status in (PASSED, FAILED)] == [PASSED, FAILED]
    assert what_came(never_ending, patience=0.1) == TOOK_TOO_LONG
    assert what_came(killed_from_outside) not in {PASSED, *KILLS}


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

    assert what_came(partial(judged_by, tests)) == came
