"""What a table, or what a watch finds, can be delivered to: one file each. See `vigie.contracts.Sink` and `AlertSink`.

A sink is a frozen value. It opens nothing before it is used, and it holds no secret: those come from the environment.
Where it names columns of the table, its `columns` are those, so that `vigie check` can look for them; and its
`problems` say what else it cannot use.
"""

from __future__ import annotations

from vigie.errors import RunFailed

Columns = str | tuple[str, ...]


def several(columns: Columns) -> tuple[str, ...]:
    """Columns, of which one may be named by itself."""
    return tuple(columns) if isinstance(columns, tuple | list) else (columns,)


class NotNow(Exception):
    """What a sink raises when its receiver did not take something, and time may mend it: the same is tried again.

    `wait` is the number of seconds that the receiver asks for, when it asks for any.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


class Refused(RunFailed):
    """What a sink raises when its receiver will take nothing until somebody fixes what is wrong."""


class Undeliverable(Refused):
    """What a sink of alerts raises when its receiver will not take what it was given, and may well take others.

    Of several it says no more than that one of them is at fault: they are given again in smaller portions.
    """
