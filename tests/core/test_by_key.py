"""Rows in memory are found by their key, whatever came before and after them."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.core.by_key import ByKey

SCHEMA = pa.schema([("u0", pa.string()), ("u1", pa.int64()), ("number", pa.int64()), ("at", pa.int64())])
KEY = st.tuples(st.none() | st.sampled_from("abc"), st.none() | st.integers(0, 2))
Key = tuple[str | None, int | None]


def table(rows: list[tuple[Key, int, int]]) -> pa.Table:
    named = [{"u0": key[0], "u1": key[1], "number": number, "at": at} for key, number, at in rows]
    return pa.Table.from_pylist(named, SCHEMA)


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(KEY, st.integers(0, 50)), max_size=6), max_size=12), st.data())
def test_all_rows_of_a_key_are_found_in_the_order_in_which_they_came(
    brought: list[list[tuple[Key, int]]], data: st.DataObject
) -> None:
    held, there = ByKey(SCHEMA, ["u0", "u1"], "at"), list[tuple[Key, int, int]]()
    for some in brought:
        rows = [(key, len(there) + number, at) for number, (key, at) in enumerate(some)]
        held.add(table(rows), data.draw(st.integers(0, 20)))
        there += rows

    asked = data.draw(st.lists(KEY, max_size=4))
    found = held.like(table([(key, 0, 0) for key in asked]).select(["u0", "u1"])).to_pylist()

    for key in set(asked):
        mine = [(row["number"], row["at"]) for row in found if (row["u0"], row["u1"]) == key]
        wanted = [(number, at) for of, number, at in there if of == key]
        recent = [each for each in wanted if each[1] >= held.since]
        assert [each for each in mine if each[1] >= held.since] == recent
        assert mine == [each for each in wanted if each in mine], "no row twice, and none that was not there"


def test_of_a_million_keys_few_rows_are_given() -> None:
    held = ByKey(pa.schema([("k", pa.string()), ("at", pa.int64())]), ["k"], "at")
    held.add(pa.table({"k": pa.array(map(str, range(1_000_000))), "at": pa.array(range(1_000_000))}))

    found = held.like(pa.table({"k": ["7", "77", "777", "none"]}))

    assert sorted(found["k"].to_pylist()) == ["7", "77", "777"]


def test_what_is_long_past_is_let_go_while_rows_come() -> None:
    held = ByKey(pa.schema([("k", pa.string()), ("at", pa.int64())]), ["k"], "at")
    for number in range(1_000):
        at = [number * 10 + each for each in range(10)]
        held.add(pa.table({"k": ["b"] * 10, "at": at}), (number - 10) * 10)

    assert len(held) <= 1.5 * 110
