"""What the page on troubleshooting shows as a message is what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
PAGE = HOUSE / "docs/troubleshooting.md"
CODE = re.compile(r"`([^`]+)`")
NO_MESSAGE = re.compile(r"\w+|tcp://|.*_vigie_.*|dbt --target .*")  # names, addresses and commands
NOISE = " :;'()"


def texts() -> list[str]:
    """Every text in the code, with a gap where something is filled in."""
    found = []
    for module in (*(HOUSE / "src").rglob("*.py"), HOUSE / "tools/install.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
                found.append("".join(parts))
    return found


TEXTS = texts()


def messages() -> list[str]:
    """The messages in the first column of the page's tables."""
    rows = [line.split(" | ")[0] for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [text for row in rows for text in CODE.findall(row) if not NO_MESSAGE.fullmatch(text)]


@pytest.mark.parametrize("message", messages())
def test_a_message_that_the_page_shows_is_one_that_the_code_says(message: str) -> None:
    parts = [part.strip(NOISE) for part in message.split("...")]

    assert any(parts)
    assert [part for part in parts if not any(part in text for text in TEXTS)] == []
