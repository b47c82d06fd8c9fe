"""Ways of spotting trouble in the readings of a key: plain values, and what they ask in SQL."""

from vigie.detectors.bursts import BackAndForth, Burst
from vigie.detectors.changes import Rising, Stuck, SuddenChange
from vigie.detectors.course import OffCourse
from vigie.detectors.limits import Above, Below
from vigie.detectors.silence import Silent
from vigie.detectors.streaks import InARow
from vigie.detectors.usual import AboveUsual, FarFromMedian, Outlier

__all__ = [
    "Above",
    "AboveUsual",
    "BackAndForth",
    "Below",
    "Burst",
    "FarFromMedian",
    "InARow",
    "OffCourse",
    "Outlier",
    "Rising",
    "Silent",
    "Stuck",
    "SuddenChange",
]
