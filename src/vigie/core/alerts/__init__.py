"""Watches: rows judged one key at a time, what opens and closes, and who is told."""
