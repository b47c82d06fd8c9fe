"""What comes from the data, as it may be shown: on one line, without what would move a cursor, and shortened."""

from __future__ import annotations

LONGEST = 120  # characters


def on_one_line(text: str) -> str:
    line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[: LONGEST + 1])
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
