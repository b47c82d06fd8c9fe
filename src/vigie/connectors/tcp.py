"""A TCP socket, read by way of an inbox: it cannot be read twice, and guarantees begin where it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vigie.connectors.inbox import Inbox


def _nothing() -> None:
    """Nobody receives any more."""


@dataclass(slots=True)
class Received(Inbox):
    """The inbox that a receiver fills; what stopped the receiver is raised by `still_there`."""

    still_there: Callable[[], None] = field(default=_nothing)

    def watch(self) -> None:
        super(Received, self).watch()
        self.still_there()
