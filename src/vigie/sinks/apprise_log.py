"""Why Apprise could not send something. It gives no more than whether it did; why, it says to its log."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vigie.sinks.answers import OF_THE_MESSAGE, PASSING, SMTP_OF_THE_SENDER

# smtplib's "(554, b'5.7.1 ...')"; a set of recipients with a code each; "error=400" of whatever speaks HTTP.
SMTP = re.compile(r"^Socket Exception: \((\d{3}), b?['\"]")
RECIPIENT = re.compile(
    r"^Socket Exception: \{.*?\((\d{3}), b?['\"]|^SMTP recipient .* was refused: (\d{3}) ", re.DOTALL
)
HTTP = re.compile(r"\berror=(\d{3})\b")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a message was not taken. The words of a service may hold a part of its address: only a code leaves here."""

    said: str = "it does not say why"
    is_passing: bool = True
    is_of_the_message: bool = False


@dataclass(slots=True)
class Heard:
    """What was said while a message was being sent."""

    lines: list[str] = field(default_factory=list)

    def cause(self) -> Cause:
        return next((cause for line in self.lines if (cause := _cause(line))), Cause())


def _cause(line: str) -> Cause | None:
    if found := RECIPIENT.search(line):
        code = int(found[1])
        return Cause(f"{code} for a recipient", is_passing=code < 500)
    if found := SMTP.search(line):
        code = int(found[1])
        return Cause(f"SMTP {code}", code < 500, code >= 500 and code not in SMTP_OF_THE_SENDER)
    if found := HTTP.search(line):
        code = int(found[1])
        return Cause(f"HTTP {code}", code in PASSING or code >= 500, code in OF_THE_MESSAGE)
    return None


class Hearing(logging.Handler):
    """Listens to Apprise's log, which goes nowhere else: it may hold a part of an address."""

    _alone = threading.Lock()  # Apprise sends from threads of its own, and its log does not say for whom

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._heard = Heard()
        logger = logging.getLogger("apprise")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())  # without any, Python writes warnings to standard error

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """What is said while in here; others wait until it is over."""
        logger = logging.getLogger("apprise")
        with self._alone:
            self._heard = Heard()
            logger.addHandler(self)
            try:
                yield self._heard
            finally:
                logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.lines.append(record.getMessage())
