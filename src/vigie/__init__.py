"""Vigie keeps watch over live data."""
