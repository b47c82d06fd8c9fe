"""Flights as a workload: two million state vectors, a quarter of them repeats, in three tables."""
