"""What comes from the data, as it may be shown: on one line, without what would move a cursor, and shortened."""

from __future__ import annotations

import re

LONGEST = 120  # characters
# JSON may hold these as they are, and what shows it would obey them: controls, marks of direction, ends of lines.
OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def on_one_line(text: str) -> str:
    line = "".join(map(_shown, text[: LONGEST + 1]))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def harmless(text: str) -> str:
    """Text of several lines, without what a terminal would obey."""
    return "".join(letter if letter in "\n\t" else _shown(letter) for letter in text)


def harmless_json(text: str) -> str:
    """The same JSON, with the letters escaped that a terminal would obey and JSON lets stand."""
    return OBEYED.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text)


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else repr(letter)[1:-1]
