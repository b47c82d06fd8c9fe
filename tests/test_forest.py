"""A forest predicts what going through each tree, row by row and node by node, comes to."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.forest import LEAF, Forest, Predictor, Tree

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)
FINITE = st.floats(-1e6, 1e6)


@st.composite
def trees(draw: st.DrawFn, features: int, classes: int) -> Tree:
    """Grown node by node: each new leaf may become a branch."""
    nodes: list[dict[str, Any]] = [{}]
    at = 0
    while at < len(nodes):
        counts = draw(st.lists(st.integers(0, 9), min_size=classes, max_size=classes).filter(any))
        node: dict[str, Any] = {"shares": [count / sum(counts) for count in counts]}
        if len(nodes) < 15 and draw(st.booleans()):
            node |= {"feature": draw(st.integers(0, features - 1)), "threshold": draw(FINITE)}
            node |= {"left": len(nodes), "right": len(nodes) + 1}
            nodes += [{}, {}]
        else:
            node |= {"feature": LEAF, "threshold": 0.0, "left": LEAF, "right": LEAF}
        nodes[at] = node
        at += 1
    return Tree(**{name: [node[name] for node in nodes] for name in Tree.__struct_fields__})


@st.composite
def forests(draw: st.DrawFn) -> Forest:
    features, classes = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    return Forest(
        [f"class {number}" for number in range(classes)],
        [f"feature {number}" for number in range(features)],
        draw(st.lists(FINITE, min_size=features, max_size=features)),
        draw(st.lists(trees(features, classes), min_size=1, max_size=4)),
    )


def votes(forest: Forest, row: list[float]) -> list[float]:
    """By hand."""
    values = [fill if math.isnan(value) else value for value, fill in zip(row, forest.fill, strict=True)]
    sums = [0.0] * len(forest.classes)
    for tree in forest.trees:
        node = 0
        while tree.feature[node] != LEAF:
            is_left = values[tree.feature[node]] <= tree.threshold[node]
            node = tree.left[node] if is_left else tree.right[node]
        sums = [so_far + share for so_far, share in zip(sums, tree.shares[node], strict=True)]
    return [each / sum(sums) for each in sums]


@settings(deadline=None)
@given(forests(), st.data())
def test_it_predicts_what_each_tree_says(forest: Forest, data: st.DataObject) -> None:
    width = len(forest.features)
    thresholds = [each for tree in forest.trees for each in tree.threshold]
    value = NUMBERS | st.sampled_from(thresholds)
    rows = data.draw(st.lists(st.lists(value, min_size=width, max_size=width), max_size=8))

    found = Predictor.of(forest).probabilities(np.asarray(rows, np.float64).reshape(len(rows), width))

    assert found.tolist() == [pytest.approx(votes(forest, row), rel=1e-12) for row in rows]


@given(forests())
def test_it_is_the_same_once_it_was_written_and_read(forest: Forest) -> None:
    assert Forest.decoded(forest.encoded()) == forest


SOUND = Forest(
    ["Heavy", "Light"], ["speed"], [0.0],
    [Tree([0, LEAF, LEAF], [500.0, 0.0, 0.0], [1, -1, -1], [2, -1, -1], [[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])],
)  # fmt: skip


def altered(**parts: object) -> bytes:
    """The sound forest with other parts, of itself or of its tree."""
    plain = msgspec.to_builtins(SOUND)
    plain["trees"][0] |= {name: part for name, part in parts.items() if name in plain["trees"][0]}
    return msgspec.json.encode(plain | {name: part for name, part in parts.items() if name in plain})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "truncated"),
        (b"{}", "missing required field `classes`"),
        (SOUND.encoded()[:-9], "truncated"),
        (altered(classes=["Heavy"]), "no two classes"),
        (altered(classes=["Heavy", "Heavy"]), "no two classes"),
        (altered(fill=[]), "missing values"),
        (altered(trees=[]), "no trees"),
        (altered(threshold=[1.0]), "tree 0: its parts are not as long as one another"),
        (altered(feature=[3, -1, -1]), "tree 0: node 0 leads nowhere"),
        (altered(left=[0, -1, -1]), "tree 0: node 0 leads nowhere"),
        (altered(right=[3, -1, -1]), "tree 0: node 0 leads nowhere"),
        (altered(shares=[[1.0], [1.0], [1.0]]), "tree 0: node 0 has no share for each class"),
        (altered(shares=[[0.5, 0.5], [0.0, 2.0], [1.0, 0.0]]), "tree 0: node 1 has no share for each class"),
        (altered(speed=1, features=["a", "b"]), "missing values"),
    ],
)
def test_a_file_that_holds_no_forest_is_refused_with_what_is_wrong(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Forest.decoded(text)


def test_a_missing_value_is_what_stands_for_it() -> None:
    predict = Predictor.of(SOUND).probabilities

    assert predict(np.array([[math.nan], [500.0], [500.1]])).tolist() == [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
