"""The verdict on each row is that of whoever takes them one by one, in whatever batches."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.core.ingest.verdict import ACCEPTED, BROKEN, LATE, REPEAT, judged
from vigie.core.progress import seen

WATERMARK = 60
# partition, time, is it broken, key: few of each, so that all of them meet, and many times just a watermark apart
TIME = st.integers(0, 13).map(lambda half: half * WATERMARK // 2) | st.integers(0, 400)
ROW = st.tuples(st.sampled_from("ab"), TIME, st.booleans(), st.none() | st.integers(0, 3))
Row = tuple[str, int, bool, int | None]


def one_by_one(rows: list[Row]) -> list[int]:
    come: dict[str, int] = {}
    accepted: list[tuple[str, int | None, int]] = []
    found = []
    for partition, time, is_broken, key in rows:
        until = come.get(partition)
        if is_broken:
            found.append(BROKEN)
            continue
        come[partition] = time if until is None else max(until, time)
        if until is not None and time < until - WATERMARK:
            found.append(LATE)
        elif any(where == partition and of == key and abs(time - at) <= WATERMARK for where, of, at in accepted):
            found.append(REPEAT)
        else:
            accepted.append((partition, key, time))
            found.append(ACCEPTED)
    return found


def in_batches(rows: list[Row], cuts: list[int]) -> list[int]:
    progress: dict[str, int] = {}
    accepted: list[tuple[str, int | None, int]] = []
    found: list[int] = []
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        batch = rows[start:end]
        if not batch:
            continue
        partitions = pa.array([row[0] for row in batch], pa.string())
        times = np.array([row[1] for row in batch], np.int64)
        broken = np.array([row[2] for row in batch], bool)
        told = seen(partitions, times, ~broken, progress)
        progress = told.progress
        keys = pa.table({"u0": [row[0] for row in batch], "u1": pa.array([row[3] for row in batch], pa.int64())})

        def known(_keys: pa.Table, low: int, high: int, accepted: list[Any] = accepted) -> pa.Table:
            those = [each for each in accepted if low <= each[2] <= high]
            return pa.table(
                {
                    "u0": pa.array([each[0] for each in those], pa.string()),
                    "u1": pa.array([each[1] for each in those], pa.int64()),
                    "micros": pa.array([each[2] for each in those], pa.int64()),
                }
            )

        said = judged(broken, times, told.until, WATERMARK, keys, known).verdict.tolist()
        accepted += [(row[0], row[3], row[1]) for row, of in zip(batch, said, strict=True) if of == ACCEPTED]
        found += said
    return found


@settings(deadline=None, max_examples=150)
@given(st.lists(ROW, max_size=30), st.data())
def test_each_row_is_judged_as_one_by_one_in_any_batches(rows: list[Row], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))

    assert in_batches(rows, cuts) == one_by_one(rows)


def test_every_outcome_was_met_above() -> None:
    rows: list[Row] = [("a", 300, False, 1), ("a", 310, False, 1), ("a", 100, False, 2), ("a", 0, True, 0)]

    assert Counter(in_batches(rows, [])) == Counter([ACCEPTED, REPEAT, LATE, BROKEN])


def test_a_repeat_is_not_what_a_later_row_is_held_to() -> None:
    rows: list[Row] = [("a", 0, False, 1), ("a", 50, False, 1), ("a", 100, False, 1)]

    assert in_batches(rows, []) == [ACCEPTED, REPEAT, ACCEPTED]


def test_without_a_key_nothing_is_a_repeat() -> None:
    times = np.array([5, 5, 5], np.int64)
    none = np.zeros(3, bool)
    empty = pa.table({"x": [1, 2, 3]}).select([])

    said = judged(none, times, np.full(3, 5), WATERMARK, empty, lambda keys, low, high: empty)  # noqa: ARG005

    assert said.count(ACCEPTED) == 3
    assert said.rows(REPEAT).tolist() == []


def test_a_repeat_is_one_up_to_a_watermark_away_and_no_further() -> None:
    for cuts in ([], [1]):
        assert in_batches([("a", 0, False, 1), ("a", WATERMARK, False, 1)], cuts) == [ACCEPTED, REPEAT]
        assert in_batches([("a", 0, False, 1), ("a", WATERMARK + 1, False, 1)], cuts) == [ACCEPTED, ACCEPTED]


def test_a_repeat_is_found_beside_rows_of_long_before_and_of_long_after() -> None:
    first: Row = ("a", 350, False, 1)

    assert in_batches([first, ("b", 100, False, 9), first, ("c", 900, False, 9)], [1]) == [
        ACCEPTED, ACCEPTED, REPEAT, ACCEPTED
    ]  # fmt: skip
