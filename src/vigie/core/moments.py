"""Moments as the loop counts with them, microseconds after 1970, in Arrow's columns and for people."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vigie import instants
from vigie.arrow_types import INSTANT
from vigie.core.progress import NEVER


def micros_in(times: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Instants as microseconds; one that is missing is that of no row that is judged by its time."""
    found: NDArray[np.int64] = pc.fill_null(times.cast(INSTANT).cast(pa.int64()), NEVER).to_numpy()
    return found


def instant(micros: int) -> pa.Scalar:
    return pa.scalar(micros, pa.int64()).cast(INSTANT)


def moment(micros: int) -> datetime | None:
    """As a person reads it; none before anything began, or before the first instant that has a name."""
    return None if micros < instants.FIRST else instants.instant(micros)
