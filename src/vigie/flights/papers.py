"""What flights hand over on paper: the report, and the folder that the document asks for."""

from __future__ import annotations

from vigie.flights.handin import handin
from vigie.flights.report.paper import report

__all__ = ["handin", "report"]
