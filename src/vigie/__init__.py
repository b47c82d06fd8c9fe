"""Vigie keeps watch over live data."""

from vigie.contracts import Sink
from vigie.errors import VigieError
from vigie.pipeline import Pipeline

__all__ = ["Pipeline", "Sink", "VigieError"]
