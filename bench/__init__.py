"""The benchmark: Vigie beside PySpark written by hand, and live for minutes. `python -m bench` runs it."""
