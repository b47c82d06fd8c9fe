"""What the loop asks of an engine: to evaluate declared functions over bounded work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from vigie.errors import VigieError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Function = Callable[..., "DataFrame"]  # of DataFrames: plain PySpark


class EngineDied(VigieError):
    """The engine went away, or gave no answer in time, in the middle of its work: the same may be asked again."""


class NotComputed(VigieError):
    """What a function was given cannot be computed: a row of it, or so many together."""


class Engine(Protocol):
    """An evaluator of PySpark functions."""

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        """What a function makes of these tables, in no promised order; EngineDied when it has to be asked again,
        NotComputed when it raises on what it was given."""
        ...

    def windows(self, function: Function, *schemas: pa.Schema) -> list[timedelta]:
        """How long the windows are that a function of such tables cuts time into."""
        ...

    def columns(self, function: Function, *schemas: pa.Schema) -> list[list[str]]:
        """Which columns of such tables a function needs, in their order: more, now and then, and never fewer."""
        ...

    def close(self) -> None: ...
