"""Keys that were accepted lately are remembered as silver has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.engines.arrow.recent import RecentKeys

SCHEMA = pa.schema([("u0", pa.string()), ("micros", pa.int64())])
keys = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=4)
# What a batch brings, how often it asks, from when on, and what may be forgotten then.
batches = st.lists(st.tuples(keys, st.integers(0, 2), st.integers(0, 30), st.integers(0, 20)), min_size=1, max_size=12)


def table(rows: list[tuple[str, int]]) -> pa.Table:
    return pa.Table.from_pylist([{"u0": key, "micros": at} for key, at in rows], SCHEMA)


@settings(deadline=None)
@given(batches)
def test_what_is_remembered_is_what_silver_had_of_these_keys_before_the_batch(
    given_batches: list[tuple[list[tuple[str, int]], int, int, int]],
) -> None:
    silver: list[list[tuple[str, int]]] = [[]]  # by version

    def read(low: int, high: int, version: int) -> pa.Table:
        return table([(key, at) for key, at in silver[version] if low <= at <= high])

    remembered = RecentKeys(read)
    for batch, (brought, asks, low, forget) in enumerate(given_batches):
        high, version, mine = low + 15, len(silver) - 1, {key for key, _ in brought}
        for _ in range(asks):
            found = remembered.like(table(brought).select(["u0"]), low, high, batch, version)
            wanted = read(low, high, version).to_pylist()
            assert of(mine, found.to_pylist()) == of(mine, wanted)
            assert of("abc", found.to_pylist()) <= of("abc", wanted)
            remembered.accepted(batch, table(brought), forget)
        remembered.accepted(batch, table(brought), forget)
        silver.append([*silver[-1], *brought])


def of(keys: Iterable[str], rows: list[dict[str, Any]]) -> Counter[tuple[str, int]]:
    return Counter((row["u0"], row["micros"]) for row in rows if row["u0"] in keys)
