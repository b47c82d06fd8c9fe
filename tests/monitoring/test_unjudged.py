"""Keys of which rules can say nothing yet, because too few readings came before their newest one."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.test_cli import a_lake, an_entry
from vigie.cli import app
from vigie.lake import Lake
from vigie.monitoring.unjudged import Unjudged, unjudged
from vigie.pipeline import load

MINE = '''
from vigie import Pipeline
from vigie.detectors import Above, AboveUsual, OffCourse, Outlier

mine = Pipeline("mine")
raw = mine.source("things_raw", schema="id STRING, at TIMESTAMP, c DOUBLE", key="id")


@mine.silver(
    "things", reads=raw, schema="id STRING, at TIMESTAMP, c DOUBLE", event_time="at", late_by="1 minute", unique=("id",)
)
def things(rows):
    """One thing."""
    return rows


watched = mine.watch(things, key="id")
watched.alert("HIGH", Above("c", 30))
watched.alert("OUTLIER", Outlier("c", readings=4, over="10 minutes"))
watched.alert("WARM", AboveUsual("c", readings=4, over="10 minutes"))
watched.alert("COURSE", OffCourse("c", readings=3, over="5 minutes"))
'''
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROWS = pa.schema([("id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("c", pa.float64())])
Reading = tuple[str, float, float | None]  # the key, minutes after noon, and the value


def a_silver(folder: Path, *batches: list[Reading]) -> Lake:
    (folder / "mine.py").write_text(MINE)
    lake = Lake(folder / "lake")
    for batch in batches:
        rows = [{"id": key, "at": NOON + timedelta(minutes=minutes), "c": value} for key, minutes, value in batch]
        write_deltalake(lake.silver("things"), pa.Table.from_pylist(rows, ROWS), mode="append")
    return lake


def found(folder: Path, lake: Lake) -> tuple[Unjudged, ...]:
    return unjudged(lake, load(str(folder / "mine.py")).graph())


def even(key: str, count: int, value: float | None = 1.0) -> list[Reading]:
    return [(key, float(minute), value) for minute in range(count)]


def test_a_key_with_fewer_readings_than_a_rule_needs_is_counted(tmp_path: Path) -> None:
    lake = a_silver(tmp_path, even("known", 5), even("new", 4))

    assert found(tmp_path, lake) == (Unjudged(("OUTLIER", "WARM"), 1, 2, 4, 600.0),)


def test_a_reading_without_a_value_is_none(tmp_path: Path) -> None:
    lake = a_silver(tmp_path, even("known", 5), even("blank", 6, None))

    assert found(tmp_path, lake) == ()


def test_a_lake_without_readings_has_nothing_to_say(tmp_path: Path) -> None:
    lake = a_silver(tmp_path)

    assert found(tmp_path, lake) == ()


MINUTES = st.sampled_from([0.0, 1, 2, 4.5, 5, 5.5, 9, 10, 11, 20, 21])
READINGS = st.lists(st.tuples(st.sampled_from("abc"), MINUTES, st.sampled_from([1.0, None])), max_size=8)


@settings(max_examples=30, deadline=None)
@given(st.lists(READINGS, min_size=1, max_size=3))
def test_it_is_what_counting_by_hand_gives(batches: list[list[Reading]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = a_silver(Path(folder), *batches)
        by_rule = {each.rules: (each.keys, each.of_keys) for each in found(Path(folder), lake)}

    readings = [reading for batch in batches for reading in batch]
    newest = max((at for _, at, _ in readings), default=0.0)
    for rules, fewest, over in ((("OUTLIER", "WARM"), 4, 10), (("COURSE",), 3, 5)):
        few = heard = 0
        for key in "abc":
            times = [at for other, at, value in readings if other == key and value is not None]
            if times and max(times) >= newest - over:
                heard += 1
                few += sum(max(times) - over <= at < max(times) for at in times) < fewest
        assert by_rule.get(rules, (0, heard)) == (few, heard)


@pytest.mark.parametrize("form", ["--once", "--json"])
def test_status_says_so(tmp_path: Path, form: str) -> None:
    flags = a_lake(tmp_path, [an_entry()], [])
    a_silver(tmp_path, even("known", 5), even("new", 2))

    shown = CliRunner().invoke(app, ["status", str(tmp_path / "mine.py"), *flags, form])

    assert shown.exit_code == 0
    if form == "--json":
        assert json.loads(shown.stdout)["unjudged"] == [
            {"rules": ["OUTLIER", "WARM"], "keys": 1, "of_keys": 2, "readings": 4, "over_s": 600.0},
            {"rules": ["COURSE"], "keys": 1, "of_keys": 2, "readings": 3, "over_s": 300.0},
        ]
    else:
        lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
        assert "Too few readings to judge" in lines
        assert "OUTLIER, WARM 1 2 4 readings in 10 min" in lines
