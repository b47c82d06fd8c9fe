"""The worked example of costs: the program on the page prints the table on the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs/INDUSTRIALIZATION.md"


def test_the_program_on_the_page_prints_what_the_page_shows() -> None:
    [(program, shown)] = re.findall(r"```python\n(rate = .*?)```\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == shown
