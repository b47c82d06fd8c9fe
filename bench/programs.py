"""The programs that a benchmark runs in turn, each in an environment of its own where it needs one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Program:
    """One way to make a workload's tables: `PYTHON -m MODULE SERVERS TOPIC FOLDER`, which calls `began.begin` right
    before it first reads. `environment` is what `make environment-NAME` installs; without one it runs in Vigie's.
    `pins` are those of jars that it is given as one more argument."""

    name: str
    title: str
    module: str
    environment: str = ""
    pins: Path | None = None

    @property
    def python(self) -> Path:
        return HOUSE / f".venv-{self.environment}" / "bin" / "python" if self.environment else Path(sys.executable)

    @property
    def is_there(self) -> bool:
        return self.python.exists()

    @property
    def install(self) -> str:
        """What to type where it is not there."""
        return f"make environment-{self.environment}"


@dataclass(frozen=True, slots=True)
class Limit:
    """Vigie is to be at least so many times as fast as the fastest of these programs."""

    beside: tuple[str, ...]
    times: float


def chosen(programs: Sequence[Program], only: Sequence[str]) -> list[Program]:
    """Those that are asked for, or all; SystemExit for a name that none of them has."""
    if unknown := sorted(set(only) - {program.name for program in programs}):
        names = ", ".join(program.name for program in programs)
        raise SystemExit(f"--only: {', '.join(unknown)} is not among the programs: {names}")
    return [program for program in programs if not only or program.name in only]
