"""A batch that Spark's workers write, each a part of it, and what came of each part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from vigie.sinks import NotNow, Refused
from vigie.sinks.dead_letters import log_refused

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql import DataFrame

OUTCOME = "refused BIGINT, reason STRING, away STRING, wait DOUBLE, forbidden STRING, remedy STRING"


class Place(Protocol):
    """Where a part of a batch is written to, and where what is refused of it. It travels to the workers.

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part of a batch: how many rows were refused, or what stood in the way of all."""

    refused: int = 0
    reason: str = ""
    away: str = ""
    wait: float = 0.0
    forbidden: str = ""
    remedy: str = ""


def write(rows: DataFrame, place: Place) -> None:
    """Have the workers write a batch; NotNow or Refused when a part of it could not be written."""
    counted: Counter[str] = Counter()
    for outcome in rows.mapInArrow(partial(written, place), OUTCOME).collect():
        if outcome.forbidden:
            raise Refused(outcome.forbidden, where=place.collection, do=outcome.remedy)
        if outcome.away:
            raise NotNow(outcome.away, outcome.wait)
        if outcome.refused:
            counted[outcome.reason] += outcome.refused
    log_refused(place.collection, place.server, place.letters, counted)


def written(place: Place, batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """Write a part of a batch, and give one row: an exception would reach the other side as a page of text."""
    import pyarrow as pa

    outcome, waiting = Outcome(), iter(batches)
    try:
        for reason in place.fill(waiting):
            outcome = replace(outcome, refused=outcome.refused + 1, reason=outcome.reason or reason)
    except NotNow as problem:
        outcome = replace(outcome, away=problem.reason, wait=problem.wait)
    except Refused as problem:
        outcome = replace(outcome, forbidden=problem.what, remedy=problem.do)
    for _ in waiting:  # Spark goes on handing them over
        pass
    yield pa.RecordBatch.from_pylist([asdict(outcome)])
