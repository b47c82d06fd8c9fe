"""The two languages in which Vigie writes documents: how each writes a number, an instant, a span of time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

MINUS, THIN_SPACE = "\u2212", "\u202f"
MONTHS = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre",
    ),
}  # fmt: skip


class Language(StrEnum):
    """English or French."""

    EN = "en"
    FR = "fr"

    def of(self, english: str, french: str) -> str:
        """Of two texts that say the same, the one in this language."""
        return french if self is Language.FR else english

    def number(self, value: float, digits: int = 0) -> str:
        """1,234.5 in English and 1 234,5 in French; a minus is as long as a plus."""
        text = f"{value:,.{digits}f}"
        if not text.strip("-0.,"):
            text = text.lstrip("-")  # no number is -0
        text = text.replace("-", MINUS)
        if self is Language.FR:
            text = text.replace(",", THIN_SPACE).replace(".", ",")
        return text

    def percent(self, share: float, digits: int = 1) -> str:
        """A share of one as a percentage."""
        return f"{self.number(100 * share, digits)}{self.of('%', f'{THIN_SPACE}%')}"

    def day(self, instant: datetime) -> str:
        """29 November 2026, 29 novembre 2026; the first of a French month is ordinal."""
        day = "1er" if self is Language.FR and instant.day == 1 else str(instant.day)
        return f"{day} {MONTHS[self.value][instant.month - 1]} {instant.year}"
