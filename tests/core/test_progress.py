"""What is late is a property of a row: one answer for every cut and every interleaving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.core.progress import NEVER, late, least, seen


@dataclass(frozen=True)
class Row:
    partition: str
    time: int
    credible: bool


ROWS = st.builds(Row, st.sampled_from("abc"), st.integers(-(10**6), 10**6), st.booleans())


def one_by_one(rows: list[Row], watermark: int, floor: int | None) -> tuple[list[int | None], list[bool]]:
    """Row by row: how far its partition had come, and whether it is late."""
    come: dict[str, int] = {}
    untils, lates = [], []
    for row in rows:
        until = come.get(row.partition)
        if floor is not None:
            until = floor if until is None else max(until, floor)
        untils.append(until)
        lates.append(until is not None and row.time < until - watermark)
        if row.credible:
            come[row.partition] = max(come.get(row.partition, row.time), row.time)
    return untils, lates


def arrays(rows: list[Row]) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    return (
        pa.array([row.partition for row in rows], pa.string()),
        np.array([row.time for row in rows], np.int64),
        np.array([row.credible for row in rows], bool),
    )


@settings(deadline=None)
@given(st.lists(ROWS, max_size=40), st.integers(0, 1_000), st.none() | st.integers(-(10**6), 10**6), st.data())
def test_each_row_is_judged_by_what_its_own_partition_gave_before_it_in_any_batches(
    rows: list[Row], watermark: int, floor: int | None, data: st.DataObject
) -> None:
    wanted, expected = one_by_one(rows, watermark, floor)

    found: list[int] = []
    lates: list[bool] = []
    progress: dict[str, int] = {}
    left = rows
    while left:
        at = data.draw(st.integers(1, len(left)))
        taken, left = left[:at], left[at:]
        partitions, times, credible = arrays(taken)
        told = seen(partitions, times, credible, progress, NEVER if floor is None else floor)
        progress = told.progress
        found += told.until.tolist()
        lates += late(times, told.until, watermark).tolist()

    assert [None if until == NEVER else until for until in found] == wanted
    assert lates == expected


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_how_partitions_are_interleaved_changes_nothing(rows: list[Row], chance: object) -> None:
    waiting = {name: [row for row in rows if row.partition == name] for name in "abc"}
    mixed: list[Row] = []
    while any(waiting.values()):
        name = chance.choice([name for name, left in waiting.items() if left])  # type: ignore[attr-defined]
        mixed.append(waiting[name].pop(0))

    def by_partition(order: list[Row]) -> dict[str, list[int]]:
        until = seen(*arrays(order), {}).until
        return {n: [int(u) for u, row in zip(until, order, strict=True) if row.partition == n] for n in "abc"}

    assert by_partition(mixed) == by_partition(rows)


@pytest.mark.parametrize(
    ("progress", "idle", "wanted"),
    [
        ({"a": 5, "b": 3}, {"a": False, "b": False}, 3),
        ({"a": 5, "b": 3}, {"a": False, "b": True}, 5),
        ({"a": 5}, {"a": False, "b": False}, NEVER),
        ({"a": 5}, {"a": False, "b": True}, 5),
        ({"a": 5, "b": 3}, {"a": True, "b": True}, 5),
        ({}, {"a": True}, NEVER),
        ({}, {}, NEVER),
    ],
)
def test_windows_may_be_given_up_to_the_slowest_partition_that_is_alive(
    progress: dict[str, int], idle: dict[str, bool], wanted: int
) -> None:
    assert least(progress, idle) == wanted
