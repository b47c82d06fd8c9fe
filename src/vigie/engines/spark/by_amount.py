"""A source of which little is read and judged here, and much by Spark's executors: for little, each of their jobs takes
longer than all there is to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from vigie.core.engine import Batch, Look, Taken
from vigie.core.source import Position, Source, Span
from vigie.engines.arrow.intake import ArrowIntake
from vigie.engines.spark.intake import SparkIntake
from vigie.graph import Silver


class IntakeByAmount:
    """One source of a pipeline, read either way; a batch of `few` messages is little."""

    def __init__(self, executors: SparkIntake, begun_here: Callable[[], ArrowIntake], source: Source, few: int) -> None:
        self._executors, self._begun_here, self._source, self._few = executors, begun_here, source, few
        self._here: ArrowIntake | None = None

    def check(self, table: Silver) -> None:
        self._executors.check(table)

    def look(self, position: Position | None, now: datetime | None) -> Look:
        return self._executors.look(position, now)

    def take(self, span: Span, received_at: datetime, number: int) -> Batch:
        return self._either(self._source.most(span.part)).take(span, received_at, number)

    def again(self, batches: Sequence[Taken]) -> Batch:
        return self._either(sum(each.messages for each in batches)).again(batches)

    def close(self) -> None:
        self._executors.close()
        if self._here is not None:
            self._here.close()

    def _either(self, messages: int) -> ArrowIntake | SparkIntake:
        if messages > self._few:
            if self._here is not None:
                self._here.close()
                self._here = None  # the keys that it remembers are not all there are any more
            return self._executors
        self._executors.close()
        if self._here is None:
            self._here = self._begun_here()
        return self._here
