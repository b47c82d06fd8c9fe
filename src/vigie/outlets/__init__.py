"""One file for each place that a feed can bring messages to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vigie.address import Address
from vigie.errors import RunFailed

Message = tuple[bytes | None, bytes]

BLINK = 0.25  # seconds that an outlet may block, so that a feed can stop and report meanwhile


class Outlet(Protocol):
    """A destination that is open.

    The constructor looks whether the destination is there; no other method blocks much longer than a BLINK. A
    destination that is slow takes less; one that is broken raises a VigieError that says how much arrived.
    """

    delivered: int  # messages that the destination has

    def send(self, messages: Sequence[Message]) -> int:
        """Take messages from the front; how many were taken. When fewer than all: come again."""

    def tend(self) -> None:
        """Deliver what has waited long enough. Called between two sends whenever the feed has time."""

    def finish(self) -> int:
        """Deliver what was taken; how many messages still wait. Called until there are none."""

    def close(self) -> None:
        """Let go of files and sockets; what still waits is lost."""


def check_one_line(value: bytes, address: Address) -> None:
    """Refuse a message that would become two where a line is a message."""
    if b"\n" in value:
        raise RunFailed(
            f"a message of {len(value):,} bytes contains a line feed, but {address} has one message a line",
            where=repr(value[:60]),
            do="Write the message on one line, or feed it to kafka://host:port/topic, which takes any bytes.",
        )
