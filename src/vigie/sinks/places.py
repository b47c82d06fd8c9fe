"""A batch that goes to a place, and what is told of the rows that were refused there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from vigie.sinks.dead_letters import log_refused

if TYPE_CHECKING:
    from pyarrow import RecordBatch


class Place(Protocol):
    """Where a batch is written to, and where what is refused of it.

    `server` is what the place is in, for a person. `fill` writes, and gives the reasons for which rows were refused
    and are in `letters` now; it raises NotNow or Refused, and then the whole batch is written again.
    """

    @property
    def server(self) -> str: ...

    @property
    def collection(self) -> str: ...

    @property
    def letters(self) -> str: ...

    def fill(self, batches: Iterable[RecordBatch]) -> Iterator[str]: ...


def write(batches: Iterable[RecordBatch], place: Place) -> None:
    """Write a batch; of what was refused, the log has how many rows, and why the first."""
    if reasons := list(place.fill(batches)):
        log_refused(place.collection, place.server, place.letters, reasons[0], len(reasons))
