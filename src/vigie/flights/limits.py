"""What an altitude and a speed can be: a report beyond these is an anomaly, and is counted."""

ALTITUDES_M = (-100, 12_000)
SPEEDS_KMH = (0, 1_000)
