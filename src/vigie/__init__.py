"""Vigie keeps watch over live data."""

import importlib
import typing

from vigie.contracts import Sink
from vigie.errors import VigieError
from vigie.graph import Last
from vigie.pipeline import Pipeline

if typing.TYPE_CHECKING:
    from vigie.shell import spark

__all__ = ["Last", "Pipeline", "Sink", "VigieError", "spark"]


def __getattr__(name: str) -> typing.Any:
    """`vigie.spark` is looked up when it is asked for: what a pipeline imports knows nothing of engines."""
    if name == "spark":
        return importlib.import_module("vigie.shell").spark
    raise AttributeError(f"module 'vigie' has no attribute '{name}'")
