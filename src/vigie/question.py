"""A batch question: a named function over the lake's tables, answered in Spark."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vigie.graph import Place


@dataclass(frozen=True, slots=True)
class Question:
    """A function whose parameters are named after the tables it reads (`flights_ml`), each given as a
    DataFrame, and which gives back a DataFrame; its docstring is the question in words."""

    function: Callable[..., Any]
    place: Place

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def about(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.function).parameters)
