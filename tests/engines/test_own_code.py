"""A Python function of a person's own works where it is evaluated, with what it calls in the files beside it."""

from __future__ import annotations

from pathlib import Path

from tests.runs import an_inbox, run_once
from vigie.lake import Lake, rows
from vigie.pipeline import load

PIPELINE = '''
"""Readings, doubled by hand."""

import doubling
from pyspark.sql import functions as F

from vigie import Pipeline

pipeline = Pipeline("doubled")
pipeline.source("readings_raw", schema="sensor STRING, value DOUBLE")
STEP = 1.0


def more(value):
    return None if value is None else doubling.twice(value) + STEP


@pipeline.silver("readings", reads="readings_raw", schema="sensor STRING, value DOUBLE")
def readings(raw):
    return raw.withColumn("value", F.udf(more, "double")("value"))
'''
BESIDE = """
def twice(value):
    return value * FACTOR


FACTOR = 2
"""


def test_a_python_function_that_calls_what_lies_beside_its_file_is_evaluated(tmp_path: Path) -> None:
    (tmp_path / "doubled.py").write_text(PIPELINE)
    (tmp_path / "doubling.py").write_text(BESIDE)
    inbox = an_inbox(tmp_path / "inbox", [b'{"sensor": "a", "value": 1.5}', b'{"sensor": "b"}'])

    run_once(load(str(tmp_path / "doubled.py")), tmp_path / "lake", readings_raw=inbox)

    lake = Lake(tmp_path / "lake")
    assert sorted((row["sensor"], row["value"]) for row in rows(lake.silver("readings"))) == [("a", 4.0), ("b", None)]
