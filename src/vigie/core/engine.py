"""What the loop asks of an engine: to evaluate declared functions over bounded work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from vigie.errors import VigieError
from vigie.instants import MICROSECOND

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Function = Callable[..., "DataFrame"]  # of DataFrames: plain PySpark


class EngineDied(VigieError):
    """The engine went away, or gave no answer in time, in the middle of its work: the same may be asked again."""


class NotComputed(VigieError):
    """What a function was given cannot be computed: a row of it, or so many together."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows that a function cuts time into: how long each is, how often one begins, and when one does, after 1970."""

    length: timedelta
    every: timedelta
    begins: timedelta = timedelta()

    def ends_between(self, after: int, until: int) -> bool:
        """Whether one of them ends after a moment and not after another, both in microseconds after 1970."""
        first, every = (self.begins + self.length) // MICROSECOND, self.every // MICROSECOND
        return (until - first) // every > (after - first) // every


class Engine(Protocol):
    """An evaluator of PySpark functions."""

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        """What a function makes of these tables, in no promised order; EngineDied when it has to be asked again,
        NotComputed when it raises on what it was given."""
        ...

    def windows(self, function: Function, *schemas: pa.Schema) -> list[Cut]:
        """The windows that a function of such tables cuts time into; none when that cannot be told of any of them."""
        ...

    def columns(self, function: Function, *schemas: pa.Schema) -> list[list[str]]:
        """Which columns of such tables a function needs, in their order: more, now and then, and never fewer."""
        ...

    def close(self) -> None: ...
