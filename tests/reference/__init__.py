"""The flights pipeline a second time, without Spark and without Vigie: what its tables ought to hold."""

from .flights import Expected, compare, expected
from .lakes import compare_lakes

__all__ = ["Expected", "compare", "compare_lakes", "expected"]
