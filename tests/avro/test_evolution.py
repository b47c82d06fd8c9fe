"""Why a version of a schema does not follow from the one before, in words; held against fastavro's own reader."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.avro.messages import V1, V2, V3, a_schema
from vigie.avro.evolution import broken_promises

ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
LESS = {**ENUM, "symbols": ["A"]}
RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
TREE = {"type": "record", "name": "T", "fields": [{"name": "more", "type": ["null", "T"]}]}
WIDENED = [
    ("int", "long"), ("int", "double"), ("float", "double"), ("string", "bytes"), ("string", ["null", "string"]),
    (["null", "int"], ["null", "long"]), (LESS, ENUM), (ENUM, {**LESS, "default": "A"}), (TREE, TREE),
    ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
]  # fmt: skip
CHANGED = [
    ("long", "int", "field 'it' was a long and is an int now"),
    ("string", "int", "field 'it' was a string and is an int now"),
    (["null", "string"], "string", "field 'it' could be a null, and no longer can"),
    ("int", ["null", "string"], "field 'it' could be an int, and no longer can"),
    (ENUM, LESS, "field 'it' no longer knows B"),
    (RECORD, {**RECORD, "fields": [{"name": "b", "type": "int"}]}, "field 'b' is new and has no default"),
    (RECORD, {**RECORD, "name": "S"}, "field 'it' is named S and was R"),
    ({"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "F", "size": 3}, "had 2 bytes and has 3"),
    ({"type": "map", "values": "int"}, {"type": "map", "values": "string"}, "what is in field 'it' was an int"),
]


def test_a_field_with_a_default_may_come_and_any_may_go() -> None:
    assert list(broken_promises(V1, V2)) == []
    assert list(broken_promises(V2, V1)) == []


def test_a_field_without_a_default_is_named_with_the_rule_it_breaks() -> None:
    [reason] = broken_promises(V2, V3)

    assert reason == "field 'country' is new and has no default (rule: a field that older messages lack needs one)"


@pytest.mark.parametrize(("old", "new"), WIDENED)
def test_a_type_may_be_widened(old: Any, new: Any) -> None:
    assert list(broken_promises(a_schema(old), a_schema(new))) == []


@pytest.mark.parametrize(("old", "new", "words"), CHANGED)
def test_a_type_that_changes_is_named_with_what_it_was(old: Any, new: Any, words: str) -> None:
    [reason] = broken_promises(a_schema(old), a_schema(new))

    assert words in reason
    assert "(rule: " in reason


def test_a_field_that_was_renamed_and_says_so_is_the_same() -> None:
    renamed = json.loads(V1)
    renamed["fields"][1] = {"name": "who", "type": "string", "aliases": ["user_id"]}

    assert list(broken_promises(V1, json.dumps(renamed))) == []
