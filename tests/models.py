"""Trained models for tests, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vigie.forest import LEAF, Forest, Tree
from vigie.lake import Lake
from vigie.models import Bin, Card, Examination, Findings, Learnt, Models, Training


def a_stump(feature: str, threshold: float, below: Sequence[float], above: Sequence[float]) -> Forest:
    """A forest of one tree that asks one question: the shares of Heavy, Light and Other below and above."""
    return Forest(
        ["Heavy", "Light", "Other"],
        [feature],
        [0.0],
        [
            Tree(
                [0, LEAF, LEAF],
                [threshold, 0.0, 0.0],
                [1, -1, -1],
                [2, -1, -1],
                [[0.4, 0.3, 0.3], list(below), list(above)],
            )
        ],
    )


def findings(sure_from: float = 0.5) -> Findings:
    taken = {"Heavy": [80, 10, 10], "Light": [5, 40, 5], "Other": [6, 4, 20]}
    examination = Examination(
        {name: dict(zip(taken, row, strict=True)) for name, row in taken.items()},
    )
    always_heavy = Examination({name: {"Heavy": sum(row), "Light": 0, "Other": 0} for name, row in taken.items()})
    return Findings(
        examination,
        always_heavy,
        {"n": 1.0},
        [Bin(60, 0.55, 0.5), Bin(120, 0.9, 0.92)],
        {"depth 5, 10 trees": 0.7},
        sure_from,
        0.75,
        0.9,
    )


def add(lake: Path, pipeline: str, forest: Forest, *, kind: str = "report", sure_from: float = 0.5) -> Card:
    """Put a model into a lake, as a training does; Spark's form of it is an empty folder."""
    aircraft = {"Heavy": 100, "Light": 60, "Other": 30}
    examined = {"Heavy": 30, "Light": 18, "Other": 9}
    learnt = Learnt(forest, Path.mkdir, {"depth": 5, "trees": 10}, findings(sure_from), 900, 600, aircraft, examined)
    return Models(Lake(lake), pipeline).add(learnt, Training(kind, "silver/even", 3, 7, 12.5, "4.1.1"))
