"""What the loop asks of an engine: to evaluate declared functions over bounded work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa

from vigie.errors import VigieError


class EngineDied(VigieError):
    """The engine went away, or gave no answer in time, in the middle of its work: the same may be asked again."""


class Engine(Protocol):
    """An evaluator of PySpark functions."""

    def evaluate(self, function: Callable[..., Any], *tables: pa.Table, beside: tuple[Any, ...] = ()) -> pa.Table:
        """What a function makes of these tables and of what stands beside them, in no promised order."""
        ...
