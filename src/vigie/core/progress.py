"""Lateness as a property of a row: how far its partition had come before it.

A partition is a sequence. For each row, `seen_until` is the newest credible event time before it in its own partition,
and never less than the floor that the batch's plan carries. So what is late does not depend on how the input was cut
into batches, nor on how partitions were interleaved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).min  # before the first credible row, and where there is no floor


@dataclass(frozen=True, slots=True)
class Seen:
    """Of each row, how far its partition had come before it (NEVER where it had not begun); and how far each partition
    has come after all of them."""

    until: NDArray[np.int64]
    progress: dict[str, int]


def seen(
    partitions: pa.Array | pa.ChunkedArray,
    times: NDArray[np.int64],
    credible: NDArray[np.bool_],
    before: Mapping[str, int],
    floor: int = NEVER,
) -> Seen:
    """How far each row's partition had come, rows of a partition standing in its order.

    `times` are microseconds, `before` how far each partition had come in the batches before. A row that is not credible
    (it broke a rule, or is from the future) moves nothing.
    """
    counted = np.where(credible, times, NEVER)
    until = np.empty(len(times), np.int64)
    progress = dict(before)
    names, which = named(partitions)
    order = np.argsort(which, kind="stable")
    parts = np.split(order, np.searchsorted(which[order], np.arange(1, len(names))))
    for name, part in zip(names, parts, strict=False):  # of no rows there is one part, and no name
        come = np.maximum.accumulate(np.concatenate(([progress.get(name, NEVER)], counted[part])))
        until[part] = come[:-1]
        progress[name] = int(come[-1])
    return Seen(np.maximum(until, floor), progress)


def named(partitions: pa.Array | pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the partitions, and which of them each row is of."""
    whole = partitions.combine_chunks() if isinstance(partitions, pa.ChunkedArray) else partitions
    encoded = whole.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def late(times: NDArray[np.int64], until: NDArray[np.int64], watermark: int) -> NDArray[np.bool_]:
    """Whether each row is late for a table with that watermark (microseconds)."""
    limit = np.where(until < NEVER + watermark, NEVER, until - watermark)
    return times < limit


def least(progress: Mapping[str, int], idle: Mapping[str, bool]) -> int:
    """Up to where windows may be given: how far the partitions have come that are alive.

    One that has never spoken holds everything back, unless it is idle. When all are idle, the one that came furthest
    decides.
    """
    alive = [progress.get(name, NEVER) for name, is_idle in idle.items() if not is_idle]
    if alive:
        return min(alive)
    return max(progress.values(), default=NEVER)
