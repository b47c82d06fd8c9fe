"""Sensors as a workload: a million readings with faults, windows, last values and ten rules."""
