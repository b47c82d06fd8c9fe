"""What keeps OpenSky from answering for a while."""

from __future__ import annotations


class Setback(Exception):
    """A poll that failed in a way that time mends. It never leaves this package: the poll is made again.

    `wait` is the number of seconds that OpenSky asks for, when it asks for any.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)
