"""What a newcomer does: `make demo` for two minutes; its page answers, its rows are there, and it ends well.

    python3 tools/first_minute.py

The demo's lake is ./lake, as for anybody. Anything that a newcomer would stumble over ends this with 1.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HOUSE = Path(__file__).resolve().parent.parent
MINUTES = "2"
ANSWERS_WITHIN_S = 60.0
COUNT = "SELECT count(*) AS reports FROM silver.flights_ml"


def main() -> None:
    began = time.monotonic()
    own = {"VIGIE_DEMO_MINUTES": MINUTES, "BROWSER": "none"}
    pages: list[str] = []
    with subprocess.Popen(
        ["make", "demo"], cwd=HOUSE, env=os.environ | own, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as demo:
        assert demo.stderr is not None
        asking: list[threading.Thread] = []
        for line in demo.stderr:
            sys.stderr.write(line)
            if found := re.search(r"dashboard is at (http://\S+)", line):
                sys.stderr.write(f"The demo starts {time.monotonic() - began:.0f} s after it was asked for\n")
                asking.append(threading.Thread(target=ask, args=[found[1], pages]))
                asking[-1].start()
    for thread in asking:
        thread.join()
    if demo.returncode:
        sys.exit(f"make demo ended with {demo.returncode}")
    if not pages:
        sys.exit("The demo's dashboard gave no page")
    status = asked("status", "flights")
    if not status["every_row_is_accounted_for"]:
        sys.exit(f"Not every row is accounted for: {status}")
    [row] = asked("query", COUNT)
    if not row["reports"]:
        sys.exit("No report of an aircraft came within the demo")
    sys.stderr.write(f"The first minute held: {row['reports']:,} reports of aircraft, every row accounted for\n")


def ask(address: str, pages: list[str]) -> None:
    """Take the page as soon as it is there."""
    until = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < until:
        try:
            with urlopen(address, timeout=5) as answer:
                pages.append(answer.read().decode())
                return
        except OSError:
            time.sleep(0.2)


def asked(*words: str) -> Any:
    answer = subprocess.run(
        [HOUSE / ".venv/bin/vigie", *words, "--json"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        sys.exit(f"vigie {' '.join(words)} ended with {answer.returncode}: {answer.stderr}")
    return json.loads(answer.stdout)


if __name__ == "__main__":
    main()
