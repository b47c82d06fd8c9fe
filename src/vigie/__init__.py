"""Vigie keeps watch over live data."""

from vigie.contracts import Sink
from vigie.errors import VigieError
from vigie.graph import Last
from vigie.pipeline import Pipeline

__all__ = ["Last", "Pipeline", "Sink", "VigieError"]
