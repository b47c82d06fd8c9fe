"""What takes longer than a change can wait for; each part's last result is written to docs/nightly.md.

    make nightly                 all parts: about four hours on two cores
    make nightly PARTS="map"     one of them; the results of the others stay

It ends with 1 when a part failed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
RESULTS = HOUSE / "docs/nightly.md"
PYTHON = sys.executable
KNOWS_OF_NIGHT = re.compile(r"^from \S*tier import", re.MULTILINE)
SAYS = re.compile(r"\d+ (?:passed|failed)[^=\n]*")


@dataclass(frozen=True, slots=True)
class Part:
    """What is run, whether it held, in words; and what it shows."""

    shows: str
    run: Callable[[], tuple[bool, str]]


def main() -> int:
    asked = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in asked if name not in PARTS]:
        sys.stderr.write(f"There is no part '{unknown[0]}'; there are: {', '.join(PARTS)}\n")
        return 2
    held = True
    for name in asked:
        sys.stderr.write(f"{name}: {PARTS[name].shows} ...\n")
        began = time.monotonic()
        did_hold, said = PARTS[name].run()
        write_down(name, "held" if did_hold else "FAILED", said, time.monotonic() - began)
        held = held and did_hold
    return 0 if held else 1


def write_down(name: str, outcome: str, said: str, seconds: float) -> None:
    """Replace the row of a part."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HOUSE, capture_output=True, text=True, check=True
    ).stdout.strip()
    cells = (f"`{name}`", PARTS[name].shows, f"{outcome}: {said}", f"{seconds / 60:.0f} min")
    row = f"| {' | '.join(cells)} | {datetime.now(UTC):%Y-%m-%d} | {commit} |"
    lines = RESULTS.read_text().splitlines()
    kept = [row if line.startswith(f"| `{name}` |") else line for line in lines]
    RESULTS.write_text("\n".join(kept if row in kept else [*kept, row]) + "\n")


def pytest(*paths: str, **settings: str) -> tuple[bool, str]:
    command = [PYTHON, "-m", "pytest", "-q", "--no-header", *paths]
    return outcome_of(command, HOUSE, os.environ | {"VIGIE_NIGHTLY": "1"} | settings)


def longer_by_night() -> list[str]:
    """The tests that know of the night, but for those that compare the engines, which have a part of their own."""
    files = sorted(set((HOUSE / "tests").rglob("test_*.py")) - set((HOUSE / "tests/conformance").iterdir()))
    return [str(path.relative_to(HOUSE)) for path in files if KNOWS_OF_NIGHT.search(path.read_text())]


def outcome_of(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[bool, str]:
    """Run it in sight; whether it ended well, and the last that pytest or the program said."""
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stderr.write(line)
            lines += [line.strip()] if line.strip() else []
    counted = SAYS.findall("\n".join(lines))
    return process.returncode == 0, (counted[-1] if counted else lines[-1] if lines else "").strip()


def first_minutes() -> tuple[bool, str]:
    """As a newcomer, in an empty home; then in another clone with what the first one cached and no network."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place, "home")
        home.mkdir()
        caches = ("VIGIE_CACHE", "XDG_CACHE_HOME", "UV_CACHE_DIR")
        own = {name: value for name, value in os.environ.items() if name not in caches} | {"HOME": str(home)}
        said = []
        for name, before in (("networked", []), ("offline", without_a_network())):
            clone = Path(place, name)
            subprocess.run(["git", "clone", "--quiet", HOUSE, clone], check=True)
            for command in (["python3", "tools/first_minute.py"], ["make", "test"]):
                began = time.monotonic()
                did_hold, last = outcome_of([*before, *command], clone, own)
                said.append(f"{name} `{' '.join(command)}` {time.monotonic() - began:.0f} s ({last})")
                if not did_hold:
                    return False, "; ".join(said)
        return True, "; ".join(said)


def without_a_network() -> list[str]:
    """What runs a program where there is only loopback."""
    if os.geteuid() or shutil.which("unshare") is None:
        raise SystemExit("The part 'first' takes the network away, which needs root and unshare")
    return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


PARTS = {
    "kills": Part(
        "what is tried a few times by day, or not at all: deaths after each commit and at random, servers that go away",
        lambda: pytest("--numprocesses", "2", "--dist", "loadfile", *longer_by_night()),
    ),
    "conformance": Part(
        "200 pipelines that are drawn, run over both engines in other batches and held to DuckDB, and 300 over one",
        lambda: pytest("tests/conformance"),
    ),
    "spark": Part(
        "the core's own tests over a Spark Connect server: any cut, deaths, what is added, looks back or is poison",
        lambda: pytest("--timeout", "3600", "tests/core", VIGIE_NIGHTLY="", VIGIE_TESTS_ENGINE="spark"),
    ),
    "map": Part(
        "the page of flights in light, dark and 390 px, watched for half a minute at each load, on a busy machine",
        lambda: pytest("tests/nightly/test_live_map.py"),
    ),
    "bench": Part(
        "the hand-written programs that Vigie is measured against make the same tables and alerts",
        lambda: pytest("tests/nightly/test_bench.py"),
    ),
    "notebooks": Part(
        "the notebooks of flights run from top to bottom, and show what is committed",
        lambda: outcome_of([PYTHON, "-m", "tools.notebooks"], HOUSE, os.environ),
    ),
    "first": Part("a newcomer's commands in an empty home, then offline in another clone", first_minutes),
    "mutants": Part(
        "small mistakes in the pipelines, the verdict and the detectors are seen by a test (docs/mutants.md)",
        lambda: outcome_of([PYTHON, "-m", "tools.mutants"], HOUSE, os.environ),
    ),
    "soak": Part(
        "an hour and a half of live feed: latency and memory stay flat",
        lambda: outcome_of([PYTHON, "-m", "bench", "soak"], HOUSE, os.environ),
    ),
}


if __name__ == "__main__":
    sys.exit(main())
