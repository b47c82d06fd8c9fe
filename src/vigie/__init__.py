"""Vigie keeps watch over live data."""

from vigie.errors import VigieError
from vigie.graph import Sink
from vigie.pipeline import Pipeline

__all__ = ["Pipeline", "Sink", "VigieError"]
