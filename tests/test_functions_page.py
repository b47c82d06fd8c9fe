"""docs/functions.md lists the functions that are allowed, and by what they differ; this file can write it anew.

python -m tests.test_functions_page
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from vigie.engines.embedded.allowed import ALLOWED, BY_TYPE, REFUSED

PAGE = Path(__file__).parent.parent / "docs/functions.md"
FROM_HERE = "<!-- from here on written by tests/test_functions_page.py -->\n"


def lists() -> str:
    """What the page ends with."""
    named = textwrap.fill(" ".join(sorted(ALLOWED)), 118, break_on_hyphens=False, break_long_words=False)
    parts = [f"```text\n{named}\n```\n"]
    for title, told in (("Equal but for some values", BY_TYPE), ("Refused by name", REFUSED)):
        parts.append(f"### {title}\n| function | |\n|---|---|\n")
        parts.extend(f"| `{name.replace('|', chr(92) + '|')}` | {said} |\n" for name, said in sorted(told.items()))
    return "\n".join(parts[:1]) + "\n" + "".join(parts[1:])


def test_the_page_lists_what_is_allowed_and_what_is_refused() -> None:
    head, found, tail = PAGE.read_text().partition(FROM_HERE)

    assert found, f"{PAGE.name} has lost its line: {FROM_HERE}"
    assert tail == lists(), "write it anew: python -m tests.test_functions_page"
    assert not [name for name in re.findall(r"calls '(\w+)'", head) if name in ALLOWED]


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(FROM_HERE)[0] + FROM_HERE + lists())
