"""What tools/mutants.py takes for a killed mutant: tests that failed or never ended, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.mutants import FAILED, INTERRUPTED, KILLS, PASSED, TOOK_TOO_LONG, forked, judge
from tools.mutations import Mutant

A_MUTANT = Mutant(1, "1", "2", compile("", "module.py", "exec"))


def what_came(work: Callable[[], int], patience: float = 30) -> int:
    [(_, status)] = forked([(A_MUTANT, work)], 1, patience)
    return status


def killed_from_outside() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return PASSED


def never_ending() -> int:
    while True:
        time.sleep(1)


def test_what_took_too_long_is_killed_and_what_somebody_else_killed_is_not_judged() -> None:
    assert [what_came(lambda: PASSED), what_came(lambda: FAILED)] == [PASSED, FAILED]
    assert what_came(never_ending, patience=0.1) == TOOK_TOO_LONG
    assert what_came(killed_from_outside) not in {PASSED, *KILLS}


@pytest.mark.parametrize(
    ("test", "came"),
    [
        ("import declared\ndef test_it(): assert declared.limit == 1", FAILED),
        ("import declared\nassert declared.limit == 1\ndef test_it(): pass", FAILED),
        ("import declared\ndef test_it(): assert declared.limit", PASSED),
        ("import declared\ndef test_it(): raise KeyboardInterrupt", INTERRUPTED),
    ],
)
def test_tests_that_broke_have_killed_it_and_those_that_were_stopped_have_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: str, came: int
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_declared.py").write_text(test)
    code = compile("limit = 2", str(tmp_path / "declared.py"), "exec")
    mutant = Mutant(1, "1", "2", code)

    assert what_came(lambda: judge("declared", mutant, [str(tmp_path / "test_declared.py")], None)) == came
