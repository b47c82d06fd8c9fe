"""Where rules turn, however many readings are judged at once."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from tests.detectors.readings import readings_of, table_of, turned
from vigie.detectors import Above, SuddenChange, judging
from vigie.graph import Detector


def test_keys_that_are_judged_a_few_at_a_time_turn_as_they_do_together(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = [
        replace(reading, key=f"k{key}")
        for key in range(20)
        for reading in readings_of("c", *(20 + (key + at) % 13 for at in range(30)))
    ]
    rules: dict[str, Detector] = {"HIGH": Above("c", 29), "JUMP": SuddenChange("c", by=5)}
    fires = {("HIGH", "k3"): 0, ("JUMP", "k4"): 0}

    together = turned(rules, table_of(readings, {"c": pa.float64()}), fires)
    monkeypatch.setattr(judging, "AT_ONCE", 100)

    assert turned(rules, table_of(readings, {"c": pa.float64()}), fires) == together != []
