"""Keys that were accepted lately are remembered as silver has them."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from vigie.core.ingest import recent
from vigie.core.ingest.recent import RecentKeys

SCHEMA = pa.schema([("u0", pa.string()), ("micros", pa.int64())])
keys = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=4)
# What a batch brings, how often it asks, from when on, and what may be forgotten then.
batches = st.lists(st.tuples(keys, st.integers(0, 2), st.integers(0, 30), st.integers(0, 20)), min_size=1, max_size=12)


def table(rows: list[tuple[str, int]]) -> pa.Table:
    return pa.Table.from_pylist([{"u0": key, "micros": at} for key, at in rows], SCHEMA)


@given(batches, st.integers(0, 3))
def test_what_is_remembered_is_what_silver_had_before_the_batch(
    given_batches: list[tuple[list[tuple[str, int]], int, int, int]], chunks: int
) -> None:
    silver: list[list[tuple[str, int]]] = [[]]  # by version

    def read(low: int, high: int, version: int) -> pa.Table:
        return table([(key, at) for key, at in silver[version] if low <= at <= high])

    before, recent.CHUNKS = recent.CHUNKS, chunks
    try:
        remembered = RecentKeys(read)
        for batch, (brought, asks, low, forget) in enumerate(given_batches):
            high = low + 15
            version = len(silver) - 1
            for _ in range(asks):
                found = remembered.between(low, high, batch, version)
                assert sorted(map(str, found.to_pylist())) == sorted(map(str, read(low, high, version).to_pylist()))
                remembered.accepted(batch, table(brought), forget)
            remembered.accepted(batch, table(brought), forget)
            silver.append([*silver[-1], *brought])
    finally:
        recent.CHUNKS = before
