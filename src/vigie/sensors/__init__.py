"""Sensors in buildings: their readings, what is usual for them, and what raises an alert."""
