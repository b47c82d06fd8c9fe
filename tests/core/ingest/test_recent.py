"""Keys that were accepted lately are remembered as silver has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.core.ingest.recent import RecentKeys

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


def test_of_a_million_keys_a_batch_is_given_its_own() -> None:
    many = pa.table({"u0": pa.array(map(str, range(1_000_000))), "micros": pa.array(range(1_000_000))})
    remembered = RecentKeys(lambda _low, _high, _version: many)

    found = remembered.like(pa.table({"u0": ["7", "77", "777", "none"]}), 0, 10**9, 1, 0)

    assert sorted(found["u0"].to_pylist()) == ["7", "77", "777"]


def test_nulls_among_keys_are_found_as_other_values_are() -> None:
    there = pa.table({"u0": pa.array([None, "a"], pa.string()), "u1": pa.array([1, None]), "micros": [5, 6]})
    remembered = RecentKeys(lambda _low, _high, _version: there)

    found = remembered.like(pa.table({"u0": pa.array([None], pa.string()), "u1": [1]}), 0, 10, 1, 0)

    assert found.to_pylist() == [{"u0": None, "u1": 1, "micros": 5}]


def test_what_is_long_past_is_forgotten_while_batches_come() -> None:
    nothing = table([])
    remembered = RecentKeys(lambda _low, _high, _version: nothing)
    for batch in range(1_000):
        remembered.like(table([("a", 0)]).select(["u0"]), batch * 10, batch * 10, batch, 0)
        remembered.accepted(batch, table([("b", batch * 10 + each) for each in range(10)]), (batch - 10) * 10)

    assert sum(len(run.hashes) for run in remembered._runs) <= 1.5 * 110
